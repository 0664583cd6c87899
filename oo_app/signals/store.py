"""Storing a reading: what it changes goes in by parts, each whole in itself, and the cursor moves with the last."""

import asyncio
from collections.abc import Generator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, delete, exists, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlmodel import SQLModel, col

from oo_app.accounts import suggest_time_zone
from oo_app.connections import Held, mark_read, seal_place, still_held
from oo_app.events import CalendarSynced, TaskCompleted, TasksSynced
from oo_app.kit.db import Tx
from oo_app.runtime import Runtime
from oo_app.signals.deliveries import Hints, is_left, mark_worked
from oo_app.signals.merge import Changes, Fact, Known, Reading, compared
from oo_app.signals.models import CalendarEvent, Closing, Completion, Item
from oo_app.sources import Due, Pull

PART = 500  # rows written at once: somebody who reacts meanwhile waits for no more than that
MOST_NAMED = 500  # rows looked up by name; more are cheaper read all at once

_INSERT_ITEMS = insert(SQLModel.metadata.tables["item"])
_INSERT_EVENTS = insert(SQLModel.metadata.tables["calendar_event"])


async def store(rt: Runtime, connection: Held, pull: Pull, hints: Hints) -> None:
    """Store a reading. Broken off in between, it is made again from the same cursor, and comes to the same.

    NotFound when the grant is gone or replaced meanwhile.
    """
    vault = await rt.vault.for_user(connection.user_id)
    known_as = rt.vault.lookups(f"{connection.source}:{pull.owner.external_id}") if pull.owner else ()
    owner_hash = known_as[0] if known_as else connection.owner_hash
    # Connected anew with another account: nothing of the old one stays.
    is_other_owner = bool(pull.is_full and connection.owner_hash and known_as and connection.owner_hash not in known_as)
    if is_other_owner:
        await _forget(rt, connection)
    known, events = await _known(rt, connection, pull, hints), await _known_events(rt, connection, pull)
    reading = Reading(connection, vault, known, events, pull, hints.completions, rt.clock.now())
    # Sealing 10 000 items takes about a third of a second, so neither the loop nor the database waits for it.
    changes = await asyncio.to_thread(compared, reading)
    cursor = vault.seal(pull.cursor, seal_place(connection.id))
    for part in _parts(changes):
        async with rt.db.begin() as tx:
            await still_held(tx, connection)
            await _write(tx, part)
    async with rt.db.begin() as tx:
        is_due_again = await is_left(tx, connection.id, hints)
        await mark_read(tx, rt, connection, cursor=cursor, owner_hash=owner_hash, is_due_again=is_due_again)
        await mark_worked(tx, hints)
        if connection.cursor is None:
            await _hasten_closes(tx, connection.id)
        if pull.owner and pull.owner.time_zone:
            await suggest_time_zone(tx, connection.user_id, pull.owner.time_zone)
        if changes.items or changes.facts or is_other_owner:
            tx.emit(TasksSynced(connection.user_id, connection.id, changes.items, pull.is_full))
        if changes.events:
            tx.emit(CalendarSynced(connection.user_id, connection.id, changes.events, pull.is_full))


async def _forget(rt: Runtime, connection: Held) -> None:
    async with rt.db.begin() as tx:
        await still_held(tx, connection)
        for table in (Item, CalendarEvent, Completion):
            await tx.session.execute(delete(table).where(col(table.connection_id) == connection.id))


async def _hasten_closes(tx: Tx, connection_id: str) -> None:
    """Send at once what waited for a grant that has now been read."""
    waiting = (col(Closing.connection_id) == connection_id, col(Closing.done_at).is_(None), col(Closing.attempts) > 0)
    await tx.session.execute(update(Closing).where(*waiting).values(next_at=tx.now))


async def _known(rt: Runtime, connection: Held, pull: Pull, hints: Hints) -> Mapping[str, Known]:
    """Return the rows that a reading may touch: all of them, or only those it tells of."""
    names = {item.external_id for item in pull.items} | {
        each.external_id for each in (*pull.completions, *hints.completions)
    }
    if not (names or pull.is_full):
        return {}
    closed = and_(col(Closing.item_id) == col(Item.id), col(Closing.done_at).is_not(None), ~col(Closing.is_refused))
    if connection.last_read_at is not None:
        closed = and_(closed, col(Closing.done_at) >= connection.last_read_at)
    query = select(
        col(Item.external_id),
        col(Item.id),
        col(Item.is_open),
        col(Item.created_at),
        col(Item.changed_at),
        col(Item.completed_at),
        col(Item.completed_count),
        col(Item.postponed),
        col(Item.due_on),
        col(Item.due_at),
        col(Item.due_floating),
        exists().where(closed),
    ).where(col(Item.connection_id) == connection.id)
    if not pull.is_full and len(names) <= MOST_NAMED:
        query = query.where(col(Item.external_id).in_(names))
    async with rt.db.read() as session:
        rows: Sequence[Any] = (await session.execute(query)).all()
    return {row[0]: Known(*row[1:8], due=_due(*row[8:11]), is_ours=row[11]) for row in rows}


def _due(on: date | None, at: datetime | None, floating: str | None) -> Due:
    return Due(on=on, at=at, floating=datetime.fromisoformat(floating) if floating else None)


async def _known_events(rt: Runtime, connection: Held, pull: Pull) -> Mapping[str, str]:
    if not (pull.events or pull.is_full):
        return {}
    query = select(col(CalendarEvent.external_id), col(CalendarEvent.id)).where(
        col(CalendarEvent.connection_id) == connection.id
    )
    if not pull.is_full and len(pull.events) <= MOST_NAMED:
        query = query.where(col(CalendarEvent.external_id).in_([event.external_id for event in pull.events]))
    async with rt.db.read() as session:
        return {row[0]: row[1] for row in (await session.execute(query)).all()}


def _parts(changes: Changes) -> Generator[Changes]:
    """Cut changes into parts, rows before the completions that point at them."""
    for name in ("fresh", "changed", "gone", "facts", "fresh_events", "changed_events", "gone_events"):
        rows = getattr(changes, name)
        for start in range(0, len(rows), PART):
            yield Changes(**{name: rows[start : start + PART]})


async def _write(tx: Tx, part: Changes) -> None:
    if part.fresh:
        await tx.session.execute(_INSERT_ITEMS, [*part.fresh])
    if part.changed:
        await tx.session.execute(update(Item), [*part.changed])
    if part.gone:
        await tx.session.execute(update(Item), [{"id": item_id, "is_open": False} for item_id in part.gone])
    if part.facts:
        await _note(tx, part.facts)
    if part.fresh_events:
        await tx.session.execute(_INSERT_EVENTS, [*part.fresh_events])
    if part.changed_events:
        await tx.session.execute(update(CalendarEvent), [*part.changed_events])
    if part.gone_events:
        await tx.session.execute(delete(CalendarEvent).where(col(CalendarEvent.id).in_(part.gone_events)))


async def _note(tx: Tx, facts: Sequence[Fact]) -> None:
    """Store completions, each once, and tell those that are news: whoever found one first has told it."""
    new = upsert(Completion).values([fact.row for fact in facts]).on_conflict_do_nothing()
    stored = set((await tx.session.execute(new.returning(col(Completion.id)))).scalars())
    for fact in facts:
        if fact.is_news and fact.row["item_id"] and fact.row["id"] in stored:
            tx.emit(TaskCompleted(fact.row["user_id"], fact.row["item_id"], fact.row["at"].isoformat()))
