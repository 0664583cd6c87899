"""What an attack came to: rows of the database before and after, and what of somebody's was told to somebody else."""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from oo_app.kit.keystore import person_hash

# Round trips that anybody may begin: they hold nothing of anybody until they come back.
BEGUN_BY_ANYBODY = "flow"

Rows = Mapping[str, Counter[str]]

BY_ITSELF = frozenset({"lease", "run", "sqlite_sequence"})  # what changes whether anybody knocks or not


def rows(folder: Path) -> Rows:
    """Return every row of every table, as text."""
    found: dict[str, Counter[str]] = {}
    for file in ("oo.db", "keys.db"):
        with closing(sqlite3.connect(folder / file, timeout=10)) as database:
            known = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = [name for (name,) in known if name not in BY_ITSELF]
            for table in tables:
                found[table] = Counter(repr(row) for row in database.execute(f'SELECT * FROM "{table}"'))
    return found


def changes(before: Rows, after: Rows, *, victim: Sequence[str], own: Sequence[str], ended: Sequence[str]) -> list[str]:
    """Name the rows that came, went or changed and are the victim's, or are not the attacker's own.

    A session may be `ended` by whoever holds its cookie. The deletion ledger knows people by a hash.
    """
    victim, own = [*victim, *map(person_hash, victim)], [*own, *map(person_hash, own)]

    def is_breach(table: str, row: str) -> bool:
        if table == "session" and any(each in row for each in ended):
            return False
        is_own = table == BEGUN_BY_ANYBODY or any(each in row for each in own)
        return any(each in row for each in victim) or not is_own

    return [
        f"{table}: {row[:300]}"
        for table in {*before, *after}
        for row in (before.get(table, Counter()) - after.get(table, Counter()))
        + (after.get(table, Counter()) - before.get(table, Counter()))
        if is_breach(table, row)
    ]


def told(answer: str, asked: str, marks: Mapping[str, str]) -> list[str]:
    """Name what of the victim's stands in an answer, unless the attacker had said it before."""
    return [name for name, mark in marks.items() if mark in answer and mark not in asked]


def select(folder: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Look at the database."""
    with closing(sqlite3.connect(folder / "oo.db", timeout=10)) as database:
        return database.execute(query, values).fetchall()


def change(folder: Path, statement: str, *values: Any) -> None:
    """Change the database past the application, as time would."""
    with closing(sqlite3.connect(folder / "oo.db", timeout=10)) as database, database:
        database.execute(statement, values)
