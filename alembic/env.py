"""Migrations run here: from `oo migrate`, at the start of `oo run`, and from alembic's own command line."""

import asyncio

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import oo_app.models  # noqa: F401 -- fills SQLModel.metadata
from alembic import context
from oo_app.kit.config import Settings


def migrate(connection: Connection) -> None:
    """Run the migrations on an open connection."""
    # SQLite changes a table by copying it, which alembic calls batch mode.
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    """Open the database the settings name, and migrate it."""
    engine = create_async_engine(context.config.attributes.get("url") or Settings.load().db_url)
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(connect_and_migrate())
