import pytest
from httpx import ASGITransport
from reflex.state import State

from oo_app import accounts
from oo_app.accounts import is_time_zone
from oo_app.kit.errors import Invalid
from oo_app.runtime import Runtime
from state.base import AppState, read_cookie
from state.connect import ConnectState
from state.tip import TipState
from tests.browser import Browser
from tests.state.screens import Tab


@pytest.fixture
async def tab(rt: Runtime, ada: Browser) -> Tab:
    """Ada's tab, filled."""
    new = Tab(rt)
    await new.open(ada, "/tip")
    await TipState.load.fn(await new.screen(TipState))
    await ConnectState.load.fn(await new.screen(ConnectState))
    return new


async def test_another_person_in_the_same_tab_gets_nothing_of_the_first(
    tab: Tab, rt: Runtime, app: ASGITransport
) -> None:
    content = (await tab.screen(TipState)).card.content
    assert content in tab.leaving()

    async with Browser(rt, app) as ben:
        await ben.sign_in("ben@sandbox.test")
        await tab.open(ben, "/tip")

    assert content not in tab.leaving()
    assert (await tab.screen(ConnectState)).rows == []
    assert (await tab.screen(TipState))._zone == "UTC"


async def test_a_tab_without_cookie_gets_nothing_of_the_person_before(tab: Tab) -> None:
    content = (await tab.screen(TipState)).card.content

    await tab.open(None, "/tip")

    assert content not in tab.leaving()


async def test_a_session_that_ended_gets_nothing_when_the_page_hydrates(tab: Tab, rt: Runtime, ada: Browser) -> None:
    content = (await tab.screen(TipState)).card.content
    await accounts.close_session(rt, ada.client.cookies.get(rt.settings.session_cookie))

    await tab.send("hydrate_and_load")

    assert content not in tab.leaving()


async def test_no_var_is_set_from_outside(tab: Tab) -> None:
    with pytest.raises(Invalid):
        await tab.send("state___base____app_state.state___tip____tip_state.setvar")


async def test_the_same_session_keeps_its_tab(tab: Tab, ada: Browser) -> None:
    content = (await tab.screen(TipState)).card.content

    await tab.open(ada, "/tip")

    assert content in tab.leaving()


async def test_no_event_carries_a_state_over_to_another_session(tab: Tab, rt: Runtime, app: ASGITransport) -> None:
    content = (await tab.screen(TipState)).card.content
    async with Browser(rt, app) as ben:
        await ben.sign_in("ben@sandbox.test")
        tab.root.router_data["headers"]["cookie"] = f"{rt.settings.session_cookie}={ben.client.cookies['oo_session']}"
        tab.root._update_router_vars(tab.root.router_data, {})

        await tab.send("react")

    assert content not in tab.leaving()


async def test_the_cookie_never_leaves(tab: Tab, ada: Browser) -> None:
    assert ada.client.cookies["oo_session"] not in tab.leaving()


async def test_cookies_of_others_do_not_hide_ours(rt: Runtime) -> None:
    tab = Tab(rt)
    await tab.open(None, "/", other='{"a": 1}', oo_zone="Europe%2FParis", odd="a=b=c")

    assert read_cookie(await tab.screen(AppState), "oo_zone") == "Europe/Paris"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("Europe/Paris", True),
        ("UTC", True),
        ("Asia/Calcutta", True),
        ("", False),
        ("/etc/passwd", False),
        ("A/B", False),
        ("localtime", False),
        ("Factory", False),
        ("posix/UTC", False),
    ],
)
def test_time_zones_are_known_by_name(name: str, *, is_one: bool) -> None:
    assert is_time_zone(name) is is_one


def test_states_are_flat_under_the_parent() -> None:
    screens = AppState.get_substates()

    assert AppState.get_parent_state() is State
    assert all(not screen.get_substates() for screen in screens)
