"""Reading a source: pull → what changed → rows, idempotent; when connections are read, and how many at once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter

from sqlalchemy import select
from sqlmodel import col

from oo_app.connections import (
    Held,
    Reading,
    claim_due,
    mark_failed,
    source_of,
    sources_by_name,
    with_access,
)
from oo_app.kit.errors import NotFound, RateLimited, ReconnectNeeded, SourceDown
from oo_app.runtime import Runtime
from oo_app.signals.channels import keep_channel
from oo_app.signals.deliveries import hinted
from oo_app.signals.models import Closing
from oo_app.signals.store import store
from oo_app.sources import SOURCES, Door

FRESH_FOR = timedelta(seconds=30)
SYNC = "sync:"  # before a connection's id: the name of its reading
MOST_AT_ONCE = 200  # readings under way; one that hangs keeps its place for a minute and a half at most
HEAD_ROOM = 0.8  # the share of a source's budget for readings nobody waits for
SOURCE_RESTS_S = 60.0  # where a source that we asked too often does not say for how long


async def sync(rt: Runtime, connection_id: str) -> bool:
    """Read one connection and store what changed; False when the source could not be read (it is tried again later).

    The grant is held from asking to storing, so that an older answer can never overwrite a newer one.
    """
    began = perf_counter()
    source = await source_of(rt, connection_id)
    outcome = await _read(rt, connection_id, source)
    rt.metrics.syncs.labels(source, outcome).observe(perf_counter() - began)
    return outcome == "read"


async def _read(rt: Runtime, connection_id: str, name: str) -> str:
    async def call(door: Door, connection: Held) -> None:
        source = sources_by_name()[connection.source]
        async with rt.jobs.turn:
            waiting = await hinted(rt, connection, source)
        pull = await source.pull(door, connection.cursor)
        async with rt.jobs.turn:
            await store(rt, connection, pull, waiting)
        await keep_channel(rt, connection, source, door)

    try:
        await with_access(rt, connection_id, call)
    except SourceDown as error:
        if isinstance(error, RateLimited) and error.is_for_all:
            rt.limits.readings.rest(name, error.retry_after or SOURCE_RESTS_S)
        cause = str(error.facts.get("cause") or error.facts.get("status") or type(error).__name__)
        await mark_failed(rt, connection_id, retry_after=error.retry_after, cause=cause)
        return "limited" if isinstance(error, RateLimited) else "down"
    except ReconnectNeeded:
        return "refused"
    except NotFound:
        return "gone"
    return "read"


async def sync_due(rt: Runtime) -> int:
    """Start reading the connections whose time has come; each by itself, so that a slow one delays nobody.

    Return how many; each source within its own budget, so that one with many connections does not hold up another.
    """
    started = 0
    for source in SOURCES:
        room = MOST_AT_ONCE - rt.jobs.running(SYNC)
        share = rt.limits.readings.share(source.name, source.budget.per_minute * HEAD_ROOM, room)
        for connection_id in await claim_due(rt, source.name, share) if share else ():
            spawn_sync(rt, connection_id)
            started += 1
    return started


def spawn_sync(rt: Runtime, connection_id: str) -> None:
    """Read a connection in the background, unless that is going on already."""
    rt.jobs.spawn(f"{SYNC}{connection_id}", lambda: sync(rt, connection_id))


async def first_reading(rt: Runtime, connection_id: str, *, wait_s: float) -> int:
    """Read a new connection, waiting a little, so that the first tip is there when the person asks for it.

    Return how many completions were dropped because the connection now leads to another account.
    """
    before = await _planned(rt, connection_id)
    spawn_sync(rt, connection_id)
    await rt.jobs.wait([f"{SYNC}{connection_id}"], wait_s)
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
        and not rt.limits.readings.rests(reading.source)
    ]


async def refresh(rt: Runtime, known: Sequence[Reading], *, wait_s: float) -> None:
    """Read the given connections in the background, waiting at most that long for it."""
    for reading in known:
        spawn_sync(rt, reading.connection_id)
    if known and wait_s > 0:
        await rt.jobs.wait([f"{SYNC}{reading.connection_id}" for reading in known], wait_s)


def moment(text: str) -> datetime:
    """Read an event's time."""
    return datetime.fromisoformat(text).astimezone(UTC)
