"""Completions on their way to a source: after the undo window, once, and again and again until they succeed."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlmodel import col

from oo_app import signals
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from oo_app.signals.models import Closing, Item
from tests.browser import Browser
from tests.conftest import Faults
from tests.outside import behind_gate, sent, turn
from tests.signals.elsewhere import Elsewhere, completions, connection, item, opened, stored

WINDOW = timedelta(seconds=6)


async def add(there: Elsewhere, content: str = "To be done", **fields: Any) -> Item:
    """Add a task there and read it; return what is stored of it."""
    task_id = await there.add(content, **fields)
    rt = there.browser.rt
    assert await signals.sync(rt, (await connection(rt)).id)
    return await stored(rt, task_id)


async def plan(rt: Runtime, row: Item, *, after: timedelta = WINDOW) -> str | None:
    """Plan the completion of an item, as a reaction does."""
    async with rt.db.begin() as tx:
        return await signals.schedule_close(tx, row.id, at=tx.now + after)


async def deliver(rt: Runtime) -> None:
    """Send what is due, and let the readings that follow end."""
    await signals.deliver_closes(rt)
    await rt.jobs.settle()


async def closing(rt: Runtime, closing_id: str | None) -> Closing:
    async with rt.db.read() as session:
        return await session.get_one(Closing, closing_id)


async def pause(rt: Runtime, closing_id: str | None) -> float:
    return ((await closing(rt, closing_id)).next_at - rt.clock.now()).total_seconds()


def closes(rt: Runtime) -> list[str]:
    """Return the command ids of the completions that were sent."""
    calls = [dict(httpx.QueryParams(call.content.decode())) for call in sent(rt, "/sync")]
    return [command["uuid"] for call in calls if "commands" in call for command in json.loads(call["commands"])]


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
    assert await signals.waiting(ada.rt, row.user_id) == 1


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


async def test_an_item_that_is_gone_counts_as_done(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there)
    closing_id = await plan(ada.rt, row)
    await there.delete(row.external_id)

    clock.advance(WINDOW)
    await deliver(ada.rt)

    assert (await closing(ada.rt, closing_id)).done_at
    assert not (await stored(ada.rt, row.external_id)).is_open


@pytest.mark.parametrize("error", [{"http_code": 503}, None])
async def test_a_command_that_failed_for_a_moment_is_sent_again(
    ada: Browser, clock: FakeClock, faults: Faults, error: object
):
    there = await opened(ada)
    row = await add(there)
    closing_id = await plan(ada.rt, row)
    clock.advance(WINDOW)
    faults.fault = answering_closes(closing_id, error)
    await deliver(ada.rt)
    waited = await pause(ada.rt, closing_id)

    faults.fault = None
    clock.advance(timedelta(seconds=5))
    await deliver(ada.rt)

    assert waited == 5
    assert (await there.task(row.external_id))["checked"]


async def test_a_command_that_is_refused_for_good_is_not_sent_again(ada: Browser, clock: FakeClock, faults: Faults):
    row = await add(await opened(ada))
    closing_id = await plan(ada.rt, row)
    clock.advance(WINDOW)
    faults.fault = answering_closes(closing_id, {"http_code": 403, "error_tag": "FORBIDDEN"})

    await deliver(ada.rt)
    faults.fault = None
    clock.advance(timedelta(days=1))
    await deliver(ada.rt)

    after = await stored(ada.rt, row.external_id)
    assert closes(ada.rt) == [closing_id]
    assert (after.is_open, after.is_completable) == (True, False), "open there, and no tip any more"
    assert await signals.waiting(ada.rt, row.user_id) == 0


def answering_closes(closing_id: str | None, error: object) -> Any:
    """Answer completions with 200 and an error for the command, as Todoist does."""
    answer = {"sync_status": {closing_id: error}, "sync_token": "x"}
    return lambda request: httpx.Response(200, json=answer) if b"item_close" in request.content else None


async def test_a_recurring_item_comes_back_open_at_its_next_time(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there, due_string="every day")
    await plan(ada.rt, row)
    clock.advance(WINDOW)

    await signals.deliver_closes(ada.rt)
    at_once = (await stored(ada.rt, row.external_id)).is_open
    await ada.rt.jobs.settle()

    after = await stored(ada.rt, row.external_id)
    assert not at_once
    assert after.is_open
    assert row.due_on is not None
    assert after.due_on is not None
    assert after.due_on > row.due_on
    assert await completions(ada.rt) == []


async def test_a_recurring_item_can_be_done_again_at_its_next_time(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there, due_string="every day")
    for _ in range(2):
        await plan(ada.rt, row)
        clock.advance(timedelta(days=1))
        await deliver(ada.rt)

    assert len(set(closes(ada.rt))) == 2


async def test_a_refused_grant_waits_until_it_is_connected_again(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there)
    closing_id = await plan(ada.rt, row)
    clock.advance(WINDOW)
    await turn(ada, "revoke", account="ada")
    await deliver(ada.rt)
    asked = len(sent(ada.rt, "/todoist/"))
    for _ in range(3):
        clock.advance(timedelta(minutes=5))
        await deliver(ada.rt)
    silent = len(sent(ada.rt, "/todoist/")) == asked

    await ada.connect_todoist()
    await deliver(ada.rt)

    assert silent
    assert (await closing(ada.rt, closing_id)).done_at == clock.now()
    assert (await (await opened(ada)).task(row.external_id))["checked"]


async def test_leaving_sends_what_is_still_inside_its_undo_window(ada: Browser):
    there = await opened(ada)
    row = await add(there)
    await plan(ada.rt, row)

    assert await signals.leave(ada.rt, row.user_id, "todoist") == signals.Left(is_revoked=True, unsent=0)

    assert (await there.task(row.external_id))["checked"]
    assert await item(ada.rt, row.external_id) is None
    async with ada.rt.db.read() as session:
        assert (await session.execute(select(func.count()).select_from(Closing))).scalar_one() == 0


async def test_leaving_a_source_that_is_down_goes_on_without_it(ada: Browser, faults: Faults):
    row = await add(await opened(ada))
    await plan(ada.rt, row)
    faults.fault = lambda _: httpx.Response(503)

    assert await signals.leave(ada.rt, row.user_id, "todoist") == signals.Left(is_revoked=False, unsent=1)

    assert await item(ada.rt, row.external_id) is None


async def test_taking_back_before_it_leaves_plans_nothing(ada: Browser, clock: FakeClock):
    row = await add(await opened(ada))
    closing_id = await plan(ada.rt, row)

    async with ada.rt.db.begin() as tx:
        is_back = await signals.cancel_close(tx, str(closing_id))
    clock.advance(WINDOW)
    await deliver(ada.rt)

    assert is_back
    assert closes(ada.rt) == []
    assert (await stored(ada.rt, row.external_id)).is_open


async def test_what_has_left_cannot_be_taken_back(ada: Browser, clock: FakeClock, faults: Faults):
    closing_id = await plan(ada.rt, await add(await opened(ada)))
    clock.advance(WINDOW)
    faults.fault = lambda _: httpx.Response(503)
    await deliver(ada.rt)

    async with ada.rt.db.begin() as tx:
        assert not await signals.cancel_close(tx, str(closing_id))
        assert not await signals.cancel_close(tx, "made up")


async def test_an_item_that_is_closed_already_needs_no_completion(ada: Browser):
    there = await opened(ada)
    row = await add(there)
    await there.close(row.external_id)
    await signals.sync(ada.rt, row.connection_id)

    assert await plan(ada.rt, row) is None
    async with ada.rt.db.begin() as tx:
        assert await signals.schedule_close(tx, "made up", at=tx.now) is None


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
