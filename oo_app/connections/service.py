"""Connections as a person meets them: what is connected, how fresh it is, taking it back; and the log of readings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import bindparam, delete, func, select, update
from sqlmodel import col

from oo_app.connections.models import Connection
from oo_app.connections.oauth import revoke
from oo_app.connections.store import Held, connection_id_of, this_grant
from oo_app.events import SourceDisconnected
from oo_app.kit import log
from oo_app.kit.crypto import Place
from oo_app.kit.db import Tx
from oo_app.kit.errors import NotFound
from oo_app.runtime import Runtime
from oo_app.sources import SOURCES

State = Literal["connected", "not_connected", "needs_attention"]
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_WISH = timedelta(days=1)  # what a source may ask of us

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A source as the connect page shows it."""

    source: str
    name: str
    state: State
    last_read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Which connection to read, and how fresh it is."""

    connection_id: str
    last_read_at: datetime | None
    needs_attention: bool
    is_backing_off: bool


async def overview(rt: Runtime, user_id: str) -> tuple[ConnectionView, ...]:
    """Return every source with the person's state in it."""
    async with rt.db.read() as session:
        query = select(col(Connection.source), col(Connection.needs_attention), col(Connection.last_read_at)).where(
            col(Connection.user_id) == user_id
        )
        rows = {row.source: row for row in (await session.execute(query)).all()}

    def view(name: str, title: str) -> ConnectionView:
        row = rows.get(name)
        if row is None:
            return ConnectionView(name, title, "not_connected", None)
        return ConnectionView(name, title, "needs_attention" if row.needs_attention else "connected", row.last_read_at)

    return tuple(view(source.name, source.title) for source in SOURCES)


_NEEDING_ATTENTION = select(func.count()).select_from(Connection).where(col(Connection.needs_attention))
_READINGS = select(
    col(Connection.id),
    col(Connection.last_read_at),
    col(Connection.needs_attention),
    col(Connection.failures),
    col(Connection.next_read_at),
).where(col(Connection.user_id) == bindparam("user_id"))


async def readings(rt: Runtime, user_id: str) -> Sequence[Reading]:
    """Return the person's connections and how fresh they are."""
    rows = await rt.db.fetch(_READINGS, {"user_id": user_id})
    return [
        Reading(connection_id, last_read_at, needs_attention, failures > 0 and next_read_at > rt.clock.now())
        for connection_id, last_read_at, needs_attention, failures, next_read_at in rows
    ]


async def due(rt: Runtime, limit: int) -> Sequence[str]:
    """Return connections whose time to be read has come, the longest waiting first."""
    async with rt.db.read() as session:
        query = (
            select(col(Connection.id))
            .where(col(Connection.next_read_at) <= rt.clock.now(), col(Connection.needs_attention).is_(False))
            .order_by(col(Connection.next_read_at))
            .limit(limit)
        )
        return (await session.execute(query)).scalars().all()


async def mark_read(tx: Tx, rt: Runtime, connection: Held, *, cursor: bytes, owner_hash: str | None) -> None:
    """Note a reading that worked; the next comes after the interval.

    Called first in the transaction that stores the reading: NotFound when the grant it was made with is gone or
    replaced, so that nothing is stored for it.
    """
    query = select(col(Connection.failures)).where(*this_grant(connection))
    failures = (await tx.session.execute(query)).scalar_one_or_none()
    if failures is None:
        msg = "That source was disconnected, or connected anew"
        raise NotFound(msg)
    interval = timedelta(milliseconds=rt.settings.todoist_sync_interval_ms)
    values = {
        "cursor": cursor,
        "owner_hash": owner_hash,
        "last_read_at": tx.now,
        "next_read_at": tx.now + interval,
        "failures": 0,
    }
    await tx.session.execute(update(Connection).where(*this_grant(connection)).values(**values))
    if failures:
        _log.info("connection.reachable", connection_id=connection.id, failures=failures)


async def mark_failed(rt: Runtime, connection_id: str, *, retry_after: float | None) -> None:
    """Note a reading that failed; the pause doubles up to an hour, and never falls short of what the source asked."""
    async with rt.db.begin() as tx:
        row = await tx.session.get(Connection, connection_id)
        if row is None:
            return
        pause = min(FIRST_PAUSE * 2 ** min(row.failures, 10), LONGEST_PAUSE)
        row.next_read_at = tx.now + max(pause, wished(retry_after))
        row.failures += 1
        tx.session.add(row)
    if row.failures == 1:
        _log.warning("connection.unreachable", connection_id=connection_id)


def wished(retry_after: float | None) -> timedelta:
    """Return the pause a source asked for, within reason."""
    return timedelta(seconds=min(retry_after or 0, LONGEST_WISH.total_seconds()))


async def disconnect(rt: Runtime, user_id: str, source_name: str) -> bool:
    """Revoke at the source (one try of five seconds), then erase tokens and cached items. True when revoked there."""
    connection_id = await connection_id_of(rt, user_id, source_name)
    if connection_id is None:
        msg = "That source is not connected"
        raise NotFound(msg)
    revoked = await revoke(rt, connection_id)
    async with rt.db.begin() as tx:
        mine = delete(Connection).where(col(Connection.id) == connection_id).returning(col(Connection.id))
        # Another tab may have been first, or the person may be gone altogether by now: news is told once.
        if (await tx.session.execute(mine)).scalar_one_or_none() is not None:
            tx.emit(SourceDisconnected(user_id, source_name))
    return revoked


async def count_needing_attention(rt: Runtime) -> int:
    """Count the connections that only their person can mend."""
    rows = await rt.db.fetch(_NEEDING_ATTENTION, {})
    return rows[0][0]


async def has_any(rt: Runtime, user_id: str) -> bool:
    """Tell whether the person has connected a source."""
    async with rt.db.read() as session:
        query = select(func.count()).select_from(Connection).where(col(Connection.user_id) == user_id)
        return bool((await session.execute(query)).scalar_one())


def seal_place(connection_id: str) -> Place:
    """Return where a connection's cursor is sealed to."""
    return Place("connection", connection_id, "cursor")
