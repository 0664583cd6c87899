from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from httpx import ASGITransport
from sqlalchemy import select, update

from oo_app import accounts, tips
from oo_app.connections.models import Connection
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import Invalid, NotSignedIn
from oo_app.runtime import Runtime
from oo_app.tips.models import Reaction
from state.tip import SILENCES, TipState, why
from tests.browser import Browser
from tests.people import a_person
from tests.state.screens import Tab, said

REACT: Any = TipState.react.fn  # called with what a client may send, not with what the signature says
NOTED = {"dwell_ms": 3_000}


@pytest.fixture
async def tab(rt: Runtime, ada: Browser) -> Tab:
    new = Tab(rt)
    await new.open(ada, "/tip")
    await TipState.load.fn(await new.screen(TipState))
    return new


async def test_load_shows_the_open_tip(tab: Tab, ada: Browser) -> None:
    page = await tab.screen(TipState)

    assert page.card.impression_id == (await ada.recommend())["tip"]["impression_id"]
    assert page.card.content
    assert page.card.source == "Todoist"
    assert page.silence == ""


async def test_load_twice_shows_the_same(tab: Tab) -> None:
    page = await tab.screen(TipState)
    before = page.card

    await TipState.load.fn(page)

    assert page.card == before


async def test_the_wish_to_be_told_is_kept_and_asked_for_once(tab: Tab, rt: Runtime) -> None:
    page = await tab.screen(TipState)
    asked = page.asks_to_notify

    notice = said(await TipState.notify_me.fn(page))

    assert (asked, page.asks_to_notify) == (True, False)
    assert notice.startswith("Noted.")
    assert (await accounts.preferences(rt, (await page._user()).user_id)).notify
    await TipState.load.fn(page)
    assert not page.asks_to_notify


async def test_who_decided_in_the_settings_is_not_asked_again(tab: Tab, rt: Runtime) -> None:
    page = await tab.screen(TipState)

    await accounts.choose(rt, (await page._user()).user_id, notify=False)
    await TipState.load.fn(page)

    assert not page.asks_to_notify


@pytest.mark.parametrize("action", ["done", "snooze", "dismiss"])
async def test_a_reaction_brings_the_next_tip_and_a_way_back(tab: Tab, action: str) -> None:
    page = await tab.screen(TipState)
    answered = page.card.impression_id

    await REACT(page, answered, action, NOTED)

    assert page.card.impression_id != answered
    assert page.undoable == answered


async def test_an_answer_is_acknowledged_by_the_name_its_page_gave_it(tab: Tab) -> None:
    page = await tab.screen(TipState)
    names = [str(uuid4()) for _ in range(6)]

    for name in names:
        await REACT(page, page.card.impression_id, "dismiss", {"id": name, "reaction_id": name, "dwell_ms": 10})

    assert page.answered.split() == names[-4:]


async def test_an_answer_that_cannot_be_taken_is_acknowledged_too(tab: Tab) -> None:
    page = await tab.screen(TipState)

    await REACT(page, "gone", "done", {"id": "a"})

    assert page.answered == "a"


async def test_an_answer_that_came_by_http_as_well_counts_once(tab: Tab, ada: Browser) -> None:
    page = await tab.screen(TipState)
    answered, name = page.card.impression_id, str(uuid4())
    await ada.react(answered, "done", reaction_id=name)

    assert await REACT(page, answered, "done", {"id": name, "reaction_id": name, "dwell_ms": 1}) is None

    async with tab.rt.db.read() as session:
        assert len((await session.execute(select(Reaction))).all()) == 1


async def test_undo_names_the_answer_it_takes_back_also_on_a_page_opened_again(tab: Tab) -> None:
    page = await tab.screen(TipState)
    answered, name = page.card.impression_id, str(uuid4())

    await REACT(page, answered, "dismiss", {"id": name, "reaction_id": name})
    at_once = page.undoable, page.undo_reaction
    await TipState.load.fn(page)

    assert at_once == (answered, name)
    assert (page.undoable, page.undo_reaction) == (answered, name)


async def test_the_page_knows_whose_it_is_and_what_time_it_is_here(tab: Tab, clock: FakeClock) -> None:
    page = await tab.screen(TipState)

    assert page.person == (await page._user()).user_id
    assert page.now_ms == clock.now().timestamp() * 1000


