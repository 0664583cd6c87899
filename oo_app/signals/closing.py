"""Completions on their way to a source: delayed by the undo window, idempotent, retried until they succeed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, delete, func, select, update
from sqlmodel import col

from oo_app.connections import Held, source_of, sources_by_name, wished, with_access
from oo_app.kit import log
from oo_app.kit.db import Tx
from oo_app.kit.errors import NotFound, ReconnectNeeded, SourceDown
from oo_app.kit.ids import made_at, new_id
from oo_app.runtime import Runtime
from oo_app.signals.models import Closing, Item
from oo_app.signals.sync import spawn_sync
from oo_app.sources import CompletionRefused, Door

BATCH = 50
CLAIMED_FOR = timedelta(minutes=2)  # longer than any call with all its retries
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=15)
RECONNECT_PAUSE = timedelta(minutes=5)

_BACKLOG = select(func.count(), func.min(col(Closing.id))).where(col(Closing.done_at).is_(None))

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many completions wait, and how long ago the oldest of them was asked for."""

    waiting: int
    oldest: timedelta


async def schedule_close(tx: Tx, item_id: str, *, at: datetime) -> str | None:
    """Plan the completion of an open item; return its id, or None when the item is closed already."""
    item = await tx.session.get(Item, item_id)
    if item is None or not item.is_open or await _is_planned(tx, item_id):
        return None
    closing_id = str(UUID(new_id(tx.now)))
    tx.session.add(
        Closing(
            id=closing_id,
            user_id=item.user_id,
            item_id=item.id,
            connection_id=item.connection_id,
            external_id=item.external_id,
            next_at=at,
        )
    )
    return closing_id


async def _is_planned(tx: Tx, item_id: str) -> bool:
    query = select(col(Closing.id)).where(col(Closing.item_id) == item_id, col(Closing.done_at).is_(None)).limit(1)
    return (await tx.session.execute(query)).scalar_one_or_none() is not None


async def cancel_close(tx: Tx, closing_id: str) -> bool:
    """Take a planned completion back; False once it has left."""
    query = delete(Closing).where(col(Closing.id) == closing_id, col(Closing.is_claimed).is_(False))
    return (await tx.session.execute(query.returning(col(Closing.id)))).scalar_one_or_none() is not None


async def spawn_due_closes(rt: Runtime) -> None:
    """Start sending what is due; each by itself, so that a slow source delays nobody."""
    for closing_id in await _due(rt):
        rt.jobs.spawn(f"close:{closing_id}", lambda closing_id=closing_id: deliver_close(rt, closing_id))


async def resume_closes(rt: Runtime) -> None:
    """Send again at once what was on its way when the process ended; called before anything is sent."""
    async with rt.db.begin() as tx:
        under_way = (col(Closing.is_claimed).is_(True), col(Closing.done_at).is_(None))
        await tx.session.execute(update(Closing).where(*under_way).values(next_at=tx.now))


async def deliver_closes(rt: Runtime) -> None:
    """Send what is due, one after the other."""
    for closing_id in await _due(rt):
        await deliver_close(rt, closing_id)


async def deliver_close(rt: Runtime, closing_id: str) -> None:
    """Claim and send one completion; on failure plan the next try."""
    closing = await _claim(rt, closing_id)
    if closing is None:
        return

    source = await source_of(rt, closing.connection_id)
    rt.metrics.closes.labels(source, await _sent(rt, closing)).inc()


async def _sent(rt: Runtime, closing: Closing) -> str:
    """Send a claimed completion; return what came of it."""
    came_of_it = "done"

    async def call(door: Door, connection: Held) -> None:
        nonlocal came_of_it
        if connection.cursor is None:  # a new grant, perhaps to another account: its first reading comes before
            raise SourceDown(None, cause="not read yet")
        try:
            await sources_by_name()[connection.source].complete(door, closing.external_id, closing.id)
        except CompletionRefused as refused:
            _log.warning("close.refused", closing_id=closing.id, cause=str(refused))
            await _mark_refused(rt, closing)
            came_of_it = "refused"
            return
        # Stored while the connection is held, so that a reading that began before cannot reopen the item.
        await _mark_done(rt, closing)

    try:
        await with_access(rt, closing.connection_id, call)
    except SourceDown as error:
        pause = min(FIRST_PAUSE * 2 ** min(closing.attempts, 10), LONGEST_PAUSE)
        await _again(rt, closing, max(pause, wished(error.retry_after)))
        return "down"
    except ReconnectNeeded:
        await _again(rt, closing, RECONNECT_PAUSE)
        return "needs_attention"
    except NotFound:
        return "gone"  # disconnected meanwhile; the row went with the connection
    spawn_sync(rt, closing.connection_id)
    return came_of_it


