"""Stories of a tip and its answer, from the browser to the source and back."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from oo_app import signals, tips
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from oo_app.tips.models import Impression
from tests.browser import Browser
from tests.outside import sent, turn
from tests.people import impression, reward, rows
from tests.signals import elsewhere
from tests.signals.elsewhere import Elsewhere
from tests.world import external_id, todoist_task

SIX_SECONDS = timedelta(seconds=6)


@dataclass
class Story:
    """A person in front of oO, and the same person in Todoist's own app."""

    browser: Browser
    todoist: Elsewhere

    async def tip(self) -> dict[str, Any]:
        """Open oO; return the tip that is shown."""
        return (await self.browser.recommend())["tip"]

    async def says(self, action: str, tip: dict[str, Any], **fields: Any) -> httpx.Response:
        """Answer a tip."""
        return await self.browser.react(tip["impression_id"], action, **fields)


@pytest.fixture
async def ada(rt: Runtime, ada: Browser) -> Story:
    """Ada, whose Todoist holds three tasks."""
    account = await elsewhere.opened(ada)
    for task in (await account.ask("GET", "/tasks", params={"limit": 200}))["results"]:
        await account.delete(task["id"])
    for content in ("Water the plants", "Call Mum", "Sort the box of cables"):
        await account.add(content)
    await read_again(rt)
    return Story(ada, account)


async def read_again(rt: Runtime) -> None:
    """Let the source be read, and what follows from it happen."""
    await elsewhere.read(rt)
    await rt.bus.drain()


async def let_it_leave(rt: Runtime) -> None:
    """Do what the jobs do every second."""
    await signals.deliver_closes(rt)
    await rt.jobs.settle()
    await rt.bus.drain()


def closes(rt: Runtime) -> list[httpx.Request]:
    """Return the completions that were sent to the source."""
    return [request for request in sent(rt, "/sync") if b"item_close" in request.content]


