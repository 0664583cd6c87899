"""One tab, one person after another: nothing of the first is ever sent to the second, whatever is still on its way."""

from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, WebSocket

from tests.doors.rawsocket import HYDRATE, HYDRATE_AND_LOAD, ROOT, TIP, event, tab
from tests.doors.stage import WORDS, Somebody, Stage, call
from tests.e2e.conftest import chromium

__all__ = ["chromium"]

SLOW_MS = 500  # less than a decision waits for a source


@pytest.fixture
def stranger(stage: Stage) -> Somebody:
    """Who comes next."""
    return stage.stranger()


@pytest.mark.server
@pytest.mark.parametrize("greeting", [HYDRATE, HYDRATE_AND_LOAD, f"{TIP}.setvar", f"{ROOT}.set_is_hydrated"])
@pytest.mark.parametrize("comes_signed_in", [True, False])
async def test_the_next_person_in_a_tab_hears_nothing(
    stage: Stage, stranger: Somebody, greeting: str, *, comes_signed_in: bool
):
    name = str(uuid4())
    async with tab(stage.site, stage.victim.cookie, token=name) as first:
        await first.send(f"{TIP}.load")
        assert WORDS in await first.settled()

    cookie = stranger.cookie if comes_signed_in else None
    async with tab(stage.site, cookie, token=name, boot=event(greeting)) as second:
        heard = await second.settled()

    assert (WORDS in heard, stage.impression in heard) == (False, False)


@pytest.mark.server
async def test_a_tab_that_outlives_its_session_hears_nothing_more(stage: Stage):
    cookie = stage.signed_in_again()
    async with tab(stage.site, cookie) as first:
        await first.send(f"{TIP}.load")
        assert WORDS in await first.settled()
        call(stage.site, cookie, "POST", "/auth/signout")
        first.heard.clear()

        await first.send(f"{TIP}.load")
        await first.send(HYDRATE_AND_LOAD)

        assert WORDS not in await first.settled()


@pytest.mark.server
async def test_a_second_socket_in_a_living_tab_gets_a_tab_of_its_own(stage: Stage, stranger: Somebody):
    name = str(uuid4())
    async with tab(stage.site, stage.victim.cookie, token=name) as first:
        await first.send(f"{TIP}.load")
        await first.settled()
        async with tab(stage.site, stranger.cookie, token=name, boot=event(HYDRATE_AND_LOAD)) as second:
            await second.settled()
            await first.send(f"{TIP}.load")
            assert WORDS in await first.settled()
            heard = await second.settled()

    assert WORDS not in heard
    assert "new_token" in heard


@pytest.mark.server
async def test_what_is_on_its_way_to_the_first_person_is_not_delivered_to_the_next(stage: Stage, stranger: Somebody):
    name = str(uuid4())
    stage.make_stale()
    stage.elsewhere.turn("fault", delay_ms=SLOW_MS, path="/api/v1/sync")
    async with tab(stage.site, stage.victim.cookie, token=name) as first:
        await first.settled()
        await first.send(f"{TIP}.look_again")
        await first.emit("ping")  # answered at once, so all that was sent before is on its way
        await first.until("pong")
        assert WORDS not in first.text

    async with tab(stage.site, stranger.cookie, token=name) as second:
        heard = await second.settled()

    assert (WORDS in heard, stage.impression in heard) == (False, False)


@pytest.mark.browser
async def test_a_browser_receives_nothing_of_who_signed_out_in_it(stage: Stage, chromium: Browser):
    context = await chromium.new_context()
    page = await context.new_page()
    frames: list[str] = []
    page.on("websocket", lambda socket: _note(socket, frames))
    await sign_in(stage, page, stage.victim.email)
    await page.goto(f"{stage.site.url}/tip")
    await page.get_by_text(WORDS).first.wait_for()
    assert any(WORDS in frame for frame in frames)

    await page.goto(f"{stage.site.url}/connect")
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{stage.site.url}/")
    frames.clear()
    await sign_in(stage, page, "next@sandbox.test")
    await page.goto(f"{stage.site.url}/tip")
    await page.get_by_role("heading", level=1).wait_for()
    await page.get_by_text("Connect an app").wait_for()

    assert [frame for frame in frames if WORDS in frame or stage.impression in frame] == []
    assert WORDS not in await page.content()
    await context.close()


def _note(socket: WebSocket, frames: list[str]) -> None:
    socket.on("framereceived", lambda payload: frames.append(str(payload)))


async def sign_in(stage: Stage, page: Page, email: str) -> None:
    """Sign in at the sandbox."""
    await page.goto(stage.site.url)
    await page.get_by_role("link", name="Continue with Google").click()
    await page.get_by_label("Email").fill(email)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url(f"{stage.site.url}/*")
