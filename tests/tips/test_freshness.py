"""How fresh a tip is: a short wait for a refresh when the page is opened, none after a reaction."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

import httpx
import pytest

from oo_app import accounts, tips
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from oo_app.signals.models import Item
from oo_app.tips.recommend import REFRESH_WAIT_S
from tests.browser import Browser
from tests.conftest import START
from tests.outside import behind_gate, sent, turn
from tests.people import a_tip, rows
from tests.world import todoist

Result = TypeVar("Result")
SYNC = "/api/v1/sync"
STALE = timedelta(seconds=31)
AT_ONCE_S = 0.5


class SlowWorld(FakeClock):
    """A FakeClock, but once the world is slow its delays are really waited for."""

    is_slow = False

    async def sleep(self, seconds: float) -> None:
        """Wait without moving on, or move on without waiting."""
        await (asyncio.sleep(seconds) if self.is_slow else super().sleep(seconds))


@pytest.fixture
def clock() -> SlowWorld:
    """Let the sandbox's delays be real ones where a test wants it."""
    return SlowWorld(START)


def is_reading(request: httpx.Request) -> bool:
    return request.url.path.endswith(SYNC)


async def user_of(rt: Runtime, browser: Browser) -> str:
    caller = await accounts.caller(rt, browser.client.cookies.get(rt.settings.session_cookie))
    return caller.user_id


async def timed(call: Awaitable[Result]) -> tuple[Result, float]:
    """Await something; return what came and how many seconds it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    result = await call
    return result, loop.time() - began


async def test_what_was_read_within_30_seconds_is_not_read_again(rt: Runtime, clock: FakeClock, ada: Browser):
    user_id = await user_of(rt, ada)
    before = len(sent(rt, SYNC))

    clock.advance(timedelta(seconds=29))
    await a_tip(rt, user_id)

    assert len(sent(rt, SYNC)) == before


async def test_older_items_are_read_again_before_a_tip_is_chosen(rt: Runtime, clock: FakeClock, ada: Browser):
    user_id = await user_of(rt, ada)
    known = [item for item in await rows(rt, Item) if item.is_open and item.is_completable]
    await todoist(rt, ada, "POST", "/tasks", json={"content": "Written down a moment ago"})

    clock.advance(STALE)
    served = await a_tip(rt, user_id)

    assert served.candidates == len(known) + 1


async def test_a_slow_source_is_waited_for_800_ms_at_most(rt: Runtime, clock: SlowWorld, ada: Browser):
    user_id = await user_of(rt, ada)
    first = await a_tip(rt, user_id)
    await turn(ada, "fault", delay_ms=1_500, path=SYNC)
    clock.is_slow = True

    clock.advance(STALE)
    served, took = await timed(tips.recommend(rt, user_id, "web"))

    assert isinstance(served, tips.Served)
    assert served.tip == first.tip
    assert REFRESH_WAIT_S - 0.05 <= took < 1.4


async def test_after_a_reaction_nobody_waits_and_the_refresh_runs_behind(rt: Runtime, clock: FakeClock, ada: Browser):
    user_id = await user_of(rt, ada)
    first = await a_tip(rt, user_id)
    rt, gate = behind_gate(rt, is_reading)
    clock.advance(STALE)
    await tips.react(rt, user_id, first.tip.impression_id, "snooze", dwell_ms=5_000)

    following, took = await timed(tips.recommend(rt, user_id, "web"))
    await gate.reached.wait()
    gate.opened.set()

    assert isinstance(following, tips.Served)
    assert following.tip.id != first.tip.id
    assert took < AT_ONCE_S


async def test_after_an_undo_nobody_waits_either(rt: Runtime, clock: FakeClock, ada: Browser):
    user_id = await user_of(rt, ada)
    first = await a_tip(rt, user_id)
    clock.advance(STALE)
    await tips.react(rt, user_id, first.tip.impression_id, "snooze", dwell_ms=5_000)
    await tips.react(rt, user_id, first.tip.impression_id, "undo")
    rt, gate = behind_gate(rt, is_reading)

    again, took = await timed(tips.recommend(rt, user_id, "web"))
    gate.opened.set()

    assert isinstance(again, tips.Served)
    assert again.tip == first.tip
    assert took < AT_ONCE_S


async def test_a_source_that_fails_still_leaves_a_tip(rt: Runtime, clock: FakeClock, ada: Browser):
    user_id = await user_of(rt, ada)
    await turn(ada, "fault", status=503, count=9, path=SYNC)

    clock.advance(STALE)

    assert isinstance(await tips.recommend(rt, user_id, "web"), tips.Served)
