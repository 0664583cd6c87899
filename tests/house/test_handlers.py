"""Every public method of a state can be called by any client, so each asks first who is calling."""

import ast

import pytest

from tests.house.tree import classes, dotted, methods, name_of, python_files, read

# Handlers that anyone may call, signed in or not; each does nothing a stranger could use.
OPEN = frozenset({"state/index.py:IndexState.load"})
ASKS = {"self._user", "self._admin"}
COMPUTED = {"rx.var", "rx.cached_var", "property", "staticmethod", "classmethod"}


def public_handlers(tree: ast.Module):
    """Class and method for whatever a client can call by name."""
    for node in classes(tree):
        is_state = any(dotted(base).endswith("State") for base in node.bases)
        for method in methods(node):
            marks = {dotted(mark) for mark in method.decorator_list}
            if method.name.startswith("_") or marks & COMPUTED:
                continue
            if is_state or marks & {"rx.event", "event"}:
                yield node, method


def asks_who_is_calling(body: list[ast.stmt]) -> bool:
    """Whether the first statement awaits `self._user()` or `self._admin()`, in a background event inside its lock."""
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1:  # a docstring
        first = body[1]
    match first:
        case ast.AsyncWith(items=[ast.withitem(context_expr=ast.Name(id="self"))]):
            return asks_who_is_calling(first.body)
        case (
            ast.Expr(value=ast.Await(value=ast.Call() as call)) | ast.Assign(value=ast.Await(value=ast.Call() as call))
        ):
            return dotted(call) in ASKS
        case _:
            return False


def unguarded(source: str, where: str, open_to_all: frozenset[str] = OPEN) -> list[str]:
    """Name the handlers that do not ask who is calling."""
    names = ((f"{where}:{node.name}.{method.name}", method) for node, method in public_handlers(ast.parse(source)))
    return [name for name, method in names if name not in open_to_all and not asks_who_is_calling(method.body)]


def setters(source: str, where: str) -> list[str]:
    """Name the methods that Reflex's built-in `setvar` could reach."""
    handlers = public_handlers(ast.parse(source))
    return [f"{where}:{node.name}.{method.name}" for node, method in handlers if method.name.startswith("set_")]


def test_every_handler_asks_who_is_calling():
    files = python_files("state")

    assert [breach for path in files for breach in unguarded(read(path), name_of(path))] == []


def test_no_state_has_setters():
    files = python_files("state")

    assert [breach for path in files for breach in setters(read(path), name_of(path))] == []


def test_open_handlers_exist():
    found = {
        f"{name_of(path)}:{node.name}.{method.name}"
        for path in python_files("state")
        for node, method in public_handlers(ast.parse(read(path)))
    }

    assert found >= OPEN


def handler(*body: str, mark: str = "@rx.event", base: str = "AppState") -> str:
    lines = "\n".join(f"        {line}" for line in body)
    return f"class Screen({base}):\n    {mark}\n    async def go(self):\n{lines}\n"


@pytest.mark.parametrize(
    "source",
    [
        handler("await self._user()"),
        handler("await self._admin()", mark="@rx.event(background=True)"),
        handler('"""Why."""', "user = await self._user()", "self.name = user.name"),
        handler("async with self:", "    user = await self._user()", mark="@rx.event(background=True)"),
        handler("return 1", mark="@rx.var"),
        "class Row:\n    def label(self):\n        return 1\n",
        "class Screen(AppState):\n    async def _go(self):\n        self.x = 1\n",
    ],
)
def test_a_handler_that_asks_passes(source: str):
    assert unguarded(source, "x.py") == []


@pytest.mark.parametrize(
    "source",
    [
        handler("self.x = 1", "await self._user()"),
        handler("pass"),
        handler('"""Only words."""'),
        handler("self._user()"),
        handler("await self._notice()"),
        handler("await other._user()"),
        handler("async with self:", "    self.x = 1", "    await self._user()"),
        handler("if await self._user():", "    pass"),
        handler("pass", base="rx.State"),
        handler("pass", base="mixins.Plain"),
        "class Screen(AppState):\n    def go(self):\n        self.x = 1\n",
    ],
)
def test_a_planted_handler_that_does_not_ask_is_named(source: str):
    assert unguarded(source, "x.py") == ["x.py:Screen.go"]


def test_an_open_handler_passes():
    assert unguarded(handler("pass"), "x.py", frozenset({"x.py:Screen.go"})) == []


def test_a_planted_setter_is_named():
    source = "class Screen(AppState):\n    async def set_name(self, name: str):\n        await self._user()\n"

    assert setters(source, "x.py") == ["x.py:Screen.set_name"]
