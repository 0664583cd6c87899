"""SQLite on the event loop's own thread (ADR 11).

A query of ours takes SQLite some five microseconds, the way to another thread and back some hundred and fifty, and
`aiosqlite` goes it four times a query. Nothing here waits: readers never wait for the writer (WAL), writers queue
behind the database's own lock, and a commit is not forced to the disk: `Database.checkpoint` does that, in a thread.
"""

from collections.abc import Callable
from functools import partial
from sqlite3 import connect
from typing import Any

from aiosqlite import Connection
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

ROWS_AT_ONCE = 64


class _Inline(Connection):
    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)


def open_engine(url: str, *, pragmas: tuple[str, ...] = (), **options: Any) -> AsyncEngine:
    """Make an engine for an SQLite database, every connection of which begins with the pragmas."""
    file = make_url(url).database or ":memory:"

    async def connected() -> Connection:
        return await _Inline(partial(connect, file, check_same_thread=False), ROWS_AT_ONCE)

    engine = create_async_engine(url, async_creator=connected, hide_parameters=True, **options)

    def begin_with_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", begin_with_pragmas)
    return engine
