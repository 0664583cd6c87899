"""A source or policy that nobody lists does nothing: every file stands in its tuple."""

import ast
from pathlib import Path

import pytest

from oo_app.conformance import STANDS
from oo_app.sources import SOURCES
from tests.house.tree import ROOT, read

REGISTRIES = [
    ("oo_app/sources", "SOURCES", {"source", "facts", "reading", "rfc5545", "vtodo", "vtodo_done", "webdav"}),
    ("oo_app/conformance/stands", "STANDS", set[str]()),
    ("ml/policies", "POLICIES", set[str]()),
]


def listed(source: str, registry: str) -> set[str]:
    """The modules whose names occur in the value given to the registry."""
    tree = ast.parse(source)
    home = {
        (alias.asname or alias.name): [*(node.module or "").split("."), alias.name]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    values = [value for target, value in assignments(tree) if target == registry]
    used = {name.id for value in values for name in ast.walk(value) if isinstance(name, ast.Name)}
    return {part for name in used for part in home.get(name, [])[-2:]}


def assignments(tree: ast.Module):
    """Name and value of every assignment at the top of a module."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                yield target, value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
                yield target, value
            case _:
                pass


def unlisted(folder: Path, registry: str, exempt: set[str]) -> set[str]:
    """Name the modules of a folder that its registry leaves out."""
    modules = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    modules |= {path.parent.name for path in folder.glob("*/__init__.py")}
    return modules - exempt - listed(read(folder / "__init__.py"), registry)


@pytest.mark.parametrize(("folder", "registry", "exempt"), REGISTRIES)
def test_every_file_is_listed(folder: str, registry: str, exempt: set[str]):
    assert unlisted(ROOT / folder, registry, exempt) == set()


def test_every_source_has_a_stand_in():
    assert {source.name for source in SOURCES} == {stand.source for stand in STANDS}


@pytest.mark.parametrize(
    "source",
    [
        "from plugs import one, two\nPLUGS = (one.PLUG, two.PLUG)\n",
        "from plugs.one import One\nfrom plugs.two import Two\nPLUGS: tuple[Plug, ...] = (One(), Two())\n",
        "from plugs import one, two\nPLUGS = {plug.name: plug for plug in (one.PLUG, two.PLUG)}\n",
    ],
)
def test_a_full_registry_passes(tmp_path: Path, source: str):
    (tmp_path / "__init__.py").write_text(source)
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").touch()

    assert unlisted(tmp_path, "PLUGS", set()) == set()


@pytest.mark.parametrize(
    "source",
    [
        "from plugs import one\nPLUGS = (one.PLUG,)\n",
        "from plugs import one, two\nPLUGS = (one.PLUG,)\n",
        "from plugs import one, two\nPLUGS = (one.PLUG,)\nOTHERS = (two.PLUG,)\n",
    ],
)
def test_a_planted_file_that_is_not_listed_is_named(tmp_path: Path, source: str):
    (tmp_path / "__init__.py").write_text(source)
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").touch()

    assert unlisted(tmp_path, "PLUGS", set()) == {"two"}
