"""Connections as a person meets them: what is connected, how fresh it is, taking it back; and the log of readings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import and_, bindparam, case, delete, func, or_, select, update
from sqlmodel import SQLModel, col

from oo_app.connections.models import Connection
from oo_app.connections.oauth import door, keep, revoke
from oo_app.connections.store import Held, connection_id_of, sources_by_name, this_grant
from oo_app.events import SourceDisconnected
from oo_app.kit import log
from oo_app.kit.crypto import Place
from oo_app.kit.db import Tx, UtcDateTime
from oo_app.kit.errors import Invalid, NotFound, SourceDown
from oo_app.kit.ids import spread
from oo_app.runtime import Runtime
from oo_app.sources import SOURCES, Asks, Grant, Login, NotPermitted, Source, TokenRefused

State = Literal["connected", "not_connected", "needs_attention"]
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_WISH = timedelta(days=1)  # what a source may ask of us
JITTER = 0.1  # of a pause, so that what was connected together, or fell together, is not read together for ever
CLAIMED_FOR = timedelta(minutes=2)  # longer than any reading with all its retries
OPEN_TIMEOUT_S = 20.0  # somebody waits for the answer

_HASTEN = (
    update(SQLModel.metadata.tables["connection"])
    .where(
        col(Connection.id) == bindparam("connection"),
        col(Connection.failures) == 0,
        col(Connection.next_read_at) > bindparam("soonest", type_=UtcDateTime),
    )
    .values(next_read_at=bindparam("soonest", type_=UtcDateTime))
)

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A source as the connect page shows it."""

    source: str
    name: str
    state: State
    last_read_at: datetime | None
    asks: Asks
    about: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Which connection to read, and how fresh it is."""

    connection_id: str
    source: str
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

    def view(source: Source) -> ConnectionView:
        row = rows.get(source.name)
        if row is None:
            return ConnectionView(source.name, source.title, "not_connected", None, source.asks, source.about)
        state = "needs_attention" if row.needs_attention else "connected"
        return ConnectionView(source.name, source.title, state, row.last_read_at, source.asks, source.about)

    return tuple(view(source) for source in SOURCES)


async def connect(rt: Runtime, user_id: str, source_name: str, login: Login) -> str:
    """Connect a source that asks for no consent: try what was typed, then keep it; return the connection's id.

    Invalid names the field that does not fit; SourceDown when nothing answers there.
    """
    source = sources_by_name().get(source_name)
    if source is None or source.asks == "consent":
        msg = "There is no such source to connect here"
        raise NotFound(msg)
    _check_asked(source, login)
    try:
        async with rt.clock.timeout(OPEN_TIMEOUT_S):
            opened = await source.open(door(rt, login.text()))
    except TimeoutError as error:
        raise SourceDown(None, cause="TimeoutError") from error
    except (TokenRefused, NotPermitted) as error:
        msg = "The server did not accept the name and the password."
        raise Invalid(msg, field="password") from error
    return await keep(rt, user_id, source, Grant(opened.text(), None, None, ""))


def _check_asked(source: Source, login: Login) -> None:
    """Refuse a login that holds less, or more, than the source asks for."""
    for field, value in (("username", login.username), ("password", login.password)):
        if source.asks == "login" and not value:
            msg = f"{field}: {source.title} needs it"
            raise Invalid(msg, field=field)
        if source.asks == "address" and value:
            msg = f"{field}: {source.title} takes an address only"
            raise Invalid(msg, field=field)


_DUE = (
    select(col(Connection.id))
    .where(
        col(Connection.source) == bindparam("source"),
        col(Connection.needs_attention).is_(False),
        col(Connection.next_read_at) <= bindparam("now", type_=UtcDateTime),
    )
    .order_by(col(Connection.next_read_at))
)
_NEEDING_ATTENTION = select(func.count()).select_from(Connection).where(col(Connection.needs_attention))
_READINGS = select(
    col(Connection.id),
    col(Connection.source),
    col(Connection.last_read_at),
    col(Connection.needs_attention),
    col(Connection.failures),
    col(Connection.next_read_at),
).where(col(Connection.user_id) == bindparam("user_id"))


async def readings(rt: Runtime, user_id: str) -> Sequence[Reading]:
    """Return the person's connections and how fresh they are."""
    rows = await rt.db.fetch(_READINGS, {"user_id": user_id})
    return [
        Reading(connection_id, source, last_read_at, needs_attention, failures > 0 and next_read_at > rt.clock.now())
        for connection_id, source, last_read_at, needs_attention, failures, next_read_at in rows
    ]


