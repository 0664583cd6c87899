"""Reading our own source as syntax trees: what the house tests share."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def python_files(*folders: str) -> list[Path]:
    """Every Python file below the folders, in a fixed order."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def read(path: Path) -> str:
    """The text of a source file; an empty one where there is none yet."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def name_of(path: Path) -> str:
    """The path as it is written in messages."""
    return path.relative_to(ROOT).as_posix()


def dotted(node: ast.expr) -> str:
    """`a.b.c` for an attribute chain, `a` for a name, the callee's for a call, else an empty string."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{dotted(node.value)}.{node.attr}"
        case ast.Call():
            return dotted(node.func)
        case ast.Subscript():
            return dotted(node.value)
        case _:
            return ""


def classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    """Every class of a module, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions written directly in a class."""
    return (child for child in node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))
