"""Reading a source: pull → items, idempotent; and a person's items as candidates need them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlmodel import col

from oo_app.accounts import suggest_time_zone
from oo_app.connections import Held, due, mark_failed, mark_read, readings, seal_place, sources_by_name, with_access
from oo_app.events import TaskCompleted, TasksSynced
from oo_app.kit import log
from oo_app.kit.crypto import PersonVault, Place
from oo_app.kit.db import Tx
from oo_app.kit.errors import NotFound, ReconnectNeeded, SourceDown
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.signals.models import Item as Row
from oo_app.sources import Door, Item, Pull

FRESH_FOR = timedelta(seconds=30)
BATCH = 50

_log = log.get(__name__)


async def sync(rt: Runtime, connection_id: str) -> bool:
    """Read one connection and store what changed; False when the source could not be read (it is tried again later).

    The grant is held from asking to storing, so that an older answer can never overwrite a newer one.
    """

    async def call(door: Door, connection: Held) -> None:
        pull = await sources_by_name()[connection.source].pull(door, connection.cursor)
        await _store(rt, connection, pull)

    try:
        await with_access(rt, connection_id, call)
    except SourceDown as error:
        await mark_failed(rt, connection_id, retry_after=error.retry_after)
        return False
    except (ReconnectNeeded, NotFound):
        return False
    return True


async def sync_due(rt: Runtime) -> None:
    """Start reading the connections whose time has come; each by itself, so that a slow one delays nobody."""
    for connection_id in await due(rt, BATCH):
        spawn_sync(rt, connection_id)


def spawn_sync(rt: Runtime, connection_id: str) -> None:
    """Read a connection in the background, unless that is going on already."""
    rt.jobs.spawn(f"sync:{connection_id}", lambda: sync(rt, connection_id))


async def first_reading(rt: Runtime, connection_id: str, *, wait_s: float) -> None:
    """Read a new connection, waiting a little, so that the first tip is there when the person asks for it."""
    spawn_sync(rt, connection_id)
    await rt.jobs.wait([f"sync:{connection_id}"], wait_s)


async def refresh(rt: Runtime, user_id: str, *, wait_s: float) -> None:
    """Read the person's connections that were not read for 30 s, waiting at most that long for it."""
    names: list[str] = []
    for reading in await readings(rt, user_id):
        is_fresh = reading.last_read_at is not None and rt.clock.now() - reading.last_read_at < FRESH_FOR
        if is_fresh or reading.needs_attention or reading.is_backing_off:
            continue
        spawn_sync(rt, reading.connection_id)
        names.append(f"sync:{reading.connection_id}")
    if names and wait_s > 0:
        await rt.jobs.wait(names, wait_s)


async def _store(rt: Runtime, connection: Held, pull: Pull) -> None:
    vault = await rt.vault.for_user(connection.user_id)
    owner_hash = (
        rt.vault.lookup(f"{connection.source}:{pull.owner.external_id}") if pull.owner else connection.owner_hash
    )
    is_other_owner = connection.owner_hash is not None and owner_hash != connection.owner_hash
    async with rt.db.begin() as tx:
        known = await _known(tx, connection.id)
        changed = await _apply(tx, connection, vault, known, pull.items)
        if pull.is_full or is_other_owner:
            told = {item.external_id for item in pull.items}
            gone = [row["id"] for key, row in known.items() if row["is_open"] and key not in told]
            await _mark_gone(tx, gone)
            changed += len(gone)
        if pull.owner and pull.owner.time_zone:
            await suggest_time_zone(tx, connection.user_id, pull.owner.time_zone)
        cursor = vault.seal(pull.cursor, seal_place(connection.id))
        await mark_read(tx, rt, connection, cursor=cursor, owner_hash=owner_hash)
        if changed:
            tx.emit(TasksSynced(connection.user_id, connection.id, changed, pull.is_full))


async def _known(tx: Tx, connection_id: str) -> dict[str, dict[str, Any]]:
    query = select(col(Row.external_id), col(Row.id), col(Row.is_open)).where(col(Row.connection_id) == connection_id)
    return {row.external_id: {"id": row.id, "is_open": row.is_open} for row in (await tx.session.execute(query)).all()}


async def _apply(
    tx: Tx, connection: Held, vault: PersonVault, known: dict[str, dict[str, Any]], items: Sequence[Item]
) -> int:
    fresh: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    for item in items:
        before = known.get(item.external_id)
        if before is None and not item.is_open:
            continue
        row_id = before["id"] if before else new_id(tx.now)
        values = _values(tx, connection, vault, row_id, item)
        if before is None:
            fresh.append(values)
            continue
        changes.append(values)
        if before["is_open"] and item.completed_at:
            tx.emit(TaskCompleted(connection.user_id, row_id, item.completed_at.isoformat()))
    if fresh:
        await tx.session.execute(insert(Row), fresh)
    if changes:
        await tx.session.execute(update(Row), changes)
    return len(fresh) + len(changes)


def _values(tx: Tx, connection: Held, vault: PersonVault, row_id: str, item: Item) -> dict[str, Any]:
    return {
        "id": row_id,
        "user_id": connection.user_id,
        "connection_id": connection.id,
        "source": connection.source,
        "external_id": item.external_id,
        "is_open": item.is_open,
        "content": vault.seal(item.content, Place("item", row_id, "content")),
        "detail": vault.seal(item.detail, Place("item", row_id, "detail")),
        "url": item.url,
        "due_on": item.due.on,
        "due_at": item.due.at,
        "due_floating": item.due.floating.isoformat() if item.due.floating else None,
        "deadline_on": item.deadline_on,
        "priority": item.priority,
        "is_recurring": item.is_recurring,
        "is_completable": item.is_completable,
        "minutes": item.minutes,
        "created_at": item.created_at or tx.now,
        "completed_at": item.completed_at,
    }


async def _mark_gone(tx: Tx, item_ids: Sequence[str]) -> None:
    if item_ids:
        await tx.session.execute(update(Row), [{"id": item_id, "is_open": False} for item_id in item_ids])


def moment(text: str) -> datetime:
    """Read an event's time."""
    return datetime.fromisoformat(text).astimezone(UTC)
