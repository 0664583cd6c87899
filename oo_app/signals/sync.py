"""Reading a source: pull → items, idempotent; and a person's items as candidates need them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlmodel import col

from oo_app.accounts import suggest_time_zone
from oo_app.connections import (
    Held,
    Reading,
    due,
    mark_failed,
    mark_read,
    seal_place,
    source_of,
    sources_by_name,
    with_access,
)
from oo_app.events import TaskCompleted, TasksSynced
from oo_app.kit import log
from oo_app.kit.crypto import PersonVault, Place
from oo_app.kit.db import Tx
from oo_app.kit.errors import NotFound, ReconnectNeeded, SourceDown
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.signals.models import Closing
from oo_app.signals.models import Item as Row
from oo_app.sources import Door, Item, Pull

FRESH_FOR = timedelta(seconds=30)
BATCH = 50
MOST_NAMED = 500  # rows looked up by name; more are cheaper read all at once

_log = log.get(__name__)


async def sync(rt: Runtime, connection_id: str) -> bool:
    """Read one connection and store what changed; False when the source could not be read (it is tried again later).

    The grant is held from asking to storing, so that an older answer can never overwrite a newer one.
    """
    began = perf_counter()
    source = await source_of(rt, connection_id)
    outcome = await _read(rt, connection_id)
    rt.metrics.syncs.labels(source, outcome).observe(perf_counter() - began)
    return outcome == "read"


async def _read(rt: Runtime, connection_id: str) -> str:
    async def call(door: Door, connection: Held) -> None:
        pull = await sources_by_name()[connection.source].pull(door, connection.cursor)
        await _store(rt, connection, pull)

    try:
        await with_access(rt, connection_id, call)
    except SourceDown as error:
        await mark_failed(rt, connection_id, retry_after=error.retry_after)
        return "down"
    except ReconnectNeeded:
        return "refused"
    except NotFound:
        return "gone"
    return "read"


async def sync_due(rt: Runtime) -> None:
    """Start reading the connections whose time has come; each by itself, so that a slow one delays nobody."""
    for connection_id in await due(rt, BATCH):
        spawn_sync(rt, connection_id)


def spawn_sync(rt: Runtime, connection_id: str) -> None:
    """Read a connection in the background, unless that is going on already."""
    rt.jobs.spawn(f"sync:{connection_id}", lambda: sync(rt, connection_id))


async def first_reading(rt: Runtime, connection_id: str, *, wait_s: float) -> int:
    """Read a new connection, waiting a little, so that the first tip is there when the person asks for it.

    Return how many completions were dropped because the connection now leads to another account.
    """
    before = await _planned(rt, connection_id)
    spawn_sync(rt, connection_id)
    await rt.jobs.wait([f"sync:{connection_id}"], wait_s)
    return len(before - await _planned(rt, connection_id))


async def _planned(rt: Runtime, connection_id: str) -> set[str]:
    """Return the completions on their way through a connection."""
    query = select(col(Closing.id)).where(col(Closing.connection_id) == connection_id, col(Closing.done_at).is_(None))
    async with rt.db.read() as session:
        return set((await session.execute(query)).scalars())


def stale(rt: Runtime, known: Sequence[Reading]) -> Sequence[Reading]:
    """Return the connections worth reading again now: not read for 30 s, and not resting after a failure."""
    return [
        reading
        for reading in known
        if not (reading.last_read_at is not None and rt.clock.now() - reading.last_read_at < FRESH_FOR)
        and not reading.needs_attention
        and not reading.is_backing_off
    ]


async def refresh(rt: Runtime, known: Sequence[Reading], *, wait_s: float) -> None:
    """Read the given connections in the background, waiting at most that long for it."""
    for reading in known:
        spawn_sync(rt, reading.connection_id)
    if known and wait_s > 0:
        await rt.jobs.wait([f"sync:{reading.connection_id}" for reading in known], wait_s)


@dataclass(frozen=True, slots=True)
class _Known:
    """A row as it stands before a reading is stored."""

    id: str
    is_open: bool
    created_at: datetime
    completed_count: int | None


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a reading meets. Nothing else changes the rows meanwhile, since the connection is held."""

    connection: Held
    vault: PersonVault
    known: Mapping[str, _Known]
    pull: Pull
    at: datetime


@dataclass(frozen=True, slots=True)
class _Changes:
    """What a reading changes."""

    fresh: Sequence[dict[str, Any]]
    changed: Sequence[dict[str, Any]]
    gone: Sequence[str]
    completed: Sequence[TaskCompleted]

    @property
    def count(self) -> int:
        """How many items there was news of."""
        return len(self.fresh) + len(self.changed) + len(self.gone)


