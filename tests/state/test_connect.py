from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import httpx
import pytest

from oo_app import accounts
from oo_app.kit.addresses import Addresses, Ip
from oo_app.kit.errors import Invalid, NotFound, NotSignedIn
from oo_app.kit.http import Http
from oo_app.runtime import Runtime, use
from oo_app.sources.todoist import Todoist
from state.connect import ConnectState, is_time_of_day, waiting_in_words
from tests.browser import Browser
from tests.conftest import Faults
from tests.outside import outside, turn
from tests.sources.test_ical import a_calendar
from tests.state.screens import Tab, said


@pytest.fixture
async def tab(rt: Runtime, ada: Browser) -> Tab:
    new = Tab(rt)
    await new.open(ada, "/connect")
    await ConnectState.load.fn(await new.screen(ConnectState))
    return new


async def test_load_shows_sources_and_preferences(tab: Tab) -> None:
    page = await tab.screen(ConnectState)

    row = next(row for row in page.rows if row.source == "todoist")
    assert (row.name, row.state, row.is_connected, row.note) == ("Todoist", "Connected", True, Todoist.about)
    assert row.last_read == "Last read just now"
    assert page.learn_across_people is False
    assert page.allow_remote_ai is False


async def test_load_with_an_error_explains_it(rt: Runtime, ada: Browser) -> None:
    tab = Tab(rt)
    await tab.open(ada, "/connect?error=denied")
    page = await tab.screen(ConnectState)

    await ConnectState.load.fn(page)

    assert page.problem == "You did not agree there, so nothing has changed."


async def test_disconnect_takes_the_grant_back(tab: Tab) -> None:
    page = await tab.screen(ConnectState)

    assert said(await ConnectState.disconnect.fn(page, "todoist")) == "Disconnected from Todoist."
    assert [row.state for row in page.rows if row.source == "todoist"] == ["Not connected"]


async def test_disconnecting_tells_what_never_reached_the_source(tab: Tab, ada: Browser) -> None:
    await ada.react((await ada.recommend())["tip"]["impression_id"], "done")
    await turn(ada, "fault", status=503, count=50)

    notice = said(await ConnectState.disconnect.fn(await tab.screen(ConnectState), "todoist"))

    assert notice == ("Disconnected. Please remove oO in Todoist yourself. 1 task you marked done stayed open there.")


async def test_deleting_tells_what_never_reached_the_source(tab: Tab, ada: Browser) -> None:
    await ada.react((await ada.recommend())["tip"]["impression_id"], "done")
    await turn(ada, "fault", status=503, count=50)
    page = await tab.screen(ConnectState)

    async for _ in ConnectState.delete_everything.fn(page):
        pass

    assert page.leave_to == "/?left=1&remove=Todoist&unsent=1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time_zone", "Asia/Tokyo"),
        ("quiet_from", "21:30"),
        ("quiet_to", "06:05"),
        ("notify", True),
        ("paused", True),
        ("learn_across_people", True),
        ("allow_remote_ai", True),
    ],
)
async def test_a_preference_is_kept(tab: Tab, rt: Runtime, name: str, value: object) -> None:
    page = await tab.screen(ConnectState)

    await ConnectState.choose.fn(page, name, value)

    assert getattr(await accounts.preferences(rt, (await page._user()).user_id), name) == value
    assert getattr(page, name) == value
    assert page.saved == "Saved"


async def test_a_time_that_was_emptied_is_said_not_to_be_kept(tab: Tab, rt: Runtime) -> None:
    page = await tab.screen(ConnectState)
    await ConnectState.choose.fn(page, "quiet_from", "21:30")

    await ConnectState.choose.fn(page, "quiet_from", "")

    assert page.saved == "Not saved: a time is missing"
    assert (await accounts.preferences(rt, (await page._user()).user_id)).quiet_from == "21:30"


@pytest.mark.parametrize(("told", "number"), [("1", "1 task "), ("12", "12 tasks "), ("", ""), ("x", ""), ("9999", "")])
async def test_what_another_account_left_undone_is_said(tab: Tab, ada: Browser, told: str, number: str) -> None:
    await tab.open(ada, f"/connect?unsent={told}")
    page = await tab.screen(ConnectState)

    await ConnectState.load.fn(page)

    assert bool(page.problem) == bool(number)
    assert number in page.problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time_zone", "Nowhere/Else"),
        ("time_zone", 1),
        ("quiet_from", "25:00"),
        ("quiet_from", "9:00"),
        ("quiet_to", True),
        ("paused", "yes"),
        ("paused", 1),
        ("user_id", "somebody"),
        ("push_budget_per_week", 99),
        ({}, True),
        ("notify", None),
    ],
)
async def test_a_preference_that_does_not_fit_is_refused(tab: Tab, name: Any, value: Any) -> None:
    page = await tab.screen(ConnectState)

    with pytest.raises(Invalid):
        await ConnectState.choose.fn(page, name, value)