async def waiting(rt: Runtime, user_id: str) -> Mapping[str, int]:
    """Count, for each source, the completions that it has not taken at the first try."""
    pending = (col(Closing.done_at).is_(None), col(Closing.attempts) > 0)
    return await _by_source(rt, select(col(Item.source), func.count()).where(*pending), user_id)


async def refused(rt: Runtime, user_id: str) -> Mapping[str, int]:
    """Count, for each source, the completions that it will never take, of items that are still open there."""
    never = (col(Closing.is_refused), col(Item.is_open).is_(True))
    return await _by_source(
        rt, select(col(Item.source), func.count(col(Closing.item_id).distinct())).where(*never), user_id
    )


async def _by_source(rt: Runtime, query: Select[str, int], user_id: str) -> Mapping[str, int]:
    joined = query.select_from(Closing).join(Item, col(Item.id) == col(Closing.item_id))
    mine = joined.where(col(Closing.user_id) == user_id).group_by(col(Item.source))
    async with rt.db.read() as session:
        return {row[0]: row[1] for row in (await session.execute(mine)).all()}


async def backlog(rt: Runtime) -> Backlog:
    """Count everybody's completions that no source has taken yet, also those whose undo time still runs."""
    count, oldest = (await rt.db.fetch(_BACKLOG, {}))[0]
    return Backlog(count, rt.clock.now() - made_at(oldest) if oldest else timedelta(0))


async def drop_uncertain(rt: Runtime) -> int:
    """Drop unsent completions of recurring tasks, and return how many: after a restore, they may have been sent before.

    Sent twice, one would complete the next occurrence, should the source have forgotten the command's id by now; a task
    that does not recur is completed once, however often that is said.
    """
    recurring = select(col(Item.id)).where(col(Item.is_recurring))
    unsent = delete(Closing).where(col(Closing.done_at).is_(None), col(Closing.item_id).in_(recurring))
    async with rt.db.begin() as tx:
        return len((await tx.session.execute(unsent.returning(col(Closing.id)))).all())


async def _due(rt: Runtime) -> list[str]:
    async with rt.db.read() as session:
        query = (
            select(col(Closing.id))
            .where(col(Closing.done_at).is_(None), col(Closing.next_at) <= rt.clock.now())
            .order_by(col(Closing.next_at))
            .limit(BATCH)
        )
        return list((await session.execute(query)).scalars().all())


async def _claim(rt: Runtime, closing_id: str) -> Closing | None:
    async with rt.db.begin() as tx:
        row = await tx.session.get(Closing, closing_id)
        if row is None or row.done_at is not None or row.next_at > tx.now:
            return None
        row.is_claimed = True
        row.next_at = tx.now + CLAIMED_FOR
        tx.session.add(row)
    return row


async def _mark_done(rt: Runtime, closing: Closing) -> None:
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Closing).where(col(Closing.id) == closing.id).values(done_at=tx.now))
        await tx.session.execute(update(Item).where(col(Item.id) == closing.item_id).values(is_open=False))


async def _mark_refused(rt: Runtime, closing: Closing) -> None:
    """Keep what the source will never take, so that the person can be told; it is no tip any more."""
    async with rt.db.begin() as tx:
        values = {"done_at": tx.now, "is_refused": True}
        await tx.session.execute(update(Closing).where(col(Closing.id) == closing.id).values(**values))
        await tx.session.execute(update(Item).where(col(Item.id) == closing.item_id).values(is_completable=False))


async def _again(rt: Runtime, closing: Closing, pause: timedelta) -> None:
    async with rt.db.begin() as tx:
        values = {"attempts": closing.attempts + 1, "next_at": tx.now + pause}
        await tx.session.execute(update(Closing).where(col(Closing.id) == closing.id).values(**values))
    if closing.attempts == 0:
        _log.warning("close.waits", closing_id=closing.id, connection_id=closing.connection_id)
