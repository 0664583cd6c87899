"""Completions in an item's own app, told once each, however they are learnt of."""

from datetime import timedelta

import httpx
import pytest

from oo_app import signals
from oo_app.kit.clock import FakeClock
from tests.browser import Browser
from tests.conftest import Faults
from tests.signals.elsewhere import Elsewhere, completions, opened, read, stored, told


async def a_routine(there: Elsewhere) -> str:
    """Add a task that comes again every day, and read it."""
    task_id = await there.add("Water the cactus", due_string="every day")
    await read(there.browser.rt)
    return task_id


async def test_an_occurrence_done_elsewhere_is_told_once(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    task_id = await a_routine(there)
    clock.advance(timedelta(hours=2))
    done_at = clock.now()
    await there.close(task_id)
    clock.advance(timedelta(minutes=9))

    for _ in range(3):
        await read(ada.rt)

    row = await stored(ada.rt, task_id)
    assert row.is_open
    assert await told(ada.rt, "signals.task.completed") == [
        {"user_id": row.user_id, "item_id": row.id, "completed_at": done_at.isoformat()}
    ]


async def test_each_occurrence_is_told(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    task_id = await a_routine(there)

    for _ in range(3):
        clock.advance(timedelta(days=1))
        await there.close(task_id)
        await read(ada.rt)

    assert await completions(ada.rt) == [(await stored(ada.rt, task_id)).id] * 3


async def test_putting_an_occurrence_off_completes_nothing(ada: Browser):
    there = await opened(ada)
    task_id = await a_routine(there)

    await there.change(task_id, due_string="every monday")
    await read(ada.rt)

    assert await completions(ada.rt) == []


async def test_an_occurrence_done_through_oo_is_not_told_as_done_elsewhere(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await stored(ada.rt, await a_routine(there))
    async with ada.rt.db.begin() as tx:
        await signals.schedule_close(tx, row.id, at=tx.now)

    await signals.deliver_closes(ada.rt)
    await ada.rt.jobs.settle()
    clock.advance(timedelta(minutes=10))
    await read(ada.rt)

    after = await stored(ada.rt, row.external_id)
    assert (after.is_open, after.completed_count) == (True, (row.completed_count or 0) + 1)
    assert await completions(ada.rt) == []


@pytest.mark.parametrize("is_recurring", [True, False])
async def test_a_full_reading_tells_of_what_was_completed_too(
    ada: Browser, faults: Faults, clock: FakeClock, *, is_recurring: bool
):
    there = await opened(ada)
    task_id = await a_routine(there) if is_recurring else await there.add("Done elsewhere")
    await read(ada.rt)
    clock.advance(timedelta(hours=3))
    await there.close(task_id)
    refusals = [httpx.Response(400, json={"error_tag": "INVALID_ARGUMENT_VALUE"})]
    faults.fault = lambda request: refusals.pop() if refusals and request.url.path.endswith("/sync") else None

    await read(ada.rt)

    row = await stored(ada.rt, task_id)
    assert (await told(ada.rt, "signals.task.synced"))[-1]["is_full"]
    assert row.is_open == is_recurring
    assert await completions(ada.rt) == [row.id]


async def test_what_was_completed_long_before_a_full_reading_is_only_gone(
    ada: Browser, faults: Faults, clock: FakeClock
):
    there = await opened(ada)
    task_id = await there.add("Done elsewhere")
    await read(ada.rt)
    await there.close(task_id)
    clock.advance(timedelta(hours=25))
    refusals = [httpx.Response(400, json={"error_tag": "INVALID_ARGUMENT_VALUE"})]
    faults.fault = lambda request: refusals.pop() if refusals and request.url.path.endswith("/sync") else None

    await read(ada.rt)

    assert not (await stored(ada.rt, task_id)).is_open
    assert await completions(ada.rt) == []
