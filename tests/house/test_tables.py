"""Deleting a person deletes their rows: whatever knows a person, directly or through other tables, goes with them."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from oo_app.ops.privacy import _tables_of_people

GOES = "CASCADE"
Keys = Mapping[str, Collection[tuple[str, str, str]]]


def stranded(opened: sqlite3.Connection) -> list[str]:
    """Name what would outlive its person: columns by name or by key, tables whose rows no cascade reaches."""
    tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    keys = {table: foreign_keys(opened, table) for table in tables}
    named = [
        f"{table}.{column}"
        for table in tables
        for column in columns(opened, table)
        if column.endswith("user_id") and (column, "user", GOES) not in keys[table]
    ]
    reached, goes = spread(keys, lambda _: True), spread(keys, lambda action: action == GOES)
    return sorted({*named, *(reached - goes)})


def spread(keys: Keys, follows: Callable[[str], bool]) -> set[str]:
    """Return the tables that lead to a person by the keys that are followed."""
    found = {"user"}
    while more := {
        table
        for table, of in keys.items()
        if table not in found and any(target in found and follows(action) for _, target, action in of)
    }:
        found |= more
    return found - {"user"}


def foreign_keys(opened: sqlite3.Connection, table: str) -> set[tuple[str, str, str]]:
    """Return (column, table it points at, what happens on delete)."""
    return {(row[3], row[2], row[6]) for row in opened.execute(f"PRAGMA foreign_key_list('{table}')")}


def columns(opened: sqlite3.Connection, table: str) -> Iterable[str]:
    return [row[1] for row in opened.execute(f"PRAGMA table_info('{table}')")]


def test_whatever_knows_a_person_goes_with_them(migrated: Path):
    with closing(sqlite3.connect(migrated / "oo.db")) as opened:
        assert stranded(opened) == []


def test_whatever_knows_a_person_is_in_their_export(migrated: Path):
    with closing(sqlite3.connect(migrated / "oo.db")) as opened:
        tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        known = spread({table: foreign_keys(opened, table) for table in tables}, lambda _: True)

    assert known == {table.name for table in _tables_of_people(SQLModel.metadata)}


@pytest.mark.parametrize(
    ("tables", "named"),
    [
        (["note (user_id TEXT)"], ["note.user_id"]),
        (["note (reader_user_id TEXT)"], ["note.reader_user_id"]),
        (["note (user_id TEXT REFERENCES user (id))"], ["note", "note.user_id"]),
        (["note (user_id TEXT REFERENCES user (id) ON DELETE SET NULL)"], ["note", "note.user_id"]),
        (["note (user_id TEXT REFERENCES team (id) ON DELETE CASCADE)"], ["note.user_id"]),
        (["note (writer TEXT REFERENCES user (id))"], ["note"]),
        (
            [
                "note (id TEXT PRIMARY KEY, user_id TEXT REFERENCES user (id) ON DELETE CASCADE)",
                "page (note_id TEXT REFERENCES note (id) ON DELETE SET NULL)",
                "line (page_id TEXT REFERENCES page (id) ON DELETE CASCADE)",
            ],
            ["line", "page"],
        ),
        (
            [
                "note (id TEXT PRIMARY KEY, user_id TEXT REFERENCES user (id) ON DELETE CASCADE)",
                "page (note_id TEXT REFERENCES note (id) ON DELETE CASCADE)",
            ],
            [],
        ),
    ],
)
def test_a_planted_table_that_would_stay_is_named(tables: list[str], named: list[str]):
    with closing(sqlite3.connect(":memory:")) as opened:
        for table in ("user (id TEXT PRIMARY KEY)", "team (id TEXT PRIMARY KEY)", *tables):
            opened.execute(f"CREATE TABLE {table}")

        assert stranded(opened) == named