@pytest.mark.parametrize(("source", "error"), [("nothing", NotFound), ({}, Invalid), ("\ud800", Invalid)])
async def test_a_source_that_does_not_exist_cannot_be_disconnected(
    tab: Tab, source: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await ConnectState.disconnect.fn(await tab.screen(ConnectState), source)


async def test_delete_everything_erases_and_leaves(tab: Tab, rt: Runtime) -> None:
    page = await tab.screen(ConnectState)

    async for _ in ConnectState.delete_everything.fn(page):
        assert page.is_leaving

    assert page.leave_to == "/?left=1"
    assert await page._visitor() is None


@pytest.mark.parametrize(
    "call",
    [
        ConnectState.load.fn,
        lambda page: ConnectState.disconnect.fn(page, "todoist"),
        lambda page: ConnectState.choose.fn(page, "paused", True),
        lambda page: anext(ConnectState.delete_everything.fn(page)),
    ],
)
async def test_nobody_is_refused(rt: Runtime, call: Callable) -> None:
    stranger = Tab(rt)
    await stranger.open()

    with pytest.raises(NotSignedIn):
        await call(await stranger.screen(ConnectState))


def test_waiting_completions_are_counted() -> None:
    assert waiting_in_words(0, 0, "Todoist") == ""
    assert waiting_in_words(1, 0, "Todoist") == "1 completion is waiting for Todoist."
    assert waiting_in_words(3, 0, "Todoist") == "3 completions are waiting for Todoist."


def test_refused_completions_are_told() -> None:
    assert waiting_in_words(0, 1, "Todoist") == "Todoist refused 1 completion; please complete it there."
    assert waiting_in_words(1, 2, "Todoist") == (
        "1 completion is waiting for Todoist. Todoist refused 2 completions; please complete them there."
    )


@pytest.mark.parametrize(
    ("text", "is_one"), [("00:00", True), ("23:59", True), ("24:00", False), ("7:00", False), ("", False)]
)
def test_times_of_day(text: str, *, is_one: bool) -> None:
    assert is_time_of_day(text) is is_one


FEED: dict[str, object] = {"source": "ical", "url": "https://calendar.example/basic.ics"}


@pytest.fixture
def world(rt: Runtime, faults: Faults) -> Runtime:
    """A world in which an address leads to a calendar."""

    async def resolve(host: str, port: int) -> Sequence[Ip]:
        return [ip_address("93.184.216.34")]

    changed = replace(rt, http=Http(rt.clock, outside(rt), Addresses(resolve=resolve)))
    use(changed)
    faults.fault = lambda request: (
        httpx.Response(200, content=a_calendar()) if request.url.host == "calendar.example" else None
    )
    return changed


async def test_an_address_that_was_typed_is_connected_and_read(tab: Tab, world: Runtime) -> None:
    page = await tab.screen(ConnectState)

    await ConnectState.connect.fn(page, FEED | {"url": " webcal://calendar.example/basic.ics "})

    row = next(row for row in page.rows if row.source == "ical")
    assert (row.state, row.last_read, row.asks, page.misfit) == ("Connected", "Last read just now", "address", "")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (FEED | {"url": "nonsense"}, "That is not an address like https://example.com/calendar.ics."),
        (FEED | {"url": "http://127.0.0.1/"}, "Nothing answers at that address, or it is not a public one."),
        (FEED | {"url": "https://elsewhere.example/"}, "There is no calendar at that address."),
        (FEED | {"username": "me"}, "Calendar feed takes an address only."),
    ],
)
async def test_what_does_not_fit_is_said_beside_the_fields(
    tab: Tab, world: Runtime, form: dict[str, object], words: str
) -> None:
    page = await tab.screen(ConnectState)

    await ConnectState.connect.fn(page, form)

    assert (page.asked, page.misfit) == ("ical", words)
    assert next(row for row in page.rows if row.source == "ical").state == "Not connected"


@pytest.mark.parametrize("form", [{}, {"source": "todoist", "url": "https://x.example"}, {"source": "nobody"}])
async def test_a_form_for_what_cannot_be_connected_so_is_refused(
    tab: Tab, world: Runtime, form: dict[str, object]
) -> None:
    with pytest.raises(NotFound):
        await ConnectState.connect.fn(await tab.screen(ConnectState), form)


@pytest.mark.parametrize("form", [{"source": 5}, {"source": "ical", "url": ["x"]}, {"source": "ical", "url": "\ud800"}])
async def test_a_form_that_holds_no_texts_is_refused(tab: Tab, form: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await ConnectState.connect.fn(await tab.screen(ConnectState), form)
