"""Work by the clock and in the background: one run at a time each, failures end nothing."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update
from sqlmodel import col

from oo_app.kit.clock import Clock
from oo_app.kit.db import Database
from oo_app.kit.jobs import MOST_OF_A_JOB, Job, Jobs, Run
from oo_app.kit.lease import Lease, LeaseRow
from oo_app.kit.metrics import Metrics


@pytest.fixture
def clock() -> Clock:
    """The real clock: APScheduler knows no other."""
    return Clock()


@pytest.fixture
async def jobs(db: Database) -> AsyncGenerator[Jobs]:
    """Jobs that are stopped at the end."""
    running = Jobs(db, Clock(), Metrics())
    yield running
    await running.stop()


async def test_a_job_runs_again_and_again(jobs: Jobs):
    runs: asyncio.Queue[int] = asyncio.Queue()

    async def run() -> None:
        runs.put_nowait(1)

    await jobs.start([Job("often", 0.01, run)])

    for _ in range(3):
        await asyncio.wait_for(runs.get(), 5)


async def test_a_job_that_fails_is_run_again(jobs: Jobs):
    runs: asyncio.Queue[int] = asyncio.Queue()

    async def run() -> None:
        runs.put_nowait(1)
        raise ValueError

    await jobs.start([Job("failing", 0.01, run)])

    for _ in range(3):
        await asyncio.wait_for(runs.get(), 5)


async def test_after_stopping_nothing_runs(jobs: Jobs):
    runs: list[int] = []

    async def run() -> None:
        runs.append(1)

    await jobs.start([Job("often", 0.01, run)])
    await jobs.stop()
    before = len(runs)
    await asyncio.sleep(0.05)

    assert len(runs) == before


async def test_spawned_work_runs_in_the_background(jobs: Jobs):
    is_released = asyncio.Event()
    done: list[int] = []

    async def work() -> None:
        await is_released.wait()
        done.append(1)

    jobs.spawn("work", work)
    assert done == []
    is_released.set()
    await jobs.settle()

    assert done == [1]


async def test_one_name_runs_once_at_a_time(jobs: Jobs):
    is_released = asyncio.Event()
    begun: list[str] = []

    async def work(name: str) -> None:
        begun.append(name)
        await is_released.wait()

    for name in ("a", "a", "b"):
        jobs.spawn(name, lambda name=name: work(name))
    await asyncio.sleep(0)
    is_released.set()
    await jobs.settle()
    jobs.spawn("a", lambda: work("a"))
    await jobs.settle()

    assert begun == ["a", "b", "a"]


async def test_spawned_work_that_fails_harms_nobody(jobs: Jobs):
    async def fail() -> None:
        raise ValueError

    jobs.spawn("failing", fail)
    await jobs.settle()
    jobs.spawn("failing", fail)
    await jobs.settle()


async def test_waiting_ends_with_the_work(jobs: Jobs):
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    jobs.spawn("work", work)
    await jobs.wait(["work", "unknown"], 5)

    assert done == [1]


async def test_waiting_ends_in_time_and_the_work_goes_on(jobs: Jobs):
    is_released = asyncio.Event()
    done: list[int] = []

    async def work() -> None:
        await is_released.wait()
        done.append(1)

    jobs.spawn("work", work)
    await jobs.wait(["work"], 0.01)
    assert done == []
    is_released.set()
    await jobs.settle()

    assert done == [1]


async def test_waiting_for_nothing_is_over_at_once(jobs: Jobs):
    await jobs.wait(["unknown"], 60)
    await jobs.settle()


async def test_stopping_cancels_spawned_work(jobs: Jobs):
    was_cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_cancelled.set()
            raise

    jobs.spawn("work", work)
    await asyncio.sleep(0)
    await jobs.stop()

    assert was_cancelled.is_set()


async def test_what_never_started_or_was_stopped_can_be_stopped(db: Database, jobs: Jobs):
    await Jobs(db, Clock(), Metrics()).stop()
    await jobs.start([])
    await jobs.stop()
    await jobs.stop()


async def records(db: Database, job: str) -> list[Run]:
    async with db.read() as session:
        query = select(Run).where(col(Run.job) == job).order_by(col(Run.id))
        return list((await session.execute(query)).scalars())


async def test_a_run_that_did_something_is_recorded_with_its_counts(db: Database, jobs: Jobs):
    async def run() -> dict[str, int]:
        return {"dropped": 3, "left": 0}

    await jobs.lease.take()
    await jobs._run(Job("hourly", 3600, run))
    await jobs._run(Job("hourly", 3600, run))

    told = [(each.outcome, each.counts, each.cause, each.holder) for each in await records(db, "hourly")]
    assert told == [("succeeded", '{"dropped": 3, "left": 0}', None, jobs.lease.holder)] * 2


async def test_runs_that_do_nothing_or_come_every_second_leave_one_record(db: Database, jobs: Jobs):
    async def nothing() -> int:
        return 0

    async def something() -> int:
        return 5

    await jobs.lease.take()
    for _ in range(5):
        await jobs._run(Job("idle", 3600, nothing))
        await jobs._run(Job("busy", 1, something))

    assert len(await records(db, "idle")) == len(await records(db, "busy")) == 1


async def test_a_failure_and_its_end_are_recorded_once_each(db: Database, jobs: Jobs):
    failing = True

    async def run() -> None:
        if failing:
            raise ValueError

    await jobs.lease.take()
    for _ in range(3):
        await jobs._run(Job("odd", 1, run))
    failing = False
    for _ in range(3):
        await jobs._run(Job("odd", 1, run))

    assert [(each.outcome, each.cause) for each in await records(db, "odd")] == [
        ("failed", "ValueError"),
        ("succeeded", None),
    ]
    assert [(run.job, run.outcome) for run in await jobs.last_runs()] == [("odd", "succeeded")]


async def test_a_run_that_takes_too_long_is_ended(db: Database, jobs: Jobs):
    was_ended = asyncio.Event()

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            was_ended.set()

    await jobs.lease.take()
    await jobs._run(Job("slow", 1, run, timeout_s=0.01))

    assert was_ended.is_set()
    assert [each.outcome for each in await records(db, "slow")] == ["timed_out"]


async def test_a_timeout_of_its_own_is_a_failure_like_any_other(db: Database, jobs: Jobs):
    async def run() -> None:
        raise TimeoutError

    await jobs.lease.take()
    await jobs._run(Job("impatient", 1, run))

    assert [(each.outcome, each.cause) for each in await records(db, "impatient")] == [("failed", "TimeoutError")]


async def test_a_job_that_fails_and_heals_for_days_keeps_its_newest_records(db: Database, jobs: Jobs):
    now = Clock().now()
    row = {"holder": "h", "started_at": now, "ended_at": now, "outcome": "failed", "counts": "{}", "cause": "OSError"}
    numbers = {"flapping": MOST_OF_A_JOB + 700, "quiet": 3}
    async with db.begin() as tx:
        for job, count in numbers.items():
            rows = [row | {"job": job, "id": f"{job}{number:05}"} for number in range(count)]
            await tx.session.execute(insert(Run), rows)

    assert await jobs.purge(10_000) == 700

    kept = [each.id for each in await records(db, "flapping")]
    assert (len(kept), kept[0]) == (MOST_OF_A_JOB, "flapping00700")
    assert len(await records(db, "quiet")) == 3
    assert await jobs.purge(10_000) == 0


async def test_only_the_owner_runs_what_is_the_databases(db: Database, jobs: Jobs):
    runs: list[str] = []

    async def run() -> None:
        runs.append("ran")

    another = Lease(db, Clock(), machine="another machine")
    await another.take()

    assert not await jobs.lease.take()
    await jobs._run(Job("ours", 1, run))
    assert runs == []
    await jobs._run(Job("everywhere", 1, run, is_everywhere=True))
    assert runs == ["ran"]


async def test_the_record_of_an_owner_that_overslept_is_refused(db: Database, jobs: Jobs):
    async def overslept() -> int:
        async with db.begin() as tx:
            await tx.session.execute(update(LeaseRow).values(holder="another"))
        return 1

    await jobs.lease.take()
    await jobs._run(Job("late", 3600, overslept))

    assert await records(db, "late") == []


async def test_what_was_missed_while_nothing_ran_is_made_up_for(db: Database, jobs: Jobs):
    runs: asyncio.Queue[int] = asyncio.Queue()

    async def run() -> int:
        runs.put_nowait(1)
        return 1

    async with db.begin() as tx:
        long_ago = tx.now - timedelta(days=2)
        tx.session.add(
            Run(
                id="1",
                job="daily",
                holder="h",
                started_at=long_ago,
                ended_at=long_ago,
                outcome="succeeded",
                counts="{}",
            )
        )
    await jobs.start([Job("daily", 86_400, run)])

    await asyncio.wait_for(runs.get(), 5)


async def test_what_ran_a_moment_ago_waits_for_its_time(db: Database, jobs: Jobs):
    runs: list[int] = []

    async def run() -> int:
        runs.append(1)
        return 1

    await jobs.lease.take()
    await jobs._run(Job("daily", 86_400, run))
    await jobs.start([Job("daily", 86_400, run)])
    await asyncio.sleep(0.05)

    assert runs == [1]
