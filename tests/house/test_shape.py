"""Where code lives: every module has its layer, no file grows past what one reads in a sitting."""

import re
import tomllib

import pytest

from tests.house.tree import ROOT, name_of, python_files, read

MOST_LINES = 500


def layered() -> set[str]:
    """The modules that the layers contract in pyproject.toml names."""
    settings = tomllib.loads(read(ROOT / "pyproject.toml"))
    layers = next(each for each in settings["tool"]["importlinter"]["contracts"] if each["type"] == "layers")["layers"]
    return {name for line in layers for name in re.findall(r"[\w.]+", line)}


def test_every_module_of_the_app_has_a_layer():
    files = [path for path in (ROOT / "oo_app").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    modules = {f"oo_app.{path.stem}" for path in files if path.name != "__init__.py"}

    assert modules - layered() == set()


def test_no_file_is_too_long():
    files = python_files("oo_app", "ml", "state", "pages", "tests", "bench")

    assert [name_of(path) for path in files if len(read(path).splitlines()) > MOST_LINES] == []


@pytest.mark.parametrize("lock", ["tests/node/package-lock.json", "reflex.lock/package-lock.json"])
def test_locks_name_no_registry(lock: str):
    assert '"resolved"' not in read(ROOT / lock)


def test_constraints_name_no_registry():
    assert "://" not in read(ROOT / "constraints.txt")


def test_the_root_is_no_package():
    assert not (ROOT / "__init__.py").exists(), "Reflex refuses to start beside one"
