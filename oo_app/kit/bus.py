"""The bus: hands stored facts to their handlers, also after a crash, and tells what is committed.

One person's facts are delivered one after the other, in the order they happened; those of several people side by side.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlmodel import col

from oo_app.kit import log, outbox
from oo_app.kit.clock import Clock
from oo_app.kit.db import Database, Emitted, Tx, UtcDateTime
from oo_app.kit.metrics import Metrics
from oo_app.kit.outbox import MOST_ROWS, Outbox, Purged
from oo_app.kit.tail import Tail

RING_LENGTH = 500
BATCH = 100
SIDE_BY_SIDE = 8
HANDLER_S = 30.0
MOST_ATTEMPTS = 5
FIRST_PAUSE = timedelta(seconds=2)
IDLE_S = 1.0  # what another process stored is noticed after that at the latest

_log = log.get(__name__)

_WAITS = (col(Outbox.done_at).is_(None), col(Outbox.is_parked).is_(False))
_NOW = bindparam("now", type_=UtcDateTime)
# Whoever's earlier fact waits for its next attempt; usually nobody.
_HELD = select(col(Outbox.user_id)).where(*_WAITS, col(Outbox.next_at) > _NOW, col(Outbox.user_id).is_not(None))
_DUE = (
    select(
        col(Outbox.seq),
        col(Outbox.id),
        col(Outbox.user_id),
        col(Outbox.subject),
        col(Outbox.payload),
        col(Outbox.attempts),
        col(Outbox.created_at),
    )
    .where(
        *_WAITS,
        col(Outbox.next_at) <= _NOW,
        func.coalesce(col(Outbox.user_id), col(Outbox.id)).not_in(bindparam("busy", expanding=True)),
        col(Outbox.user_id).is_(None) | col(Outbox.user_id).not_in(_HELD),
    )
    .order_by(col(Outbox.seq))
    .limit(BATCH)
)
_BACKLOG = (
    select(col(Outbox.is_parked), func.count()).where(col(Outbox.done_at).is_(None)).group_by(col(Outbox.is_parked))
)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A fact as a handler gets it. Handlers may be called more than once with the same id."""

    id: str
    subject: str
    payload: Mapping[str, Any]


