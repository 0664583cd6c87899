"""The installed app: on screen at once, useful offline, and every answer delivered once, whatever happens meanwhile."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, Playwright, async_playwright, expect
from playwright.async_api import Error as PlaywrightError

from tests.e2e.conftest import FLAGS, PHONE, Story, installed_browser
from tests.e2e.test_spine import TIP, connected
from tests.proxy import Proxy, proxied
from tests.served import Served, free_port, served

pytestmark = pytest.mark.browser

# Runs before anything else of a page: notes how many of each there ever were at once.
COUNT = """
window.ooCounts = {main: [], h1: []};
const count = () => { for (const name of ['main', 'h1']) {
  const many = document.querySelectorAll(name).length;
  if (many || window.ooCounts[name].length) window.ooCounts[name].push(many);
} };
new MutationObserver(count).observe(document, {childList: true, subtree: true});
"""
ANSWERS_LEFT = "ooQueue.all().then((all) => all.length)"
SHELL = "caches.open('oo-shell-1').then((cache) => cache.match('/tip')).then((page) => Boolean(page))"
WITHIN_S = 20


async def settled(page: Page) -> None:
    """Wait until the service worker has the page and all it is made of."""
    await expect(page.locator(TIP)).to_be_visible()
    await until(page, SHELL)
    await until(page, "Boolean(navigator.serviceWorker.controller)")


async def until(page: Page, condition: str, expected: object = True) -> None:  # noqa: FBT002 -- what is compared with
    """Wait for a condition; Playwright's own way evaluates it in the page, which the pages' policy forbids."""
    async with asyncio.timeout(WITHIN_S):
        while await page.evaluate(condition) != expected:
            await page.wait_for_timeout(50)


async def offline(page: Page) -> None:
    """Lose the line, with the socket that stands (Chromium's switch leaves that one alone), and open the page anew."""
    await page.context.set_offline(offline=True)
    await page.reload()
    await expect(page.locator("[data-kept=card]")).to_be_visible()


def reactions(site: Served) -> list[tuple[str, str | None, int]]:
    """Return every reaction that is stored: action, snooze, whether it was undone."""
    with sqlite3.connect(site.folder / "oo.db") as database:
        query = "SELECT action, snooze, undone_at IS NOT NULL FROM reaction ORDER BY received_at"
        return database.execute(query).fetchall()


def times(site: Served) -> list[tuple[str, str]]:
    """Return when each reaction was made and when it arrived."""
    with sqlite3.connect(site.folder / "oo.db") as database:
        return database.execute("SELECT reacted_at, received_at FROM reaction ORDER BY received_at").fetchall()


async def test_a_repeat_visit_shows_the_tip_before_the_socket_is_up_and_never_two(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await connected(page, "again@sandbox.test")
    await page.goto(f"{phone.site.url}/tip")
    await settled(page)
    title = await page.locator(TIP).inner_text()
    await page.add_init_script(COUNT)

    await page.route_web_socket("**", lambda _: None)  # it opens, and nobody ever says a word
    await page.reload()

    await expect(page.locator(TIP)).to_have_text(title)
    await expect(page.get_by_role("button", name="Done", exact=True)).to_be_visible()
    await phone.picture(page, "tip-kept")
    other = await phone.tab()
    await other.add_init_script(COUNT)
    await other.goto(f"{phone.site.url}/tip")
    await expect(other.locator("[data-kept]")).to_have_count(0)
    await expect(other.locator(TIP)).to_have_text(title)
    for each in (page, other):
        counts: dict[str, list[int]] = await each.evaluate("window.ooCounts")
        assert set(counts["main"]) == {1}, counts
        assert set(counts["h1"]) == {1}, counts
    assert phone.complaints == []


async def test_offline_the_tip_is_there_and_answers_go_out_in_order_when_the_line_is_back(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await connected(page, "offline@sandbox.test")
    await page.goto(f"{phone.site.url}/tip")
    await settled(page)
    title = await page.locator(TIP).inner_text()
    first = await page.locator(TIP).get_attribute("data-impression")
    stored = reactions(phone.site)

    await offline(page)
    await expect(page.locator(TIP)).to_have_text(title)
    await page.get_by_role("button", name="Done", exact=True).click()
    await expect(page.get_by_text("Sent once you are back.")).to_be_visible()
    await phone.picture(page, "tip-unsent")
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator(TIP)).to_have_text(title)
    await page.reload()
    await expect(page.locator(TIP)).to_have_text(title)  # taken back is taken back, also on a page opened again
    await page.get_by_role("button", name="Snooze", exact=True).click()
    await until(page, ANSWERS_LEFT, 3)
    await page.reload()
    await expect(page.get_by_text("Sent once you are back.")).to_be_visible()
    await expect(page.get_by_role("button", name="Undo")).to_have_count(0)  # what an earlier page noted stands

    await phone.context.set_offline(offline=False)

    await expect(page.locator(f"{TIP}:not([data-impression='{first}'])")).to_be_visible()
    await until(page, ANSWERS_LEFT, 0)
    assert reactions(phone.site)[len(stored) :] == [("done", None, 1), ("snooze", "later_today", 0)]


async def test_answers_of_a_page_that_is_gone_are_sent_by_the_service_worker(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await connected(page, "gone@sandbox.test")
    await page.goto(f"{phone.site.url}/tip")
    await settled(page)
    stored = len(reactions(phone.site))
    await offline(page)
    await page.get_by_role("button", name="Dismiss", exact=True).click()
    await until(page, ANSWERS_LEFT, 1)
    await page.close()
    await phone.context.set_offline(offline=False)
    assert len(reactions(phone.site)) == stored

    other = await phone.context.new_page()
    devtools = await phone.context.new_cdp_session(other)
    known: asyncio.Queue[str] = asyncio.Queue()
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda news: known.put_nowait(news["registrations"][0]["registrationId"]),
    )
    await devtools.send("ServiceWorker.enable")
    await other.goto(f"{phone.site.url}/legal/terms", wait_until="commit")
    registration = {
        "origin": phone.site.url,
        "registrationId": await known.get(),
        "tag": "answers",
        "lastChance": False,
    }
    await devtools.send("ServiceWorker.dispatchSyncEvent", registration)

    await arrived(phone.site, stored + 1)


async def test_offline_elsewhere_a_page_says_so_and_leads_to_the_tip(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await connected(page, "lost@sandbox.test")
    await page.goto(f"{phone.site.url}/tip")
    await settled(page)

    await phone.context.set_offline(offline=True)
    await page.goto(f"{phone.site.url}/connect")

    await expect(page.get_by_role("heading", name="You are offline.")).to_be_visible()
    await page.get_by_role("link", name="Show my tip").click()
    await expect(page.locator(TIP)).to_be_visible()


async def test_a_page_of_an_earlier_version_is_replaced_and_no_answer_lost(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await connected(page, "renewed@sandbox.test")
    await page.goto(f"{phone.site.url}/tip")
    await settled(page)
    first = await page.locator(TIP).get_attribute("data-impression")
    await offline(page)
    await page.get_by_role("button", name="Dismiss", exact=True).click()
    await until(page, ANSWERS_LEFT, 1)

    await page.evaluate(
        """async () => {
          const cache = await caches.open('oo-shell-1');
          const page = await cache.match('/tip');
          const text = (await page.text()).replace('</body>', '<p>An earlier version.</p></body>');
          await cache.put('/tip', new Response(text, {headers: page.headers}));
        }"""
    )
    await page.reload()
    await expect(page.get_by_text("An earlier version.")).to_be_visible()
    await phone.context.set_offline(offline=False)
    with suppress(PlaywrightError):  # the page may do so by itself at the same moment
        await page.reload()

    await expect(page.locator(f"{TIP}:not([data-impression='{first}'])")).to_be_visible()
    await until(page, ANSWERS_LEFT, 0)
    renewed = "caches.match('/tip').then((page) => page.text()).then((text) => !text.includes('earlier version'))"
    await until(page, renewed)
    await page.reload()
    await expect(page.locator(TIP)).to_be_visible()
    await expect(page.get_by_text("An earlier version.")).to_have_count(0)
    assert ("dismiss", None, 0) in reactions(phone.site)


async def test_what_one_person_left_in_a_browser_never_meets_the_next(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await connected(page, "shared-one@sandbox.test")
    await page.goto(f"{phone.site.url}/tip")
    await settled(page)
    title = await page.locator(TIP).inner_text()
    await offline(page)
    await page.get_by_role("button", name="Dismiss", exact=True).click()
    await until(page, ANSWERS_LEFT, 1)
    await page.close()  # with it goes the socket, on which the answer would still be the first person's
    # The session ends without a sign-out here, as after thirty days.
    await phone.context.clear_cookies(name="oo_session")
    await phone.context.set_offline(offline=False)
    page = await phone.tab()
    stored = len(reactions(phone.site))

    await page.goto(phone.site.url)
    await connected(page, "shared-two@sandbox.test")
    assert await page.evaluate("localStorage.getItem('oo.tip')") is None
    await page.add_init_script(COUNT)
    await page.goto(f"{phone.site.url}/tip")
    await expect(page.locator("[data-kept]")).to_have_count(0)

    await until(page, ANSWERS_LEFT, 0)
    assert len(reactions(phone.site)) == stored
    kept: str = await page.evaluate("localStorage.getItem('oo.tip')")
    assert await page.evaluate("oo.person()") in kept
    assert title


async def test_signing_out_leaves_nothing_in_the_browser(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await connected(page, "tidy@sandbox.test")
    await page.goto(f"{phone.site.url}/tip")
    await settled(page)
    await page.goto(f"{phone.site.url}/connect")

    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("link", name="Continue with Google")).to_be_visible()

    left = """Promise.all([caches.keys(), navigator.serviceWorker.getRegistrations()])
      .then(([names, workers]) => [localStorage.getItem('oo.tip'), names.length, workers.length, document.cookie])"""
    tip, caches, workers, cookie = await page.evaluate(left)
    assert (tip, caches, workers) == (None, 0, 0)
    assert "oo_person" not in cookie
    await page.goto(f"{phone.site.url}/tip")
    await expect(page.get_by_role("link", name="Continue with Google")).to_be_visible()


async def test_it_can_be_installed_by_chromiums_own_criteria(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await connected(page, "installer@sandbox.test")
    await page.goto(f"{phone.site.url}/tip")
    await settled(page)

    devtools = await phone.context.new_cdp_session(page)
    manifest: dict[str, Any] = await devtools.send("Page.getAppManifest")
    errors: dict[str, Any] = await devtools.send("Page.getInstallabilityErrors")

    assert manifest["url"].endswith("/manifest.webmanifest")
    assert manifest["errors"] == []
    # A context of Playwright is a private window, which alone keeps it from being installed.
    assert [e["errorId"] for e in errors["installabilityErrors"] if e["errorId"] != "in-incognito"] == []


@dataclass
class Line:
    """A served application behind a line that can be cut, and the folder of one person's browser."""

    site: Served
    proxy: Proxy
    profile: Path
    playwright: Playwright

    async def browser(self) -> BrowserContext:
        """Start the person's browser."""
        return await self.playwright.chromium.launch_persistent_context(
            self.profile, executable_path=installed_browser(), args=list(FLAGS), viewport=PHONE
        )

    async def kill(self, context: BrowserContext) -> None:
        """End the browser as a battery does."""
        for process in Path("/proc").glob("[0-9]*"):
            if self._is_ours(process):
                os.kill(int(process.name), signal.SIGKILL)
        with suppress(PlaywrightError):
            await context.close()

    def _is_ours(self, process: Path) -> bool:
        try:
            return f"--user-data-dir={self.profile}".encode() in (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False


@pytest.fixture
async def line(tmp_path: Path) -> AsyncGenerator[Line]:
    """Serve the application behind a proxy that the browser takes for it."""
    data, profile = tmp_path / "data", tmp_path / "browser"
    data.mkdir()
    port = free_port()
    with served(data, OO_BASE_URL=f"http://localhost:{port}") as site:
        async with proxied(int(site.url.rpartition(":")[2]), port) as proxy, async_playwright() as playwright:
            yield Line(Served(f"http://localhost:{port}", data, site.pid), proxy, profile, playwright)


@pytest.mark.parametrize("lost", ["swallows_questions", "swallows_answers"])
async def test_an_answer_cut_off_before_it_was_acknowledged_is_stored_once_after_a_restart(
    line: Line, lost: str
) -> None:
    context = await line.browser()
    page = await context.new_page()
    await page.goto(line.site.url)
    await connected(page, "cut@sandbox.test")
    await context.close()  # Chromium takes half a minute to write cookies down, unless it is ended in peace
    context = await line.browser()
    page = await context.new_page()
    await page.goto(f"{line.site.url}/tip")
    await settled(page)
    first = await page.locator(TIP).get_attribute("data-impression")

    setattr(line.proxy.line, lost, True)
    await page.get_by_role("button", name="Snooze", exact=True).click()
    await until(page, ANSWERS_LEFT, 1)
    await expect(page.locator(TIP)).to_have_attribute("data-impression", first or "")
    if lost == "swallows_answers":
        await arrived(line.site, 1)
    await line.kill(context)
    line.proxy.heal()
    before = len(reactions(line.site))
    context = await line.browser()
    page = await context.new_page()
    await page.goto(f"{line.site.url}/tip")

    await expect(page.locator(f"{TIP}:not([data-impression='{first}'])")).to_be_visible()
    await until(page, ANSWERS_LEFT, 0)
    assert before == (1 if lost == "swallows_answers" else 0)
    assert reactions(line.site) == [("snooze", "later_today", 0)]
    [(made, came)] = times(line.site)
    assert made <= came
    await context.close()


async def arrived(site: Served, many: int) -> None:
    """Wait until the server has stored that many reactions."""
    for _ in range(WITHIN_S * 20):
        if len(reactions(site)) >= many:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(lines_of(site))


def lines_of(site: Served) -> str:
    """Return what the server said, to be read when a test fails."""
    return (site.folder / "served.log").read_text()
