"""The worked example of docs/write-a-source.md: its files and its commands, as the page has them."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType

from oo_app import connections
from oo_app.conformance import Stand
from oo_app.sources import Source
from tests.house.tree import ROOT, read

PAGE = read(ROOT / "docs/write-a-source.md")
SOURCE_FILE, STAND_FILE = "oo_app/sources/tidy.py", "oo_app/conformance/stands/tidy.py"


def files() -> dict[str, str]:
    """The files that the page says to save, by their place."""
    return dict(re.findall(r"Save as `([\w/.]+)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL))


def commands() -> list[str]:
    """The commands of the page, in their order."""
    return [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def recordings() -> list[str]:
    """The JSON files of the page, in their order."""
    return re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def tidy(*changes: tuple[str, str]) -> tuple[Source, type[Stand]]:
    """The example's source, with changes to its text, and its stand-in."""
    told = files()
    source = told[SOURCE_FILE]
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return _made("tidy_source", source).SOURCE, _made("tidy_stand", told[STAND_FILE]).STAND


def _made(name: str, text: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(text, f"{name}.py", "exec"), vars(module))
    return module


@contextmanager
def planted(source: Source) -> Generator[None]:
    """Have the application know a source, in the place of one of its name, until the block ends."""
    known = connections.sources_by_name()
    assert isinstance(known, dict)
    before = dict(known)
    known[source.name] = source
    try:
        yield
    finally:
        known.clear()
        known.update(before)
