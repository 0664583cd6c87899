"""SQLite on the loop's own thread: nothing is fetched from elsewhere, and nobody is kept waiting."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from oo_app.kit.clock import Clock
from oo_app.kit.db import Database
from oo_app.kit.sqlite import open_engine


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> AsyncGenerator[AsyncEngine]:
    """An engine on an empty database."""
    opened = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}", pragmas=("journal_mode=WAL",))
    yield opened
    await opened.dispose()


async def test_a_query_runs_where_it_is_asked(engine: AsyncEngine):
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert driver
        await driver.create_function("thread", 0, threading.get_ident)

        here = (await connection.execute(text("SELECT thread()"))).scalar_one()

    assert here == threading.get_ident()


async def test_what_is_committed_is_there_for_others(engine: AsyncEngine):
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE note (word TEXT)"))
        await connection.execute(text("INSERT INTO note VALUES ('kept')"))

    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT word FROM note"))).scalars().all() == ["kept"]


async def test_what_is_rolled_back_is_gone(engine: AsyncEngine):
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE note (word TEXT)"))
    async with engine.connect() as connection:
        await connection.execute(text("INSERT INTO note VALUES ('dropped')"))
        await connection.rollback()

        assert (await connection.execute(text("SELECT count(*) FROM note"))).scalar_one() == 0


async def test_an_error_of_the_database_is_told_as_one(engine: AsyncEngine):
    async with engine.connect() as connection:
        with pytest.raises(Exception, match="no such table"):
            await connection.execute(text("SELECT * FROM nowhere"))


async def test_others_get_their_turn_between_reads_and_writes(tmp_path: Path):
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}", Clock())
    await database.start()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    for _ in range(50):
        async with database.read() as session:
            await session.execute(text("SELECT 1"))
    running.cancel()
    await database.stop()

    assert turns >= 50
