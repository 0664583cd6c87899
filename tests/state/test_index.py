import pytest

from oo_app.runtime import Runtime
from state.index import PROBLEMS, IndexState, explained, farewell
from tests.browser import Browser
from tests.state.screens import Tab, said


async def test_a_stranger_sees_the_ways_in(rt: Runtime) -> None:
    tab = Tab(rt)
    await tab.open(None, "/")
    page = await tab.screen(IndexState)

    assert await IndexState.load.fn(page) is None
    assert (page.has_google, page.has_apple, page.problem, page.farewell) == (True, True, "", "")


async def test_somebody_signed_in_goes_on_to_connect(rt: Runtime, browser: Browser) -> None:
    await browser.sign_in("ben@sandbox.test")
    tab = Tab(rt)
    await tab.open(browser, "/")

    assert said(await IndexState.load.fn(await tab.screen(IndexState))) == "/connect"


async def test_somebody_connected_goes_on_to_the_tip(rt: Runtime, ada: Browser) -> None:
    tab = Tab(rt)
    await tab.open(ada, "/")

    assert said(await IndexState.load.fn(await tab.screen(IndexState))) == "/tip"


async def test_what_went_wrong_is_explained(rt: Runtime) -> None:
    tab = Tab(rt)
    await tab.open(None, "/?error=expired")
    page = await tab.screen(IndexState)

    await IndexState.load.fn(page)

    assert page.problem == PROBLEMS["expired"]


@pytest.mark.parametrize("code", ["<script>", "x" * 1000, "DENIED"])
def test_a_made_up_code_is_never_shown(code: str) -> None:
    assert explained(code) == PROBLEMS["unknown"]


@pytest.mark.parametrize(
    ("remove", "unsent", "sentence"),
    [
        ("", "", "Everything is deleted."),
        ("todoist", "", "Everything is deleted. Please remove oO in Todoist yourself."),
        ("Todoist", "0", "Everything is deleted. Please remove oO in Todoist yourself."),
        ("<b>evil</b>", "<b>", "Everything is deleted."),
        ("", "1", "Everything is deleted. 1 task you marked done stayed open there."),
        ("", "99999999999", "Everything is deleted."),
    ],
)
def test_leaving_says_what_is_left_to_do(remove: str, unsent: str, sentence: str) -> None:
    assert farewell(remove, unsent) == sentence


def test_leaving_names_apple_where_it_could_not_be_told() -> None:
    assert farewell("Todoist,Apple", "") == "Everything is deleted. Please remove oO in Todoist and Apple yourself."