async def claim_due(rt: Runtime, source: str, limit: int) -> Sequence[str]:
    """Claim connections of a source whose time to be read has come, the longest waiting first.

    What is claimed is due again after two minutes, should whoever claimed it be gone by then.
    """
    query = _DUE.limit(limit)
    now = rt.clock.now()
    ids = [row[0] for row in await rt.db.fetch(query, {"source": source, "now": now})]
    if ids:
        async with rt.db.begin() as tx:
            claim = update(Connection).where(col(Connection.id).in_(ids), col(Connection.next_read_at) <= now)
            claim = claim.values(next_read_at=now + CLAIMED_FOR).returning(col(Connection.id))
            ids = list((await tx.session.execute(claim)).scalars())
    return ids


async def mark_read(
    tx: Tx, rt: Runtime, connection: Held, *, cursor: bytes, owner_hash: str | None, is_due_again: bool = False
) -> None:
    """Note a reading that worked; the next comes after the source's interval, or at once when there is news already."""
    failures = await still_held(tx, connection)
    interval = sources_by_name()[connection.source].every(rt.settings)
    interval *= 1 - JITTER * spread(f"{connection.id}{tx.now}")
    values = {
        "cursor": cursor,
        "owner_hash": owner_hash,
        "last_read_at": tx.now,
        "next_read_at": tx.now if is_due_again else tx.now + interval,
        "failures": 0,
    }
    await tx.session.execute(update(Connection).where(*this_grant(connection)).values(**values))
    if failures:
        _log.info("connection.reachable", connection_id=connection.id, failures=failures)


async def still_held(tx: Tx, connection: Held) -> int:
    """Return how often the connection failed in a row; called first in a transaction that stores of a reading.

    NotFound when the grant it was made with is gone or replaced, so that nothing is stored for it.
    """
    query = select(col(Connection.failures)).where(*this_grant(connection))
    failures = (await tx.session.execute(query)).scalar_one_or_none()
    if failures is None:
        msg = "That source was disconnected, or connected anew"
        raise NotFound(msg)
    return failures


async def mark_failed(rt: Runtime, connection_id: str, *, retry_after: float | None, cause: str) -> None:
    """Note a reading that failed; the pause doubles up to an hour, and never falls short of what the source asked."""
    async with rt.db.begin() as tx:
        row = await tx.session.get(Connection, connection_id)
        if row is None:
            return
        pause = min(FIRST_PAUSE * 2 ** min(row.failures, 10), LONGEST_PAUSE)
        pause *= 1 + JITTER * spread(f"{connection_id}{tx.now}")
        row.next_read_at = tx.now + max(pause, wished(retry_after))
        row.failures += 1
        row.failure, row.failed_at = cause[:60], tx.now
        tx.session.add(row)
    if row.failures == 1:
        _log.warning("connection.unreachable", connection_id=connection_id, cause=cause)


def wished(retry_after: float | None) -> timedelta:
    """Return the pause a source asked for, within reason."""
    return timedelta(seconds=min(retry_after or 0, LONGEST_WISH.total_seconds()))


async def hasten(tx: Tx, connection_id: str, at: datetime) -> None:
    """Have a connection read no later than that, unless it rests after a failure."""
    await tx.session.execute(_HASTEN, {"connection": connection_id, "soonest": at})


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


@dataclass(frozen=True, slots=True)
class SourceAge:
    """How a source's connections stand, those left out that only their person can mend: how many, how many late.

    `oldest` is the time since the reading that lies back furthest, or since connecting where there was none.
    """

    source: str
    connections: int
    late: int
    oldest: timedelta


async def ages(rt: Runtime) -> Sequence[SourceAge]:
    """Tell of every source that is connected how fresh it is, with one query."""
    now = rt.clock.now()
    read_at = func.coalesce(col(Connection.last_read_at), col(Connection.connected_at))
    limits = {name: now - source.late_after(rt.settings) for name, source in sources_by_name().items()}
    is_late = or_(*(and_(col(Connection.source) == name, read_at < limit) for name, limit in limits.items()))
    query = (
        select(col(Connection.source), func.count(), func.sum(case((is_late, 1), else_=0)), func.min(read_at))
        .where(col(Connection.needs_attention).is_(False))
        .group_by(col(Connection.source))
    )
    return [SourceAge(name, count, late, now - oldest) for name, count, late, oldest in await rt.db.fetch(query, {})]


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
