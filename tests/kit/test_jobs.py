"""Work by the clock and in the background: one run at a time each, failures end nothing."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from oo_app.kit.clock import Clock
from oo_app.kit.jobs import Job, Jobs
from oo_app.kit.metrics import Metrics


@pytest.fixture
async def jobs() -> AsyncGenerator[Jobs]:
    """Jobs that are stopped at the end."""
    running = Jobs(Clock(), Metrics())
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


async def test_what_never_started_or_was_stopped_can_be_stopped(jobs: Jobs):
    await Jobs(Clock(), Metrics()).stop()
    await jobs.start([])
    await jobs.stop()
    await jobs.stop()