async def test_done_leaves_after_six_seconds_and_not_before(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()
    await ada.says("done", tip)

    clock.advance(SIX_SECONDS - timedelta(milliseconds=1))
    await let_it_leave(rt)
    before = await todoist_task(rt, ada.browser, tip["id"])
    clock.advance(timedelta(milliseconds=1))
    await let_it_leave(rt)

    assert before["checked"] is False
    assert (await todoist_task(rt, ada.browser, tip["id"]))["checked"] is True


async def test_undo_before_six_seconds_leaves_the_task_alone(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()
    await ada.says("done", tip)
    following = await ada.tip()
    clock.advance(timedelta(seconds=5))

    undone = await ada.says("undo", tip)
    clock.advance(timedelta(minutes=5))
    await let_it_leave(rt)

    assert undone.json() == {"reward": None, "accepted": True}
    assert closes(rt) == []
    assert (await todoist_task(rt, ada.browser, tip["id"]))["checked"] is False
    assert await ada.tip() == tip
    assert (await impression(rt, following["impression_id"])).outcome == "withdrawn"


async def test_undo_after_the_completion_left_is_409(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()
    await ada.says("done", tip)
    clock.advance(SIX_SECONDS)
    await let_it_leave(rt)

    response = await ada.says("undo", tip)

    assert response.status_code == 409
    assert await reward(rt, tip["impression_id"]) == ("reaction", 0.8)


async def test_a_task_done_undone_and_done_again_is_completed_once(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()
    for action in ("done", "undo", "done"):
        assert (await ada.says(action, tip)).status_code == 200
        clock.advance(timedelta(seconds=1))

    clock.advance(SIX_SECONDS)
    await let_it_leave(rt)
    await let_it_leave(rt)

    assert len(closes(rt)) == 1
    assert (await todoist_task(rt, ada.browser, tip["id"]))["checked"] is True


async def test_a_completion_is_retried_until_it_succeeds_and_closes_once(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()
    await ada.says("done", tip)
    clock.advance(SIX_SECONDS)
    await turn(ada.browser, "fault", status=503, count=3, path="/sync")
    await let_it_leave(rt)
    assert (await todoist_task(rt, ada.browser, tip["id"]))["checked"] is False

    clock.advance(timedelta(minutes=5))
    await let_it_leave(rt)
    clock.advance(timedelta(minutes=5))
    await let_it_leave(rt)

    assert (await todoist_task(rt, ada.browser, tip["id"]))["checked"] is True
    assert len({request.content for request in closes(rt)}) == 1  # the same command each time, run once


async def test_ones_own_completion_is_not_rewarded_a_second_time(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()
    await ada.says("done", tip, dwell_ms=20_000)
    clock.advance(SIX_SECONDS)
    await let_it_leave(rt)

    await read_again(rt)

    assert await reward(rt, tip["impression_id"]) == ("reaction", 1.0)


async def test_completing_the_task_in_its_app_ends_the_tip_and_is_rewarded(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()
    clock.advance(timedelta(hours=12))
    await ada.todoist.close(await external_id(rt, tip["id"]))

    await read_again(rt)
    await read_again(rt)

    assert await reward(rt, tip["impression_id"]) == ("completed", pytest.approx(0.5))
    assert (await impression(rt, tip["impression_id"])).outcome == "completed"
    assert (await ada.tip())["id"] != tip["id"]


async def test_completing_an_occurrence_in_its_app_ends_the_tip_and_is_rewarded(
    rt: Runtime, clock: FakeClock, ada: Story
):
    for task in (await ada.todoist.ask("GET", "/tasks"))["results"]:
        await ada.todoist.delete(task["id"])
    await ada.todoist.add("Water the cactus", due_string="every day")
    await read_again(rt)
    tip = await ada.tip()
    clock.advance(timedelta(hours=12))
    await ada.todoist.close(await external_id(rt, tip["id"]))

    await read_again(rt)
    await read_again(rt)

    assert await reward(rt, tip["impression_id"]) == ("completed", pytest.approx(0.5))
    assert (await impression(rt, tip["impression_id"])).outcome == "completed"


async def test_opening_the_page_after_completing_the_task_shows_another_one(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()
    clock.advance(timedelta(hours=6))
    await ada.todoist.close(await external_id(rt, tip["id"]))

    following = await ada.tip()
    await rt.bus.drain()

    assert following["id"] != tip["id"]
    assert await reward(rt, tip["impression_id"]) == ("completed", pytest.approx(0.6))
    assert (await impression(rt, tip["impression_id"])).outcome == "completed"


async def test_a_snoozed_task_completed_in_its_app_is_rewarded(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()
    await ada.says("snooze", tip, dwell_ms=500)
    clock.advance(timedelta(hours=6))
    await ada.todoist.close(await external_id(rt, tip["id"]))

    await read_again(rt)

    assert await reward(rt, tip["impression_id"]) == ("completed", pytest.approx(0.6))


@pytest.mark.parametrize("action", ["done", "dismiss"])
async def test_a_done_or_dismissed_task_completed_in_its_app_keeps_its_reward(
    rt: Runtime, clock: FakeClock, ada: Story, action: str
):
    tip = await ada.tip()
    said = (await ada.says(action, tip)).json()["reward"]
    clock.advance(timedelta(seconds=1))
    await ada.todoist.close(await external_id(rt, tip["id"]))

    await read_again(rt)

    assert await reward(rt, tip["impression_id"]) == ("reaction", said)


async def test_a_task_deleted_at_its_source_ends_the_tip_without_a_reward(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()
    await ada.todoist.delete(await external_id(rt, tip["id"]))
    clock.advance(timedelta(minutes=1))

    await read_again(rt)

    assert (await impression(rt, tip["impression_id"])).outcome == "gone"
    assert await reward(rt, tip["impression_id"]) is None
    assert (await ada.tip())["id"] != tip["id"]
    assert (await ada.says("done", tip)).status_code == 409


async def test_every_tab_and_device_shows_the_same_tip(rt: Runtime, app: httpx.ASGITransport, ada: Story):
    tip = await ada.tip()

    async with Browser(rt, app) as phone:
        await phone.sign_in("ada@sandbox.test")
        on_the_phone = await phone.recommend()
        await phone.react(on_the_phone["tip"]["impression_id"], "dismiss")

        assert on_the_phone["tip"] == tip
        assert await ada.tip() == (await phone.recommend())["tip"] != tip


async def test_the_other_tab_learns_that_it_was_answered_already(ada: Story):
    tip = await ada.tip()
    await ada.says("done", tip)

    assert (await ada.says("done", tip)).json() == {"reward": 0.8, "accepted": True}
    assert (await ada.says("dismiss", tip)).status_code == 409
    assert (await ada.says("snooze", tip)).status_code == 409


async def test_what_was_said_offline_arrives_in_order_and_counts_once(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()
    said_at = clock.now() + timedelta(minutes=1)
    queue = [
        {"action": "dismiss", "reaction_id": (first := str(uuid4()))},
        {"action": "undo", "reaction_id": first},
        {"action": "done", "reaction_id": str(uuid4())},
    ]
    clock.advance(timedelta(days=2))
    await tips.settle(rt)

    for _ in range(2):  # the queue was sent, the answers were lost, it is sent again
        for entry in queue:
            response = await ada.says(tip=tip, reacted_at=said_at.isoformat(), dwell_ms=20_000, **entry)
            assert response.status_code == 200, response.text

    assert await reward(rt, tip["impression_id"]) == ("reaction", 1.0)
    clock.advance(SIX_SECONDS)
    await let_it_leave(rt)
    assert len(closes(rt)) == 1


async def test_disconnecting_ends_the_tip_and_connecting_again_begins_anew(rt: Runtime, clock: FakeClock, ada: Story):
    tip = await ada.tip()

    await ada.browser.send("DELETE", "/api/v1/connections/todoist")
    await rt.bus.drain()
    without = await ada.browser.recommend()
    await ada.browser.connect_todoist()
    clock.advance(timedelta(minutes=1))
    anew = await ada.tip()

    assert without == {"tip": None, "reason": "no_source"}
    assert (await impression(rt, tip["impression_id"])).closed_at is not None
    assert anew["impression_id"] != tip["impression_id"]
    assert (await ada.says("done", tip)).status_code == 409


async def test_there_is_never_more_than_one_open_impression(rt: Runtime, clock: FakeClock, ada: Story):
    for answers in (["done"], ["dismiss", "undo"], ["snooze"]):
        tip = await ada.tip()
        for action in answers:
            await ada.says(action, tip)
            await ada.tip()
            open_now = [row for row in await rows(rt, Impression) if row.closed_at is None]

            assert len(open_now) == 1
        clock.advance(timedelta(seconds=2))
