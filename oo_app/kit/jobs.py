"""Things that run by the clock: APScheduler around plain functions, one run at a time each, by one process only."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # pyright: ignore[reportMissingTypeStubs]
from sqlalchemy import Index, func, or_, select
from sqlmodel import Field, SQLModel, col

from oo_app.kit import log
from oo_app.kit.clock import Clock
from oo_app.kit.db import Database, UtcDateTime
from oo_app.kit.ids import new_id
from oo_app.kit.lease import Lease
from oo_app.kit.metrics import Metrics

KEPT = timedelta(days=30)
MOST_OF_A_JOB = 2_000
RECORDED_FROM_S = 60.0
TURNS = 1

_log = log.get(__name__)

Counts = Mapping[str, int] | int | None


class Run(SQLModel, table=True):
    """A run of a job that did something, failed, or was the first good one after a failure or a start."""

    __table_args__ = (Index("ix_run_job", "job", "id"),)

    id: str = Field(primary_key=True, max_length=36)
    job: str = Field(max_length=30)
    holder: str = Field(max_length=40)
    started_at: datetime = Field(sa_type=UtcDateTime, index=True)
    ended_at: datetime = Field(sa_type=UtcDateTime)
    outcome: str = Field(max_length=10)
    counts: str
    cause: str | None = Field(default=None, max_length=60)


@dataclass(frozen=True, slots=True)
class Job:
    """A function, how often it runs, and how long it may take. What it returns is what it did, as numbers.

    `run` is called directly by tests. One that is seldom due is made up for at the next start.
    """

    name: str
    every_s: float
    run: Callable[[], Awaitable[Counts]]
    timeout_s: float = 60.0
    is_everywhere: bool = False  # of the process, not of the database: it runs whoever holds the lease


@dataclass(frozen=True, slots=True)
class LastRun:
    """How a job last went, of the runs that are recorded."""

    job: str
    outcome: str
    ended_at: datetime
    cause: str | None


class Jobs:
    """Runs jobs in this process while it holds the lease. Overlapping runs of one job are skipped."""

    def __init__(self, db: Database, clock: Clock, metrics: Metrics) -> None:
        """Hold no job yet."""
        self.lease = Lease(db, clock)
        self._db = db
        self._clock = clock
        self._metrics = metrics
        self._scheduler: AsyncIOScheduler | None = None
        self._failing: set[str] = set()
        self._has_succeeded: set[str] = set()
        self._spawned: dict[str, asyncio.Task[None]] = {}
        # For work nobody waits for that keeps the processor busy: who waits for an answer goes between.
        self.turn = asyncio.Semaphore(TURNS)

    async def start(self, jobs: Sequence[Job]) -> None:
        """Start running the given jobs, as soon as this process is the owner."""
        await self.lease.start()
        last = {run.job: run.ended_at for run in await self.last_runs() if run.outcome == "succeeded"}
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        for job in jobs:
            now = self._clock.now()
            due = last.get(job.name, now) + timedelta(seconds=job.every_s)
            self._scheduler.add_job(  # pyright: ignore[reportUnknownMemberType] -- APScheduler is untyped
                self._run,
                "interval",
                args=(job,),
                seconds=job.every_s,
                next_run_time=max(due, now),
                id=job.name,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )
        self._scheduler.start()

    async def stop(self) -> None:
        """Stop; a run under way is cancelled with the loop, and its transaction rolled back."""
        if self._scheduler:
            self._scheduler.shutdown(wait=False)  # pyright: ignore[reportUnknownMemberType]
            self._scheduler = None
        tasks = list(self._spawned.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.lease.stop()

    def spawn(self, name: str, run: Callable[[], Awaitable[object]]) -> None:
        """Run something in the background, unless that name is running already; the process takes it along."""
        if name in self._spawned:
            return

        async def ran() -> None:
            try:
                await run()
            except Exception as error:  # noqa: BLE001 -- nobody awaits it: the log is where its failure is told
                self._metrics.spawned_failures.labels(name.partition(":")[0]).inc()
                _log.exception("spawned.failed", name=name, cause=type(error).__name__)

        task = asyncio.create_task(ran(), name=name)
        self._spawned[name] = task
        task.add_done_callback(lambda _: self._spawned.pop(name, None))

    def running(self, prefix: str) -> int:
        """Count the spawned work whose name begins so."""
        return sum(name.startswith(prefix) for name in self._spawned)

    async def wait(self, names: Sequence[str], timeout_s: float) -> None:
        """Wait for spawned work, at most that long; it goes on afterwards."""
        tasks = [self._spawned[name] for name in names if name in self._spawned]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    async def settle(self) -> None:
        """Wait until nothing spawned is running; for tests."""
        while self._spawned:
            await asyncio.wait(list(self._spawned.values()))

    async def last_runs(self) -> Sequence[LastRun]:
        """Return how each job last went."""
        newest = select(func.max(col(Run.id))).group_by(col(Run.job))
        query = select(col(Run.job), col(Run.outcome), col(Run.ended_at), col(Run.cause)).where(col(Run.id).in_(newest))
        return [LastRun(*row) for row in await self._db.fetch(query.order_by(col(Run.job)), {})]

    async def purge(self, most: int) -> int:
        """Drop records older than thirty days, and all but the newest of each job, up to so many; return how many."""
        by_age = func.row_number().over(partition_by=col(Run.job), order_by=col(Run.id).desc())
        placed = select(col(Run.id), by_age.label("place")).subquery()
        # A job that fails and heals every few seconds writes two rows each time.
        surplus = select(placed.c.id).where(placed.c.place > MOST_OF_A_JOB)
        return await self._db.drop(
            Run, lambda now: or_(col(Run.started_at) < now - KEPT, col(Run.id).in_(surplus)), most
        )

    async def _run(self, job: Job) -> None:
        if not (job.is_everywhere or self.lease.is_held):
            return
        began = self._clock.now()
        limit = self._clock.timeout(job.timeout_s)
        try:
            async with limit:
                counts = await job.run()
        except Exception as error:  # noqa: BLE001 -- a failing run must not end the schedule
            await self._failed(job, began, error, "timed_out" if limit.expired() else "failed")
        else:
            await self._succeeded(job, began, counts)

    async def _failed(self, job: Job, began: datetime, error: Exception, outcome: str) -> None:
        self._metrics.job_runs.labels(job.name, outcome).inc()
        if job.name not in self._failing:
            _log.error("job.failed", job=job.name, cause=type(error).__name__, exc_info=error)
            await self._record(job, _Outcome(began, outcome, None, type(error).__name__))
        self._failing.add(job.name)

    async def _succeeded(self, job: Job, began: datetime, counts: Counts) -> None:
        self._metrics.job_runs.labels(job.name, "succeeded").inc()
        self._metrics.job_succeeded_at.labels(job.name).set(self._clock.now().timestamp())
        has_healed = job.name in self._failing
        if has_healed:
            self._failing.discard(job.name)
            _log.info("job.healed", job=job.name)
        # What runs every second would fill the table; what it does is counted by metrics.
        is_worth_a_row = job.every_s >= RECORDED_FROM_S and _is_something(counts)
        if has_healed or job.name not in self._has_succeeded or is_worth_a_row:
            self._has_succeeded.add(job.name)
            await self._record(job, _Outcome(began, "succeeded", counts, None))

    async def _record(self, job: Job, came: "_Outcome") -> None:
        """Write a run down; that of an owner which has lost the lease meanwhile is refused."""
        counts = came.counts
        told = counts if isinstance(counts, Mapping) else {"count": counts} if counts is not None else {}
        try:
            async with self._db.begin() as tx:
                if not (job.is_everywhere or await self.lease.is_mine(tx)):
                    _log.warning("job.refused", job=job.name, holder=self.lease.holder)
                    return
                tx.session.add(
                    Run(
                        id=new_id(tx.now),
                        job=job.name,
                        holder=self.lease.holder,
                        started_at=came.began,
                        ended_at=tx.now,
                        outcome=came.outcome,
                        counts=json.dumps(dict(told)),
                        cause=came.cause[:60] if came.cause else None,
                    )
                )
        except Exception as error:  # noqa: BLE001 -- the record is about the run; it is not the run
            _log.warning("job.not_recorded", job=job.name, cause=type(error).__name__)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a run went."""

    began: datetime
    outcome: str
    counts: Counts
    cause: str | None


def _is_something(counts: Counts) -> bool:
    return any(counts.values()) if isinstance(counts, Mapping) else bool(counts)