async def _store(rt: Runtime, connection: Held, pull: Pull) -> None:
    vault = await rt.vault.for_user(connection.user_id)
    known_as = rt.vault.lookups(f"{connection.source}:{pull.owner.external_id}") if pull.owner else ()
    owner_hash = known_as[0] if known_as else connection.owner_hash
    # Connected anew with another account: nothing of the old one stays.
    is_other_owner = bool(pull.is_full and connection.owner_hash and known_as and connection.owner_hash not in known_as)
    known: Mapping[str, _Known] = {} if is_other_owner else await _known(rt, connection.id, pull)
    # Sealing 10 000 items takes about a third of a second, so neither the loop nor the database waits for it.
    changes = await asyncio.to_thread(_compared, _Reading(connection, vault, known, pull, rt.clock.now()))
    cursor = vault.seal(pull.cursor, seal_place(connection.id))
    async with rt.db.begin() as tx:
        await mark_read(tx, rt, connection, cursor=cursor, owner_hash=owner_hash)
        if is_other_owner:
            await tx.session.execute(delete(Row).where(col(Row.connection_id) == connection.id))
        await _write(tx, changes)
        if connection.cursor is None:
            await _hasten_closes(tx, connection.id)
        if pull.owner and pull.owner.time_zone:
            await suggest_time_zone(tx, connection.user_id, pull.owner.time_zone)
        if changes.count:
            tx.emit(TasksSynced(connection.user_id, connection.id, changes.count, pull.is_full))


async def _hasten_closes(tx: Tx, connection_id: str) -> None:
    """Send at once what waited for a grant that has now been read."""
    waiting = (col(Closing.connection_id) == connection_id, col(Closing.done_at).is_(None), col(Closing.attempts) > 0)
    await tx.session.execute(update(Closing).where(*waiting).values(next_at=tx.now))


async def _known(rt: Runtime, connection_id: str, pull: Pull) -> Mapping[str, _Known]:
    """Return the rows that a reading may touch: all of them, or only those it tells of."""
    query = select(
        col(Row.external_id), col(Row.id), col(Row.is_open), col(Row.created_at), col(Row.completed_count)
    ).where(col(Row.connection_id) == connection_id)
    if not pull.is_full and len(pull.items) <= MOST_NAMED:
        query = query.where(col(Row.external_id).in_([item.external_id for item in pull.items]))
    async with rt.db.read() as session:
        rows = (await session.execute(query)).all()
    return {row.external_id: _Known(row.id, row.is_open, row.created_at, row.completed_count) for row in rows}


def _compared(reading: _Reading) -> _Changes:
    """Tell new rows, changed ones and those that are gone, sealing the words."""
    fresh: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    completed: list[TaskCompleted] = []
    for item in reading.pull.items:
        before = reading.known.get(item.external_id)
        if before is not None:
            changed.append(_values(reading, item, before.id, before.created_at))
            if before.is_open and _was_completed(before, item):
                at = min(item.completed_at or reading.at, reading.at)
                completed.append(TaskCompleted(reading.connection.user_id, before.id, at.isoformat()))
        elif item.is_open:
            fresh.append(_values(reading, item, new_id(reading.at), reading.at))
    told = {item.external_id for item in reading.pull.items}
    gone = [row.id for name, row in reading.known.items() if row.is_open and name not in told]
    return _Changes(fresh, changed, gone if reading.pull.is_full else [], completed)


def _was_completed(before: _Known, item: Item) -> bool:
    """Tell whether an item was completed there; of one that recurs, whether an occurrence was."""
    if not item.is_open:
        return item.completed_at is not None
    if before.completed_count is None or item.completed_count is None:
        return False
    return item.completed_count > before.completed_count


def _values(reading: _Reading, item: Item, row_id: str, created_at: datetime) -> dict[str, Any]:
    return {
        "id": row_id,
        "user_id": reading.connection.user_id,
        "connection_id": reading.connection.id,
        "source": reading.connection.source,
        "external_id": item.external_id,
        "is_open": item.is_open,
        "content": reading.vault.seal(item.content, Place("item", row_id, "content")),
        "detail": reading.vault.seal(item.detail, Place("item", row_id, "detail")),
        "url": item.url,
        "due_on": item.due.on,
        "due_at": item.due.at,
        "due_floating": item.due.floating.isoformat() if item.due.floating else None,
        "deadline_on": item.deadline_on,
        "priority": item.priority,
        "is_recurring": item.is_recurring,
        "is_completable": item.is_completable,
        "minutes": item.minutes,
        "created_at": item.created_at or created_at,
        "completed_at": item.completed_at,
        "completed_count": item.completed_count,
    }


async def _write(tx: Tx, changes: _Changes) -> None:
    if changes.fresh:
        await tx.session.execute(insert(Row), changes.fresh)
    if changes.changed:
        await tx.session.execute(update(Row), changes.changed)
    if changes.gone:
        await tx.session.execute(update(Row), [{"id": item_id, "is_open": False} for item_id in changes.gone])
    for fact in changes.completed:
        tx.emit(fact)


def moment(text: str) -> datetime:
    """Read an event's time."""
    return datetime.fromisoformat(text).astimezone(UTC)