Handler = Callable[[Delivered], Awaitable[None]]
Listener = Callable[[Emitted], None]
Parking = Callable[[Delivered], Emitted]


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many facts wait for their handlers, and how many were given up."""

    waiting: int
    parked: int


@dataclass(frozen=True, slots=True)
class _Due:
    """A fact to be delivered."""

    seq: int
    fact: Delivered
    attempts: int
    created_at: datetime


class Bus:
    """Delivers the outbox. One instance a process; handlers are bound once at the start."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        metrics: Metrics,
        *,
        handler_s: float = HANDLER_S,
        most_rows: int = MOST_ROWS,
    ) -> None:
        """Listen for the database's commits. A handler that takes longer than `handler_s` has failed; more than
        `most_rows` facts are not kept.
        """
        self.ring: deque[Delivered] = deque(maxlen=RING_LENGTH)
        self._db = db
        self._clock = clock
        self._metrics = metrics
        self._handler_s = handler_s
        self._most_rows = most_rows
        self._listener: Listener | None = None
        self._parking: Parking | None = None
        self._handlers: Mapping[str, Sequence[Handler]] = {}
        self._tails: set[Tail[Delivered]] = set()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE)
        self._done: list[int] = []
        self._broken: list[BaseException] = []
        db.outbox = self._store

    def bind(
        self,
        handlers: Mapping[str, Sequence[Handler]],
        listener: Listener | None = None,
        parking: Parking | None = None,
    ) -> None:
        """Set who hears what: subject → handlers. `listener` is told of every fact as it is committed, without
        waiting; `parking` makes the fact that one was given up.
        """
        self._handlers = handlers
        self._listener = listener
        self._parking = parking

    @contextmanager
    def tail(self, replayed: int) -> Generator[Tail[Delivered]]:
        """Give what is committed: so many of the ring's last facts first, then each as it comes."""
        first = [*self.ring][len(self.ring) - min(replayed, len(self.ring)) :]
        tail = Tail(RING_LENGTH, first)
        self._tails.add(tail)
        try:
            yield tail
        finally:
            self._tails.discard(tail)

    async def start(self, is_owner: Callable[[], bool] = lambda: True) -> None:
        """Deliver in the background until stopped, while this process is the one to do so."""
        self._task = asyncio.create_task(self._run(is_owner), name="oo-bus")

    async def stop(self) -> None:
        """Stop delivering; what is undelivered stays in the outbox."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._record()

    async def drain(self, is_owner: Callable[[], bool] = lambda: True) -> int:
        """Deliver until nothing is due; return how many facts that were. What a failure leaves is due again."""
        try:
            return await self._deliver(is_owner)
        finally:
            await self._abandon()

    async def purge(self, *, has_mirror: bool) -> Purged:
        """Drop what was handled and had its time."""
        return await outbox.purge(self._db, has_mirror=has_mirror, most_rows=self._most_rows)

    async def backlog(self) -> Backlog:
        """Count what is not handled."""
        rows = await self._db.fetch(_BACKLOG, {})
        parked = sum(count for is_parked, count in rows if is_parked)
        return Backlog(sum(count for _, count in rows) - parked, parked)

    async def _run(self, is_owner: Callable[[], bool]) -> None:
        while True:
            self._woken.clear()
            try:
                await self.drain(is_owner)
            except Exception:  # noqa: BLE001 -- the bus outlives a database that is gone for a moment
                _log.exception("bus.failed")
            await self._wait()

    async def _wait(self) -> None:
        """Wait for a fact or the end of a lane; after a second a retry may have come due."""
        # Not wait_for, which in Python 3.11 forgets that it was cancelled when what it waits for comes just then.
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S):
                await self._woken.wait()

    async def _store(self, tx: Tx) -> Callable[[], None]:
        ids = await outbox.store(tx, self._handlers)
        return lambda: self._announce(tx.emitted, ids)

    def _announce(self, facts: Sequence[Emitted], ids: Sequence[str]) -> None:
        for fact, event_id in zip(facts, ids, strict=True):
            told = Delivered(event_id, fact.subject, fact.payload())
            self.ring.append(told)
            for tail in self._tails:
                tail.put(told)
            if self._listener is not None:
                self._listener(fact)
        if any(fact.subject in self._handlers for fact in facts):
            self._woken.set()

    async def _deliver(self, is_owner: Callable[[], bool]) -> int:
        """Keep up to eight lanes delivering until nothing is due; return how many facts that were."""
        total = 0
        while True:
            self._woken.clear()
            dealt = 0
            if len(self._lanes) < SIDE_BY_SIDE:
                await self._record()
                dealt = await self._deal() if is_owner() else 0
            total += dealt
            if not (self._lanes or dealt or self._done):
                return total
            await self._wait()
            if self._broken:
                raise self._broken.pop()

    async def _deal(self) -> int:
        """Give what is due to a lane for each person, but to nobody's second; return how many facts."""
        rows = await self._db.fetch(_DUE, {"now": self._clock.now(), "busy": [*self._lanes]})
        lanes: dict[str, list[_Due]] = {}
        handled = set(self._done)  # by lanes that ended since the last record
        for seq, event_id, user_id, subject, payload, attempts, created_at in rows:
            if seq in handled:
                continue
            due = _Due(seq or 0, Delivered(event_id, subject, json.loads(payload)), attempts, created_at)
            lanes.setdefault(user_id or event_id, []).append(due)
        for key, facts in lanes.items():
            self._lanes[key] = task = asyncio.create_task(self._lane(facts), name="oo-bus-lane")
            task.add_done_callback(lambda task, key=key: self._ended(key, task))
        return sum(map(len, lanes.values()))

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._lanes.pop(key, None)
        if not task.cancelled() and (error := task.exception()):
            self._broken.append(error)
        self._woken.set()

    async def _lane(self, facts: Sequence[_Due]) -> None:
        async with self._slots:
            for due in facts:
                if not await self._hand(due):
                    return  # what came after it waits, so that order holds

    async def _hand(self, due: _Due) -> bool:
        """Let every handler have a fact, and tell whether all took it."""
        try:
            for handler in self._handlers.get(due.fact.subject, ()):
                async with self._clock.timeout(self._handler_s):
                    await handler(due.fact)
        except Exception as error:  # noqa: BLE001 -- one failing handler must not stop the others' facts
            await self._fail(due, type(error).__name__)
            return False
        self._metrics.event_delays.observe((self._clock.now() - due.created_at).total_seconds())
        self._done.append(due.seq)
        return True

    async def _fail(self, due: _Due, cause: str) -> None:
        """Let a fact wait for its next attempt, or give it up."""
        fact, is_parked = due.fact, due.attempts + 1 >= MOST_ATTEMPTS
        self._metrics.handler_failures.labels(fact.subject).inc()
        _log.warning("bus.handler_failed", subject=fact.subject, event_id=fact.id, cause=cause, parked=is_parked)
        async with self._db.begin() as tx:
            waiting = update(Outbox).where(col(Outbox.seq) == due.seq)
            await tx.session.execute(
                waiting.values(
                    attempts=due.attempts + 1, is_parked=is_parked, next_at=tx.now + FIRST_PAUSE * 2**due.attempts
                )
            )
            if is_parked and self._parking:
                tx.emit(self._parking(fact))

    async def _record(self) -> None:
        """Note what was handled, in one transaction for all of it; a crash before that delivers it again."""
        if not self._done:
            return
        seqs = [*self._done]
        async with self._db.begin() as tx:
            done = update(Outbox).where(col(Outbox.seq).in_(seqs)).values(done_at=tx.now)
            await tx.session.execute(done)
        del self._done[: len(seqs)]

    async def _abandon(self) -> None:
        lanes = [*self._lanes.values()]
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