async def test_undo_brings_the_tip_back(tab: Tab) -> None:
    page = await tab.screen(TipState)
    answered = page.card.impression_id
    await REACT(page, answered, "done", NOTED)

    await REACT(page, page.undoable, "undo")

    assert page.card.impression_id == answered
    assert page.undoable == ""


async def test_a_page_opened_again_offers_undo_for_what_is_left_of_its_time(tab: Tab, clock: FakeClock) -> None:
    page = await tab.screen(TipState)
    answered = page.card.impression_id
    await REACT(page, answered, "dismiss", NOTED)

    clock.advance(timedelta(seconds=2.5))
    await TipState.load.fn(page)
    offered = page.undoable, page.undo_since
    clock.advance(timedelta(seconds=2))
    await TipState.load.fn(page)

    assert offered == (answered, 3)
    assert page.undoable == ""


async def test_nothing_can_be_undone_where_no_app_is_connected(tab: Tab, ada: Browser) -> None:
    page = await tab.screen(TipState)
    await REACT(page, page.card.impression_id, "dismiss", NOTED)

    await ada.send("DELETE", "/api/v1/connections/todoist")
    await TipState.load.fn(page)

    assert (page.silence, page.undoable) == ("no_source", "")


async def test_undo_too_late_says_so(tab: Tab, rt: Runtime) -> None:
    page = await tab.screen(TipState)
    answered = page.card.impression_id
    await REACT(page, answered, "dismiss", NOTED)
    await rt.clock.sleep(60)

    assert said(await REACT(page, answered, "undo")) == "Too late to undo."
    assert page.card.impression_id


async def test_a_tip_answered_in_another_tab_is_said_to_be_and_the_current_one_shown(tab: Tab, ada: Browser) -> None:
    page = await tab.screen(TipState)
    await ada.react(page.card.impression_id, "done", dwell_ms=3_000)

    assert said(await REACT(page, page.card.impression_id, "snooze", NOTED)) == "Already answered."
    assert page.card.impression_id == (await ada.recommend())["tip"]["impression_id"]


async def test_somebody_elses_tip_cannot_be_answered(tab: Tab, rt: Runtime, app: ASGITransport, ada: Browser) -> None:
    mine = (await tab.screen(TipState)).card.impression_id
    async with Browser(rt, app) as ben:
        await ben.sign_in("ben@sandbox.test")
        other = Tab(rt)
        await other.open(ben, "/tip")

        assert said(await REACT(await other.screen(TipState), mine, "done", NOTED)) == "Already answered."

    assert (await ada.recommend())["tip"]["impression_id"] == mine


@pytest.mark.parametrize(
    "arguments",
    [
        ({}, "done", NOTED, None),
        ("x", ["done"], NOTED, None),
        ("x", "explode", NOTED, None),
        ("x", "done", 1, None),
        ("x", "done", [], None),
        ("x", "done", {"dwell_ms": "1"}, None),
        ("x", "done", {"dwell_ms": True}, None),
        ("x", "done", {"dwell_ms": 1.5}, None),
        ("x", "done", {"dwell_ms": -1}, None),
        ("x", "done", {"id": 1}, None),
        ("x", "done", {"id": "x" * 37}, None),
        ("x", "done", {"reaction_id": "not a uuid"}, None),
        ("x", "done", {"reaction_id": {}}, None),
        ("x", "done", {"reacted_at": "yesterday"}, None),
        ("x", "done", {"reacted_at": 1}, None),
        ("x", "done", {"reacted_at": "2099-01-01T00:00:00Z"}, None),
        ("x", "done", {"reacted_at": "2026-11-23T09:00:00"}, None),
        ("x", "snooze", NOTED, {"a": 1}),
        ("x", "snooze", NOTED, "for ever"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused(tab: Tab, arguments: tuple[object, ...]) -> None:
    page = await tab.screen(TipState)
    before = page.card

    with pytest.raises(Invalid):
        await REACT(page, *arguments)
    assert page.card == before


@pytest.mark.parametrize(
    "call",
    [
        TipState.load.fn,
        TipState.notify_me.fn,
        lambda page: REACT(page, "x", "done", NOTED),
        lambda page: TipState.see.fn(page, "x"),
    ],
)
async def test_nobody_is_refused(rt: Runtime, call: Callable) -> None:
    stranger = Tab(rt)
    await stranger.open()

    with pytest.raises(NotSignedIn):
        await call(await stranger.screen(TipState))


async def test_a_session_that_ended_empties_the_tab(tab: Tab, rt: Runtime, ada: Browser) -> None:
    page = await tab.screen(TipState)
    content = page.card.content
    await accounts.close_session(rt, ada.client.cookies.get(rt.settings.session_cookie))

    with pytest.raises(NotSignedIn):
        await TipState.load.fn(page)
    assert content not in tab.leaving()


async def test_without_a_source_the_page_says_so(rt: Runtime, browser: Browser) -> None:
    await browser.sign_in("ben@sandbox.test")
    tab = Tab(rt)
    await tab.open(browser, "/tip")
    page = await tab.screen(TipState)

    await TipState.load.fn(page)

    assert (page.silence, page.card.impression_id) == ("no_source", "")
    assert page.sentence


async def test_a_tip_says_that_its_source_lets_nobody_in_any_more(tab: Tab, rt: Runtime) -> None:
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Connection).values(needs_attention=True))
    page = await tab.screen(TipState)

    await TipState.load.fn(page)

    assert page.card.source == "Todoist, which needs attention"


async def test_a_calendar_alone_gives_no_tips_and_the_page_says_what_would(rt: Runtime, browser: Browser) -> None:
    ben = await a_person(rt, "ben")
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Connection).values(source="google_calendar"))

    assert await tips.recommend(rt, ben.id, "web") == tips.Nothing("no_source")
    assert SILENCES["no_source"].startswith("Connect an app with your tasks")


