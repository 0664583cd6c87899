"""A look into databases that nobody has open, and into folders."""

import sqlite3
from contextlib import closing
from pathlib import Path


def select(file: Path, query: str) -> list[tuple[object, ...]]:
    """Read from a database."""
    with closing(sqlite3.connect(file)) as opened:
        return opened.execute(query).fetchall()


def run(file: Path, *statements: str) -> None:
    """Change a database."""
    with closing(sqlite3.connect(file)) as opened:
        for statement in statements:
            opened.execute(statement)
        opened.commit()


def names(folder: Path) -> set[str]:
    """Return what a folder holds."""
    return {file.name for file in folder.iterdir()}
