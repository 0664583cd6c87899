"""Sends the outbox to NATS JetStream: at least once, one person's facts in order, from where it last came to.

NATS is never needed to serve: while it is away facts wait in the outbox, and how far the mirror has come is in the
database. What the server speaks is `jetstream.py`'s business, which is imported only when there is something to mirror.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlmodel import col

from oo_app.kit import log
from oo_app.kit.bus import Bus, Delivered
from oo_app.kit.clock import Clock
from oo_app.kit.db import Database
from oo_app.kit.errors import Unavailable
from oo_app.kit.metrics import Metrics
from oo_app.kit.outbox import PROGRESS, Mirrored, Outbox
from oo_app.kit.tail import Tail

if TYPE_CHECKING:
    from oo_app.kit.mirror.jetstream import JetStream

# A catch-up shares the loop with serving: with these the loop woke 10 ms late (p99), with 64 people at once 170 ms, and
# no event came sooner for it.
PAGE = 250
PEOPLE_AT_ONCE = 16
IDLE_S = 1.0
LINGER_S = 0.05
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0

_log = log.get(__name__)

_AFTER = (
    select(
        col(Outbox.seq),
        col(Outbox.id),
        col(Outbox.user_id),
        col(Outbox.subject),
        col(Outbox.version),
        col(Outbox.payload),
        col(Outbox.created_at),
    )
    .where(col(Outbox.seq) > bindparam("after"))
    .order_by(col(Outbox.seq))
    .limit(PAGE)
)
_IS_LEFT = col(Outbox.seq) > PROGRESS.scalar_subquery()
_OLDEST = select(col(Outbox.created_at)).where(_IS_LEFT).order_by(col(Outbox.seq)).limit(1)
_LAG = select(select(func.count()).select_from(Outbox).where(_IS_LEFT).scalar_subquery(), _OLDEST.scalar_subquery())


class MirrorDown(Unavailable):
    """NATS does not answer, or refuses; `cause` among the facts says in one word why."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of JetStream, and how the subjects that it keeps begin."""

    name: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact as it is stored; `payload` is JSON."""

    seq: int
    id: str
    user_id: str | None
    subject: str
    version: int
    payload: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Lag:
    """How many facts the mirror has still to take, and how long the oldest has waited."""

    events: int
    seconds: float


Encode = Callable[[Recorded], bytes | None]


class Mirror:
    """Mirrors in the background while this process is the one to do so. One instance a process."""

    def __init__(self, db: Database, clock: Clock, metrics: Metrics, url: str) -> None:
        """Remember where NATS is; nothing is connected yet."""
        self._db = db
        self._clock = clock
        self._metrics = metrics
        self._url = url
        self._streams: Sequence[Stream] = ()
        self._encode: Encode = lambda _: None
        self._task: asyncio.Task[None] | None = None
        self._acknowledged: set[int] = set()
        self._told: tuple[str, ...] = ()
        self._is_broken = False

    def bind(self, streams: Sequence[Stream], encode: Encode) -> None:
        """Set what is mirrored where, and how a fact is written; one that no stream keeps is passed over."""
        self._streams = streams
        self._encode = encode

    async def start(self, bus: Bus, is_owner: Callable[[], bool] = lambda: True) -> None:
        """Mirror in the background until stopped, while this process is the one to do so."""
        self._task = asyncio.create_task(self._run(bus, is_owner), name="oo-mirror")

    async def stop(self) -> None:
        """Stop mirroring; what is not acknowledged stays in the outbox."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def lag(self) -> Lag:
        """Count what is not mirrored yet."""
        ((events, oldest),) = await self._db.fetch(_LAG, {})
        return Lag(events, (self._clock.now() - oldest).total_seconds() if oldest else 0.0)

    async def look(self) -> tuple[str, ...]:
        """Connect, make the streams that are not there, and return what is not as it should be."""
        async with self._connected() as server:
            return await server.declare(self._streams)

    async def _run(self, bus: Bus, is_owner: Callable[[], bool]) -> None:
        pause = IDLE_S
        while True:
            if is_owner():
                try:
                    await self._mirror(bus, is_owner)
                except Exception as error:  # noqa: BLE001 -- it outlives whatever becomes of NATS, and of its client
                    pause = min(pause * 2, LONGEST_PAUSE_S) if self._is_broken else FIRST_PAUSE_S
                    self._break(error)
            await asyncio.sleep(pause if self._is_broken else IDLE_S)

    async def _mirror(self, bus: Bus, is_owner: Callable[[], bool]) -> None:
        """Publish what is stored and what comes, until the connection breaks or another process is to do it."""
        try:
            async with self._connected() as server:
                self._tell(await server.declare(self._streams))
                with bus.tail(0) as tail:
                    while is_owner():
                        tail.clear()
                        if await self._publish_page(server) < PAGE:
                            await self._wait(server, tail)
        finally:
            self._metrics.mirror_is_up.set(0)

    async def _wait(self, server: "JetStream", tail: Tail[Delivered]) -> None:
        """Wait for a fact of ours; another process's is noticed a second later."""
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S):
                await server.or_lost(tail.next())
                await asyncio.sleep(LINGER_S)  # what comes together is noted together

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator["JetStream"]:
        from oo_app.kit.mirror.jetstream import connected  # noqa: PLC0415 -- 0.2 s that only who mirrors pays for

        async with connected(self._url) as server:
            yield server

    async def _publish_page(self, server: "JetStream") -> int:
        """Publish the next facts, note how far all are acknowledged, and return how many there were."""
        after = (await self._db.fetch(PROGRESS, {}))[0][0]
        facts = [Recorded(row[0] or 0, *row[1:]) for row in await self._db.fetch(_AFTER, {"after": after})]
        if not facts:
            self._heal()
            return 0
        self._acknowledged = {seq for seq in self._acknowledged if seq > after}
        lanes: dict[str, list[Recorded]] = {}
        for fact in facts:
            if fact.seq not in self._acknowledged:
                lanes.setdefault(fact.user_id or "", []).append(fact)
        slots = asyncio.Semaphore(PEOPLE_AT_ONCE)
        try:
            await server.or_lost(_all(self._lane(server, lane, slots) for lane in lanes.values()))
        finally:
            await self._note(facts)
        self._heal()
        return len(facts)

    async def _lane(self, server: "JetStream", facts: Sequence[Recorded], slots: asyncio.Semaphore) -> None:
        """Publish one person's facts, each when the one before is acknowledged, so that order holds whatever fails."""
        async with slots:
            for fact in facts:
                stream = next((each for each in self._streams if fact.subject.startswith(each.prefix)), None)
                body = self._encode(fact) if stream else None
                if stream and body is not None:
                    is_new = await server.publish(stream.name, fact.subject, fact.id, body)
                    self._metrics.mirrored.labels(stream.name, "new" if is_new else "duplicate").inc()
                self._acknowledged.add(fact.seq)

    async def _note(self, facts: Sequence[Recorded]) -> None:
        """Move the mark to before the first fact that is not acknowledged; never back."""
        missing = next((at for at, fact in enumerate(facts) if fact.seq not in self._acknowledged), len(facts))
        if not missing:
            return
        row = {"id": 1, "seq": facts[missing - 1].seq, "at": self._clock.now()}
        moved = upsert(Mirrored).values(row)
        async with self._db.begin() as tx:
            await tx.session.execute(
                moved.on_conflict_do_update(index_elements=["id"], set_=row, where=col(Mirrored.seq) < row["seq"])
            )

    def _tell(self, differing: tuple[str, ...]) -> None:
        for said in differing:
            if said not in self._told:
                _log.warning("mirror.stream_differs", said=said)
        self._told = differing

    def _break(self, error: Exception) -> None:
        cause = str(error.facts["cause"]) if isinstance(error, MirrorDown) else type(error).__name__
        self._metrics.mirror_failures.labels(cause).inc()
        if not self._is_broken:
            _log.warning("mirror.broken", cause=cause, exc_info=not isinstance(error, MirrorDown))
        self._is_broken = True

    def _heal(self) -> None:
        self._metrics.mirror_is_up.set(1)
        if self._is_broken:
            _log.info("mirror.healed")
        self._is_broken = False


async def _all(lanes: Iterable[Awaitable[None]]) -> None:
    """Let every lane come to its end, then raise what the first of them failed with."""
    for failed in await asyncio.gather(*lanes, return_exceptions=True):
        if failed:
            raise failed