async def test_the_browsers_time_zone_is_taken_once(rt: Runtime, browser: Browser) -> None:
    await browser.sign_in("ben@sandbox.test")
    tab = Tab(rt)
    await tab.open(browser, "/tip", oo_zone="Asia%2FTokyo")
    page = await tab.screen(TipState)
    user = await page._user()

    await TipState.load.fn(page)
    await tab.open(browser, "/tip", oo_zone="Europe%2FParis")
    await TipState.load.fn(page)

    assert (await accounts.preferences(rt, user.user_id)).zone == ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize("zone", ["Nowhere/Else", "..%2F..%2Fetc%2Fpasswd", "%00", "x" * 300])
async def test_a_made_up_time_zone_is_passed_over(rt: Runtime, browser: Browser, zone: str) -> None:
    await browser.sign_in("ben@sandbox.test")
    tab = Tab(rt)
    await tab.open(browser, "/tip", oo_zone=zone)
    page = await tab.screen(TipState)

    await TipState.load.fn(page)

    assert (await accounts.preferences(rt, (await page._user()).user_id)).time_zone is None


async def test_a_link_that_is_not_https_is_not_drawn(tab: Tab) -> None:
    page = await tab.screen(TipState)
    served = await tips.recommend(tab.rt, (await page._user()).user_id, "web")
    assert isinstance(served, tips.Served)

    page._show(replace(served, tip=replace(served.tip, source_url="javascript:alert(1)")))

    assert page.card.source_url == ""


SERVED_AT = datetime(2026, 11, 23, tzinfo=UTC)


def served(policy: str, candidates: int, *stale: tips.Late) -> tips.Served:
    tip = tips.Tip("i", "p", "task", "Call Mum", None, "todoist", None, None, tips.ACTIONS)
    return tips.Served(tip, policy, "1", 1 / candidates, (), candidates, SERVED_AT, stale)


def test_why_is_honest_about_chance() -> None:
    assert why(served("random", 38), SERVED_AT) == "Chosen by chance from your 38 open tasks."
    assert why(served("random", 1), SERVED_AT) == "It was the only thing open to choose from."


@pytest.mark.parametrize(
    ("late", "later", "told"),
    [
        (tips.Late("todoist", timedelta(hours=3)), timedelta(0), "Todoist was last read 3 hours ago."),
        (tips.Late("todoist", timedelta(hours=3)), timedelta(hours=2), "Todoist had last been read 3 hours before."),
        (tips.Late("ical", None), timedelta(0), "Calendar feed had not been read yet."),
        (tips.Late("gone", timedelta(days=1)), timedelta(0), "One of your apps was last read 1 day ago."),
    ],
)
def test_why_tells_what_was_read_too_long_ago(late: tips.Late, later: timedelta, told: str) -> None:
    assert why(served("random", 2, late), SERVED_AT + later) == f"Chosen by chance from your 2 open tasks. {told}"
