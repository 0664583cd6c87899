"""Completions on their way to a source: after the undo window, once, and again and again until they succeed."""

import asyncio
import json
from datetime import timedelta

import httpx
from sqlalchemy import select
from sqlmodel import col

from oo_app import signals
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from oo_app.signals.models import Item
from tests.browser import Browser
from tests.conftest import Faults
from tests.outside import behind_gate, turn
from tests.signals.closings import WINDOW, add, closes, closing, deliver, pause, plan
from tests.signals.elsewhere import completions, opened, stored


async def test_nothing_leaves_before_the_undo_window_ends(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there)
    await plan(ada.rt, row)

    clock.advance(WINDOW - timedelta(milliseconds=1))
    await deliver(ada.rt)

    assert closes(ada.rt) == []
    assert not (await there.task(row.external_id))["checked"]


async def test_it_leaves_when_the_undo_window_ends(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there)
    closing_id = await plan(ada.rt, row)

    clock.advance(WINDOW)
    await deliver(ada.rt)

    assert (await there.task(row.external_id))["checked"]
    assert not (await stored(ada.rt, row.external_id)).is_open
    assert (await closing(ada.rt, closing_id)).done_at == clock.now()


async def test_our_own_completion_is_not_told_as_one_made_elsewhere(ada: Browser, clock: FakeClock):
    row = await add(await opened(ada))
    await plan(ada.rt, row)

    clock.advance(WINDOW)
    await deliver(ada.rt)

    assert await completions(ada.rt) == []


