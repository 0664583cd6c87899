"""Migrations run here: from `oo migrate`, at the start of `oo run`, and from alembic's own command line."""

import asyncio
from typing import Literal

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import oo_app.models  # noqa: F401 -- fills SQLModel.metadata
from oo_app.kit.config import Settings


def render(kind: str, obj: object, _context: object) -> str | Literal[False]:
    """Write SQLModel's string type as the plain one it is."""
    if kind == "type" and type(obj).__name__ == "AutoString":
        return f"sa.String(length={length})" if (length := getattr(obj, "length", None)) else "sa.String()"
    return False


def migrate(connection: Connection) -> None:
    """Run the migrations on an open connection."""
    # SQLite changes a table by copying it, which alembic calls batch mode.
    context.configure(
        connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True, render_item=render
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    """Open the database the settings name, and migrate it."""
    engine = create_async_engine(context.config.attributes.get("url") or Settings.load().db_url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


asyncio.run(connect_and_migrate())
