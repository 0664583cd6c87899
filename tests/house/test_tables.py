"""Deleting a person deletes their rows: every `user_id` is a foreign key that cascades."""

import importlib

import pytest
from sqlalchemy import Column, ForeignKey, MetaData, String, Table
from sqlmodel import SQLModel

from tests.house.tree import ROOT


def stranded(metadata: MetaData) -> list[str]:
    """Name the `user_id` columns whose rows would outlive their person."""
    columns = (column for table in metadata.sorted_tables for column in table.columns if column.name == "user_id")
    return [f"{column.table.name}.user_id" for column in columns if not cascades(column)]


def cascades(column: Column[str]) -> bool:
    """Whether the column points at the person and goes when the person goes."""
    return any(key.target_fullname == "user.id" and key.ondelete == "CASCADE" for key in column.foreign_keys)


def test_every_user_id_cascades():
    if not (ROOT / "oo_app/models.py").exists():
        return
    importlib.import_module("oo_app.models")

    assert stranded(SQLModel.metadata) == []


@pytest.mark.parametrize("keys", [[], [ForeignKey("user.id")], [ForeignKey("team.id", ondelete="CASCADE")]])
def test_a_planted_table_that_does_not_cascade_is_named(keys: list[ForeignKey]):
    metadata = MetaData()
    for name in ("user", "team"):
        Table(name, metadata, Column("id", String, primary_key=True))
    Table("note", metadata, Column("user_id", String, *keys))

    assert stranded(metadata) == ["note.user_id"]


def test_a_table_that_cascades_passes():
    metadata = MetaData()
    Table("user", metadata, Column("id", String, primary_key=True))
    Table("note", metadata, Column("user_id", String, ForeignKey("user.id", ondelete="CASCADE")))

    assert stranded(metadata) == []
