"""Only the edge asks for the runtime; below it everything from outside is an argument."""

import ast

import pytest

from tests.house.tree import dotted, name_of, python_files, read

EDGE = ("pages/", "state/", "oo_app/web/", "oo_app/cli.py", "oo_app/demo.py", "oo_app/serve.py", "oo_app/oo_app.py")


def runtime_calls(source: str, where: str) -> list[str]:
    """Name the places where a module below the edge reaches for the runtime by itself."""
    if where.startswith(EDGE):
        return []
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call | ast.ImportFrom))
    return [f"{where}:{node.lineno}" for node in nodes if reaches(node)]


def reaches(node: ast.Call | ast.ImportFrom) -> bool:
    """Whether the node calls `current()` or imports it."""
    match node:
        case ast.Call():
            return dotted(node.func) in {"current", "runtime.current", "oo_app.runtime.current"}
        case ast.ImportFrom(module="oo_app.runtime"):
            return any(alias.name in {"current", "*"} for alias in node.names)
        case _:
            return False


def test_only_the_edge_asks_for_the_runtime():
    files = python_files("oo_app", "ml", "state", "pages")

    assert [breach for path in files for breach in runtime_calls(read(path), name_of(path))] == []


@pytest.mark.parametrize(
    "source",
    [
        "current()",
        "runtime.current().db",
        "from oo_app.runtime import Runtime, current",
        "def f():\n    return current()",
    ],
)
def test_a_planted_call_below_the_edge_is_named(source: str):
    assert len(runtime_calls(source, "oo_app/tips/react.py")) == 1


@pytest.mark.parametrize("where", ["state/tip.py", "oo_app/web/api.py", "oo_app/cli.py"])
def test_the_edge_may_ask(where: str):
    assert runtime_calls("from oo_app.runtime import current\ncurrent()", where) == []


def test_other_things_may_be_called_current():
    assert runtime_calls("version.current()\ncurrent = 1\ndef current(): ...", "oo_app/tips/react.py") == []
