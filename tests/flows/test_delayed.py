"""A tip is shown, and done in its own app: rewarded once, whichever way that is learnt first, and however often."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from oo_app import signals
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import Conflict
from oo_app.kit.outbox import Outbox
from tests.browser import Browser
from tests.deliveries import deliver, of_change, signed
from tests.people import a_tip, impression, reward, rows
from tests.signals.elsewhere import Elsewhere, connection, opened, read
from tests.world import external_id

Way = Callable[[Browser, bytes], Awaitable[None]]


async def by_webhook(ada: Browser, body: bytes) -> None:
    """Hear of it."""
    await deliver(ada, body, "d1", signed(body))
    await ada.rt.jobs.settle()
    await ada.rt.bus.drain()


async def by_polling(ada: Browser, _: bytes) -> None:
    """Find it at the next reading."""
    await read(ada.rt)
    await ada.rt.bus.drain()


BOTH = pytest.mark.parametrize(
    "ways",
    [(by_webhook, by_polling), (by_polling, by_webhook), (by_webhook, by_webhook), (by_polling, by_polling)],
    ids=["webhook, polling", "polling, webhook", "webhook twice", "polling twice"],
)


@pytest.fixture
async def ada(browser: Browser) -> Browser:
    """Ada, who signs in and connects in this very test: the sandbox still knows what it told her."""
    await browser.sign_in("ada@sandbox.test")
    await browser.connect_todoist()
    return browser


async def shown(ada: Browser, *, recurs: bool) -> tuple[str, str, Elsewhere]:
    """Leave one task only, and have it shown; return impression, task and the other app."""
    there = await opened(ada)
    for task in (await there.ask("GET", "/tasks", params={"limit": 200}))["results"]:
        await there.delete(task["id"])
    await there.add("The only one", **({"due_string": "every day"} if recurs else {}))
    await read(ada.rt)
    served = await a_tip(ada.rt, (await connection(ada.rt)).user_id)
    return served.tip.impression_id, await external_id(ada.rt, served.tip.id), there


async def done_there(there: Elsewhere, task_id: str, clock: FakeClock) -> bytes:
    """Complete a task in its own app; return what a webhook tells of it."""
    before: dict[str, Any] = await there.task(task_id)
    await there.close(task_id)
    after = await there.task(task_id)
    if after["checked"]:
        return of_change("item:completed", None, after, at=clock.now())
    return of_change("item:updated", before, after, at=clock.now(), intent="item_completed")


async def told(ada: Browser) -> int:
    return [fact.subject for fact in await rows(ada.rt, Outbox)].count("feedback.delayed")


@BOTH
@pytest.mark.parametrize("recurs", [False, True])
async def test_a_completion_elsewhere_is_rewarded_once(
    ada: Browser, clock: FakeClock, ways: tuple[Way, ...], *, recurs: bool
):
    impression_id, task_id, there = await shown(ada, recurs=recurs)
    clock.advance(timedelta(hours=12))
    body = await done_there(there, task_id, clock)

    for way in ways:
        clock.advance(timedelta(minutes=10))
        await way(ada, body)

    assert await reward(ada.rt, impression_id) == ("completed", pytest.approx(0.5))
    assert (await impression(ada.rt, impression_id)).outcome == "completed"
    assert await told(ada) == 1


@pytest.mark.parametrize("way", [by_webhook, by_polling])
async def test_each_occurrence_is_rewarded_by_its_own_tip(ada: Browser, clock: FakeClock, way: Way):
    first, task_id, there = await shown(ada, recurs=True)
    clock.advance(timedelta(hours=6))
    await way(ada, await done_there(there, task_id, clock))
    clock.advance(timedelta(hours=1))
    second = (await a_tip(ada.rt, (await connection(ada.rt)).user_id)).tip.impression_id

    clock.advance(timedelta(hours=12))
    again = await done_there(there, task_id, clock)
    await ada.rt.jobs.settle()
    await deliver(ada, again, "d2", signed(again))
    await by_polling(ada, again)

    assert first != second
    assert await reward(ada.rt, first) == ("completed", pytest.approx(0.6))
    assert await reward(ada.rt, second) == ("completed", pytest.approx(0.5))
    assert await told(ada) == 2


@pytest.mark.parametrize("way", [by_webhook, by_polling])
@pytest.mark.parametrize("recurs", [False, True])
async def test_our_own_completion_coming_back_is_nobodys_news(
    ada: Browser, clock: FakeClock, way: Way, *, recurs: bool
):
    impression_id, task_id, there = await shown(ada, recurs=recurs)
    before = await there.task(task_id)
    await ada.react(impression_id, "done", dwell_ms=20_000)
    clock.advance(timedelta(seconds=7))
    await signals.deliver_closes(ada.rt)
    await ada.rt.jobs.settle()
    body = of_change("item:updated", before, await there.task(task_id), at=clock.now(), intent="item_completed")
    clock.advance(timedelta(seconds=5))

    await way(ada, body)

    assert await reward(ada.rt, impression_id) == ("reaction", 1.0)
    assert [fact for fact in await rows(ada.rt, Outbox) if fact.subject == "signals.task.completed"] == []


async def test_a_snooze_is_replaced_and_cannot_be_taken_back_any_more(ada: Browser, clock: FakeClock):
    impression_id, task_id, there = await shown(ada, recurs=False)
    await ada.react(impression_id, "snooze", dwell_ms=20_000)
    clock.advance(timedelta(hours=3))

    await by_webhook(ada, await done_there(there, task_id, clock))

    assert await reward(ada.rt, impression_id) == ("completed", pytest.approx(0.65))
    late = await ada.post("/api/v1/feedback", {"impression_id": impression_id, "action": "undo", "dwell_ms": None})
    assert late.status_code == Conflict.status


@pytest.mark.parametrize(("action", "value"), [("done", 1.0), ("dismiss", -0.4)])
async def test_a_done_and_a_dismiss_stand(ada: Browser, clock: FakeClock, action: str, value: float):
    impression_id, task_id, there = await shown(ada, recurs=False)
    await ada.react(impression_id, action, dwell_ms=20_000)
    body = await done_there(there, task_id, clock)

    await by_webhook(ada, body)

    assert await reward(ada.rt, impression_id) == ("reaction", value)
