"""Things that run by the clock: APScheduler around plain functions, one run at a time each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # pyright: ignore[reportMissingTypeStubs]

from oo_app.kit import log
from oo_app.kit.clock import Clock
from oo_app.kit.metrics import Metrics

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A function and how often it runs. `run` is called directly by tests."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]


class Jobs:
    """Runs jobs in this process. Overlapping runs of one job are skipped."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        """Hold no job yet."""
        self._clock = clock
        self._metrics = metrics
        self._scheduler: AsyncIOScheduler | None = None
        self._failing: set[str] = set()
        self._spawned: dict[str, asyncio.Task[None]] = {}

    async def start(self, jobs: Sequence[Job]) -> None:
        """Start running the given jobs."""
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        for job in jobs:
            self._scheduler.add_job(  # pyright: ignore[reportUnknownMemberType] -- APScheduler is untyped
                self._run, "interval", args=(job,), seconds=job.every_s, id=job.name, max_instances=1, coalesce=True
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

    async def _run(self, job: Job) -> None:
        try:
            await job.run()
        except Exception as error:  # noqa: BLE001 -- a failing run must not end the schedule
            if job.name not in self._failing:
                _log.exception("job.failed", job=job.name, cause=type(error).__name__)
            self._failing.add(job.name)
            self._metrics.job_runs.labels(job.name, "failed").inc()
        else:
            self._metrics.job_runs.labels(job.name, "succeeded").inc()
            self._metrics.job_succeeded_at.labels(job.name).set(self._clock.now().timestamp())
            if job.name in self._failing:
                self._failing.discard(job.name)
                _log.info("job.healed", job=job.name)
