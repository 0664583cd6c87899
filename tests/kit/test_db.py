"""The unit of work: all or nothing, aware times only."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, select, text
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.exc import IntegrityError, StatementError

from oo_app.kit.clock import FakeClock
from oo_app.kit.db import Database, Tx, UtcDateTime
from oo_app.kit.errors import NotFound

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
NOTE = Table("note", MetaData(), Column("id", Integer, primary_key=True), Column("at", UtcDateTime()))


@pytest.fixture
async def db(tmp_path: Path) -> AsyncGenerator[Database]:
    """A database with one table."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'test.db'}", FakeClock(NOW))
    await database.start()
    async with database.engine.begin() as connection:
        await connection.run_sync(NOTE.metadata.create_all)
    yield database
    await database.stop()


class Fact:
    """Something that is emitted."""

    subject = "test.fact"
    version: ClassVar[int] = 1

    def payload(self) -> dict[str, str | int | float | bool | None]:
        return {}


async def write(db: Database, *, rows: int = 1, then_fail: bool = False) -> None:
    """Write some rows and emit a fact, in one unit of work."""
    async with db.begin() as tx:
        for _ in range(rows):
            await tx.session.execute(insert(NOTE).values(at=tx.now))
        tx.emit(Fact())
        if then_fail:
            raise ZeroDivisionError


async def count(db: Database) -> int:
    async with db.read() as session:
        return (await session.execute(select(func.count()).select_from(NOTE))).scalar_one()


async def test_leaving_the_block_commits(db: Database):
    await write(db)

    assert await count(db) == 1


async def test_an_exception_rolls_everything_back(db: Database):
    with pytest.raises(ZeroDivisionError):
        await write(db, rows=2, then_fail=True)

    assert await count(db) == 0


async def test_being_cancelled_rolls_everything_back(db: Database):
    is_inside = asyncio.Event()

    async def hang() -> None:
        async with db.begin() as tx:
            await tx.session.execute(insert(NOTE).values(at=tx.now))
            is_inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await is_inside.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert await count(db) == 0


async def test_a_failed_block_lets_the_next_one_in(db: Database):
    async with db.begin() as tx:
        await tx.session.execute(insert(NOTE).values(id=1))
    with pytest.raises(IntegrityError):
        async with db.begin() as tx:
            await tx.session.execute(insert(NOTE).values(id=1))

    async with db.begin() as tx:
        await tx.session.execute(insert(NOTE).values(id=2))

    assert await count(db) == 2


async def test_a_rolled_back_block_tells_nothing(db: Database):
    told: list[str] = []

    async def store(_: object):
        told.append("stored")
        return lambda: told.append("announced")

    db.outbox = store

    with pytest.raises(ZeroDivisionError):
        await write(db, then_fail=True)

    assert told == []


async def test_what_is_emitted_is_stored_before_the_commit_is_announced(db: Database):
    told: list[str] = []

    async def store(_: object):
        told.append(f"stored {await count(db)}")
        return lambda: told.append("announced")

    db.outbox = store

    await write(db)

    assert told == ["stored 0", "announced"]


async def test_what_cannot_be_committed_is_not_announced(db: Database):
    told: list[str] = []

    async def store(tx: Tx):
        await tx.session.execute(text("PRAGMA defer_foreign_keys = ON"))
        await tx.session.execute(text("INSERT INTO leaf VALUES (1, 7)"))  # refused by the commit, not before
        return lambda: told.append("announced")

    async with db.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE leaf (id INTEGER, note_id INTEGER REFERENCES note (id))"))
    db.outbox = store

    with pytest.raises(NotFound):
        await write(db)

    assert (told, await count(db)) == ([], 0)


async def test_an_outbox_that_fails_rolls_everything_back(db: Database):
    async def store(_: object):
        raise ZeroDivisionError

    db.outbox = store

    with pytest.raises(ZeroDivisionError):
        await write(db)

    assert await count(db) == 0


async def test_an_error_does_not_repeat_what_was_to_be_stored(db: Database):
    async with db.begin() as tx:
        await tx.session.execute(insert(NOTE).values(id=123_456_789))

    with pytest.raises(IntegrityError) as refused:
        async with db.begin() as tx:
            await tx.session.execute(insert(NOTE).values(id=123_456_789))

    assert "123456789" not in str(refused.value)


async def test_many_writers_take_turns(db: Database):
    async def add_one() -> None:
        async with db.begin() as tx:
            highest = (await tx.session.execute(select(func.coalesce(func.max(NOTE.c.id), 0)))).scalar_one()
            await asyncio.sleep(0)
            await tx.session.execute(insert(NOTE).values(id=highest + 1))

    await asyncio.gather(*(add_one() for _ in range(20)))

    assert await count(db) == 20