async def test_it_leaves_by_itself_in_the_background(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    rows = [await add(there, f"Number {number}") for number in range(3)]
    for row in rows:
        await plan(ada.rt, row)
    clock.advance(WINDOW)

    await signals.spawn_due_closes(ada.rt)
    await signals.spawn_due_closes(ada.rt)
    await ada.rt.jobs.settle()

    assert len(closes(ada.rt)) == 3
    assert [(await there.task(row.external_id))["checked"] for row in rows] == [True] * 3


async def test_delivering_twice_at_once_sends_once(ada: Browser, clock: FakeClock):
    closing_id = await plan(ada.rt, await add(await opened(ada)))
    clock.advance(WINDOW)

    await asyncio.gather(*(signals.deliver_close(ada.rt, str(closing_id)) for _ in range(3)))
    await deliver(ada.rt)

    assert closes(ada.rt) == [closing_id]


async def test_an_answer_lost_on_the_way_completes_a_recurring_task_once(
    ada: Browser, clock: FakeClock, faults: Faults
):
    there = await opened(ada)
    row = await add(there, due_string="every day")
    before = await there.task(row.external_id)
    closing_id = await plan(ada.rt, row)
    clock.advance(WINDOW)
    command = {"type": "item_close", "uuid": closing_id, "args": {"id": row.external_id}}
    await there.ask("POST", "/sync", data={"commands": json.dumps([command])})
    once = await there.task(row.external_id)

    await deliver(ada.rt)

    assert once["due"]["date"] > before["due"]["date"]
    assert (await there.task(row.external_id))["due"]["date"] == once["due"]["date"]
    assert (await closing(ada.rt, closing_id)).done_at


async def test_a_crash_after_sending_sends_the_same_again(ada: Browser, clock: FakeClock):
    row = await add(await opened(ada))
    closing_id = await plan(ada.rt, row)
    clock.advance(WINDOW)
    rt, gate = behind_gate(ada.rt, lambda request: b"item_close" in request.content)
    sending = asyncio.create_task(signals.deliver_close(rt, str(closing_id)))
    await gate.reached.wait()

    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    gate.opened.set()
    await deliver(rt)
    at_once = len(closes(ada.rt))
    clock.advance(timedelta(minutes=2))
    await deliver(rt)

    assert at_once == 1
    assert closes(ada.rt) == [closing_id] * 2
    assert (await closing(rt, closing_id)).done_at
    await rt.http.stop()


async def test_a_source_that_is_down_is_asked_until_it_is_back(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there)
    closing_id = await plan(ada.rt, row)
    clock.advance(WINDOW)
    await turn(ada, "fault", status=503, count=3 * 12, path="/sync")
    pauses: list[float] = []

    while (await closing(ada.rt, closing_id)).done_at is None:
        await deliver(ada.rt)
        pauses.append(await pause(ada.rt, closing_id))
        clock.advance(timedelta(seconds=max(pauses[-1], 0)))

    assert pauses[:8] == [5, 10, 20, 40, 80, 160, 320, 640]
    assert max(pauses) == 900
    assert (await there.task(row.external_id))["checked"]


async def test_a_limit_is_respected_as_long_as_the_source_asks(ada: Browser, clock: FakeClock, faults: Faults):
    closing_id = await plan(ada.rt, await add(await opened(ada)))
    clock.advance(WINDOW)
    faults.fault = lambda _: httpx.Response(429, headers={"Retry-After": "77"})

    await deliver(ada.rt)

    assert await pause(ada.rt, closing_id) == 77


async def test_an_item_on_its_way_is_neither_suggested_nor_lost(ada: Browser, clock: FakeClock, faults: Faults):
    row = await add(await opened(ada))
    await plan(ada.rt, row)
    clock.advance(WINDOW)
    faults.fault = lambda request: httpx.Response(503) if b"item_close" in request.content else None
    await deliver(ada.rt)

    is_read = await signals.sync(ada.rt, row.connection_id)

    assert is_read
    assert (await stored(ada.rt, row.external_id)).is_open
    assert row.id not in await suggestible(ada)
    assert await signals.waiting(ada.rt, row.user_id) == {"todoist": 1}


async def suggestible(browser: Browser) -> set[str]:
    """Dismiss tip after tip until there is none; return the items that were shown."""
    shown: set[str] = set()
    while (tip := (await browser.recommend())["tip"]) is not None:
        shown.add(tip["id"])
        await browser.react(tip["impression_id"], "dismiss")
    return shown


async def test_a_reading_that_began_before_a_completion_does_not_bring_the_item_back(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there)
    await there.change(row.external_id, content="Still open when it was read")
    await plan(ada.rt, row)
    clock.advance(WINDOW)
    rt, gate = behind_gate(ada.rt, lambda request: b"sync_token" in request.content and not gate.opened.is_set())
    reading = asyncio.create_task(signals.sync(rt, row.connection_id))
    await gate.reached.wait()

    sending = asyncio.create_task(signals.deliver_closes(rt))
    await asyncio.sleep(0.05)
    gate.opened.set()
    await asyncio.gather(reading, sending)
    await rt.jobs.settle()

    assert not (await stored(rt, row.external_id)).is_open
    assert (await there.task(row.external_id))["checked"]
    await rt.http.stop()


async def test_a_slow_completion_delays_nobody_elses(
    ada: Browser, rt: Runtime, app: httpx.ASGITransport, clock: FakeClock
):
    async with Browser(rt, app) as ben:
        await ben.sign_in("ben@sandbox.test")
        await ben.open("/connect/todoist/start")
        await ben.press("Agree", account="ben")
        await rt.jobs.settle()
        bens = (await ben.get("/api/v1/me")).json()["id"]
    adas = (await ada.get("/api/v1/me")).json()["id"]
    planned = {user_id: await plan(rt, await any_item(rt, user_id)) for user_id in (adas, bens)}
    adas_item = (await any_item(rt, adas)).external_id
    clock.advance(WINDOW)
    gated, gate = behind_gate(rt, lambda request: adas_item.encode() in request.content)

    await signals.spawn_due_closes(gated)
    await gate.reached.wait()
    await gated.jobs.wait([f"close:{planned[bens]}"], timeout_s=5)

    assert (await closing(gated, planned[bens])).done_at
    assert not (await closing(gated, planned[adas])).done_at
    gate.opened.set()
    await gated.jobs.settle()
    await gated.http.stop()


async def any_item(rt: Runtime, user_id: str) -> Item:
    async with rt.db.read() as session:
        query = select(Item).where(col(Item.user_id) == user_id).order_by(col(Item.id)).limit(1)
        return (await session.execute(query)).scalar_one()
