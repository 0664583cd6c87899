"""The database: engines, the unit of work, and the column types that keep us honest."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, TypeVarTuple

from sqlalchemy import ColumnElement, DateTime, Dialect, Row, Select, delete, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.types import TypeDecorator
from sqlalchemy.util import greenlet_spawn

from oo_app.kit.clock import Clock
from oo_app.kit.errors import NotFound
from oo_app.kit.sqlite import open_engine

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "wal_autocheckpoint=0",  # `checkpoint` does it, where waiting for the disk keeps nobody waiting
    "foreign_keys=ON",
    "secure_delete=ON",
    "temp_store=MEMORY",
    "busy_timeout=5000",
)


DROPPED_AT_ONCE = 500
READER_WAITED_FOR_S = 1.0

_Columns = TypeVarTuple("_Columns")


class Emitted(Protocol):
    """What a transaction can emit: a fact with a stable subject and a payload of ids, numbers and enumerations."""

    @property
    def subject(self) -> str:
        """The stable name."""
        ...

    version: ClassVar[int]

    def payload(self) -> dict[str, str | int | float | bool | None]:
        """Return the fields."""
        ...


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out, also on SQLite, which keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, store UTC."""
        if value is not None and value.tzinfo is None:
            msg = "naive datetime"
            raise ValueError(msg)
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@dataclass(slots=True)
class Tx:
    """One unit of work: a session, one time for all its rows, and what it emits on commit."""

    session: AsyncSession
    now: datetime
    emitted: list[Emitted] = field(default_factory=list[Emitted])

    def emit(self, fact: Emitted) -> None:
        """Put a fact into the outbox with this transaction."""
        self.emitted.append(fact)


class Database:
    """Two engines on one database: a single writer behind a lock, and readers."""

    def __init__(self, url: str, clock: Clock) -> None:
        """Remember the address; `start()` connects."""
        self._url = url
        self._clock = clock
        self._writer_lock = asyncio.Lock()
        self._engine: AsyncEngine | None = None
        self._reader: AsyncEngine | None = None
        self.outbox: Callable[[Tx], Awaitable[Callable[[], None]]] | None = None

    async def start(self) -> None:
        """Open the engine."""
        self._engine = open_engine(self._url, pragmas=PRAGMAS, pool_size=8, max_overflow=8)
        # Readers need no transaction; begin and rollback would only cost them time.
        self._reader = open_engine(
            self._url,
            pragmas=PRAGMAS,
            pool_size=8,
            max_overflow=8,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_reset_on_return=None,
        )

    async def stop(self) -> None:
        """Close every connection."""
        for engine in (self._engine, self._reader):
            if engine:
                await engine.dispose()

    async def drop(self, table: type[Any], is_old: Callable[[datetime], ColumnElement[bool]], most: int) -> int:
        """Delete rows of a table by its `id` whose time is over, up to so many; return how many.

        In batches, each a transaction of its own: whoever writes meanwhile waits for one of them.
        """
        total = 0
        while total < most:
            async with self.begin() as tx:
                old = select(table.id).where(is_old(tx.now)).limit(min(DROPPED_AT_ONCE, most - total))
                gone = delete(table).where(table.id.in_(old)).returning(table.id)
                dropped = len((await tx.session.execute(gone)).all())
            total += dropped
            if dropped < DROPPED_AT_ONCE:
                break
        return total

    async def checkpoint(self) -> None:
        """Bring the write-ahead log into the database and to the disk, in a thread, while others read and write."""
        await self._checkpointed("PASSIVE")

    async def truncate_wal(self) -> bool:
        """Empty SQLite's write-ahead log into the database, so that nothing erased remains in it.

        False when somebody was reading from it for too long: the hourly purge does it then.
        """
        await self.checkpoint()  # most of it before others have to wait with their writing
        async with self._writer_lock:
            return await self._checkpointed("TRUNCATE")

    async def _checkpointed(self, mode: str) -> bool:
        """Tell whether all of it was brought over. In a thread: after a purge it takes the disk 150 ms and more."""
        file = make_url(self._url).database
        if file is None:
            return True

        def bring() -> bool:
            with closing(sqlite3.connect(file, timeout=READER_WAITED_FOR_S)) as connection:
                return not connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()[0]

        return await asyncio.to_thread(bring)

    @property
    def engine(self) -> AsyncEngine:
        """The engine, once open."""
        return _open(self._engine)

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[Tx]:
        """Write: commit on leaving, roll back on any exception. No network and no model call inside.

        NotFound when a row hangs on one that is gone by now, as of a person who is deleted at the same moment.
        """
        await asyncio.sleep(0)  # SQLite keeps the thread, so others get their turn here
        try:
            async with (
                self._writer_lock,
                AsyncSession(self.engine, expire_on_commit=False, autoflush=False) as session,
            ):
                announce = None
                async with session.begin():
                    tx = Tx(session, self._clock.now())
                    yield tx
                    if tx.emitted and self.outbox:
                        announce = await self.outbox(tx)
                if announce:  # while we are the one writer, so that facts are announced in the order they are stored
                    announce()
        except IntegrityError as error:
            if not _hangs_on_nothing(error):
                raise
            msg = "This is no longer here"
            raise NotFound(msg) from error

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """Read; nothing is written. Each query sees what is committed by then."""
        await asyncio.sleep(0)
        async with AsyncSession(self._reader, expire_on_commit=False, autoflush=False) as session:
            yield session

    async def fetch(self, query: Select[*_Columns], parameters: Mapping[str, object]) -> Sequence[Row[*_Columns]]:
        """Read columns with one query, at a third of what it costs to open a session for it."""
        await asyncio.sleep(0)
        return await greenlet_spawn(self._fetch, query, parameters)

    def _fetch(self, query: Select[*_Columns], parameters: Mapping[str, object]) -> Sequence[Row[*_Columns]]:
        with _open(self._reader).sync_engine.connect() as connection:
            return connection.execute(query, dict(parameters)).all()


def _hangs_on_nothing(error: IntegrityError) -> bool:
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY


def _open(engine: AsyncEngine | None) -> AsyncEngine:
    if engine is None:
        msg = "the database is not open"
        raise RuntimeError(msg)
    return engine