async def test_readers_do_not_wait_for_a_writer(db: Database):
    async with db.begin() as tx:
        await tx.session.execute(insert(NOTE).values(at=tx.now))

        assert await count(db) == 0


async def test_all_rows_of_a_block_have_one_time(db: Database):
    async with db.begin() as tx:
        for _ in range(3):
            await tx.session.execute(insert(NOTE).values(at=tx.now))

    async with db.read() as session:
        assert set((await session.execute(select(NOTE.c.at))).scalars()) == {NOW}


async def test_a_naive_time_is_refused(db: Database):
    with pytest.raises(StatementError, match="naive datetime"):
        async with db.begin() as tx:
            await tx.session.execute(insert(NOTE).values(at=datetime(2026, 11, 23, 9, 0)))  # noqa: DTZ001 -- naive on purpose

    assert await count(db) == 0


@pytest.mark.parametrize("hours", [-11, 0, 5.75, 14])
async def test_a_time_comes_back_as_the_same_moment_in_utc(db: Database, hours: float):
    told = NOW.astimezone(timezone(timedelta(hours=hours)))

    async with db.begin() as tx:
        await tx.session.execute(insert(NOTE).values(at=told))

    async with db.read() as session:
        kept = (await session.execute(select(NOTE.c.at))).scalar_one()
    assert kept == told
    assert kept.tzinfo is UTC


@given(at=st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.timezones()))  # noqa: DTZ001 -- hypothesis wants naive bounds
def test_times_are_stored_so_that_they_sort(at: datetime):
    stored = UtcDateTime().process_bind_param(at, dialect())

    assert stored is not None
    assert stored.utcoffset() == timedelta(0)
    assert stored.timestamp() == at.timestamp()


def test_no_time_stays_no_time():
    assert UtcDateTime().process_bind_param(None, dialect()) is None
    assert UtcDateTime().process_result_value(None, dialect()) is None


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("foreign_keys", 1), ("secure_delete", 1), ("busy_timeout", 5000)]
)
async def test_the_database_is_set_up(db: Database, pragma: str, value: object):
    async with db.read() as session:
        assert (await session.execute(text(f"PRAGMA {pragma}"))).scalar_one() == value


async def test_a_checkpoint_brings_the_log_into_the_database(db: Database, tmp_path: Path):
    await write(db)
    before = (tmp_path / "test.db").read_bytes()

    await db.checkpoint()

    assert (tmp_path / "test.db").read_bytes() != before
    assert await count(db) == 1


async def test_a_commit_does_not_wait_for_a_checkpoint(db: Database, tmp_path: Path):
    await write(db)
    before = (tmp_path / "test.db").read_bytes()
    async with db.begin() as tx:
        await tx.session.execute(text("CREATE TABLE big (word TEXT)"))
        await tx.session.execute(text("INSERT INTO big VALUES (hex(randomblob(4000000)))"))

    assert (tmp_path / "test.db").read_bytes() == before


async def test_the_log_can_be_emptied(db: Database, tmp_path: Path):
    await write(db)

    await db.truncate_wal()

    assert (tmp_path / "test.db-wal").stat().st_size == 0
    assert await count(db) == 1


async def test_a_database_that_is_not_open_says_so():
    with pytest.raises(RuntimeError, match="not open"):
        async with Database("sqlite+aiosqlite://", FakeClock(NOW)).begin():
            pass


async def test_a_row_that_hangs_on_one_that_is_gone_is_not_found(db: Database):
    async with db.engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE leaf (id INTEGER PRIMARY KEY, note_id REFERENCES note (id))")

    with pytest.raises(NotFound, match="no longer here"):
        async with db.begin() as tx:
            await tx.session.execute(text("INSERT INTO leaf (note_id) VALUES (4711)"))


async def test_any_other_breach_stays_what_it_is(db: Database):
    await write(db)

    with pytest.raises(IntegrityError):
        async with db.begin() as tx:
            await tx.session.execute(insert(NOTE).values(id=1, at=tx.now))


async def test_a_log_that_somebody_reads_from_is_not_emptied_and_that_is_told(db: Database, tmp_path: Path):
    await write(db)
    with closing(sqlite3.connect(tmp_path / "test.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM note").fetchall()
        await write(db)

        assert not await db.truncate_wal()

    assert await db.truncate_wal()
    assert (tmp_path / "test.db-wal").stat().st_size == 0


async def test_while_the_log_is_emptied_the_loop_goes_on(db: Database, tmp_path: Path):
    await write(db)
    with closing(sqlite3.connect(tmp_path / "test.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM note").fetchall()
        await write(db)
        emptied = asyncio.create_task(db.truncate_wal())
        while not (db._writer_lock.locked() or emptied.done()):  # noqa: ASYNC110 -- a lock has no event to wait for
            await asyncio.sleep(0)

        assert await count(db) == 2
        reader.rollback()

        assert await emptied
