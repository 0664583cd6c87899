"""The outbox and the bus: facts are stored with what caused them, then handed to their handlers, also after a crash."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlmodel import Field, SQLModel, col

from oo_app.kit import log
from oo_app.kit.clock import Clock
from oo_app.kit.db import Database, Emitted, Tx, UtcDateTime
from oo_app.kit.ids import new_id
from oo_app.kit.metrics import Metrics

RING_LENGTH = 500
BATCH = 100
MOST_ATTEMPTS = 5
FIRST_PAUSE = timedelta(seconds=2)
IDLE_S = 5.0
KEPT = timedelta(days=30)

_log = log.get(__name__)


class Outbox(SQLModel, table=True):
    """One emitted fact. `done_at` is set when every handler has run; `is_parked` when one failed five times."""

    seq: int | None = Field(default=None, primary_key=True)
    id: str = Field(max_length=36, unique=True)
    user_id: str | None = Field(default=None, foreign_key="user.id", ondelete="CASCADE", index=True)
    subject: str = Field(max_length=80)
    payload: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    next_at: datetime = Field(sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    attempts: int = 0
    is_parked: bool = False


_INSERT = insert(SQLModel.metadata.tables["outbox"])
_DUE = (
    select(col(Outbox.seq), col(Outbox.id), col(Outbox.subject), col(Outbox.payload), col(Outbox.attempts))
    .where(
        col(Outbox.done_at).is_(None),
        col(Outbox.is_parked).is_(False),
        col(Outbox.next_at) <= bindparam("now", type_=UtcDateTime),
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


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many facts wait for their handlers, and how many were given up."""

    waiting: int
    parked: int


class Bus:
    """Delivers the outbox in order. One instance a process; handlers are bound once at the start."""

    def __init__(self, db: Database, clock: Clock, metrics: Metrics) -> None:
        """Listen for the database's commits."""
        self.ring: deque[Delivered] = deque(maxlen=RING_LENGTH)
        self._db = db
        self._clock = clock
        self._metrics = metrics
        self._listener: Listener | None = None
        self._handlers: Mapping[str, Sequence[Handler]] = {}
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        db.outbox = self._store
        db.committed = self._wake

    def bind(self, handlers: Mapping[str, Sequence[Handler]], listener: Listener | None = None) -> None:
        """Set who hears what: subject → handlers, and who is told of every fact as it is committed, without waiting."""
        self._handlers = handlers
        self._listener = listener

    async def start(self) -> None:
        """Deliver in the background until stopped."""
        self._task = asyncio.create_task(self._run(), name="oo-bus")

    async def stop(self) -> None:
        """Stop delivering; what is undelivered stays in the outbox."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def drain(self) -> int:
        """Deliver everything that is due now; return how many facts were handled."""
        total = 0
        while handled := await self._deliver_batch():
            total += handled
        return total

    async def purge(self) -> int:
        """Drop facts delivered more than thirty days ago; return how many."""
        async with self._db.begin() as tx:
            old = delete(Outbox).where(col(Outbox.done_at) < tx.now - KEPT)
            return len((await tx.session.execute(old.returning(col(Outbox.seq)))).all())

    async def backlog(self) -> Backlog:
        """Count what is not handled."""
        rows = await self._db.fetch(_BACKLOG, {})
        parked = sum(count for is_parked, count in rows if is_parked)
        return Backlog(sum(count for _, count in rows) - parked, parked)

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self.drain()
            except Exception:  # noqa: BLE001 -- the bus outlives a database that is gone for a moment
                _log.exception("bus.failed")
            try:
                await asyncio.wait_for(self._woken.wait(), IDLE_S)
            except TimeoutError:
                continue

    def _wake(self, facts: Sequence[Emitted]) -> None:
        if self._listener is not None:
            for fact in facts:
                self._listener(fact)
        if any(fact.subject in self._handlers for fact in facts):
            self._woken.set()

    async def _store(self, tx: Tx) -> None:
        rows: list[dict[str, Any]] = []
        for fact in tx.emitted:
            payload = fact.payload()
            heard = fact.subject in self._handlers
            rows.append(
                {
                    "id": new_id(tx.now),
                    "user_id": payload.get("user_id"),
                    "subject": fact.subject,
                    "payload": json.dumps(payload, separators=(",", ":")),
                    "created_at": tx.now,
                    "next_at": tx.now,
                    "done_at": None if heard else tx.now,
                    "attempts": 0,
                    "is_parked": False,
                }
            )
            self.ring.append(Delivered(rows[-1]["id"], fact.subject, payload))
        await tx.session.execute(_INSERT, rows)

    async def _deliver_batch(self) -> int:
        async with self._db.read() as session:
            rows = (await session.execute(_DUE, {"now": self._clock.now()})).all()
        for seq, event_id, subject, payload, attempts in rows:
            await self._deliver(seq, Delivered(event_id, subject, json.loads(payload)), attempts)
        return len(rows)

    async def _deliver(self, seq: int | None, fact: Delivered, attempts: int) -> None:
        try:
            for handler in self._handlers.get(fact.subject, ()):
                await handler(fact)
        except Exception as error:  # noqa: BLE001 -- one failing handler must not stop the others' facts
            parked = attempts + 1 >= MOST_ATTEMPTS
            self._metrics.handler_failures.labels(fact.subject).inc()
            _log.warning(
                "bus.handler_failed", subject=fact.subject, event_id=fact.id, cause=type(error).__name__, parked=parked
            )
            values = {
                "attempts": attempts + 1,
                "is_parked": parked,
                "next_at": self._clock.now() + FIRST_PAUSE * 2**attempts,
            }
        else:
            values = {"done_at": self._clock.now()}
        async with self._db.begin() as tx:
            await tx.session.execute(update(Outbox).where(col(Outbox.seq) == seq).values(**values))
