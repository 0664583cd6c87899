"""Stories told with a keyboard alone; nobody touches the mouse in this file."""

import re
from itertools import pairwise

import pytest
from playwright.async_api import Page, expect

from tests.a11y.keyboard import Keyboard, Stop
from tests.a11y.visit import TIP, Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SETTINGS = [
    "Show my tip",
    "Disconnect Todoist",
    "Connect Google Calendar",
    "Connect Calendar feed",
    "Connect CalDAV tasks",
    "Time zone",
    "Quiet from",
    "Quiet to",
    "Notify me",
    "Pause oO",
    "Learn across people",
    "Allow remote AI",
    "Download my data",
    "Sign out",
    "Delete account",
]
UNDER_THE_TIP = ["Dismiss", "Snooze", "Done", "Why this?", "Other times", "Notify me", "Settings"]


async def test_a_new_person_reaches_a_tip_from_the_address_bar(visit: Visit) -> None:
    page, keyboard = visit.page, Keyboard(visit.page)
    await visit.open("/")
    assert names(await keyboard.stops()) == ["Continue with Google", "Continue with Apple", "Terms", "Privacy"]
    await keyboard.go_to("Continue with Google")
    await keyboard.press("Enter")
    await page.wait_for_url("**/sandbox/google/**")
    await keyboard.go_to("Email")
    await page.keyboard.type("keys@sandbox.test")
    await keyboard.press("Enter")
    await page.wait_for_url("**/connect")
    await expect(visit.source().get_by_text("Not connected", exact=True)).to_be_visible()
    await keyboard.go_to("Connect Todoist")
    await keyboard.press("Space")
    await page.wait_for_url("**/sandbox/todoist/**")
    await keyboard.go_to("Agree")
    await keyboard.press("Enter")
    await page.wait_for_url("**/connect")
    await expect(visit.source().get_by_text("Connected", exact=True)).to_be_visible()
    assert names(await keyboard.stops()) == SETTINGS
    await keyboard.go_to("Show my tip")
    await keyboard.press("Enter")

    await expect(page.locator(TIP)).to_be_visible()
    await keyboard.press("Tab")
    assert await keyboard.focused_name() == "Todoist"
    assert names(await keyboard.stops()) == ["Todoist", *UNDER_THE_TIP]
    assert visit.complaints == []


@pytest.mark.parametrize("path", ["/", "/connect", "/tip", "/legal/terms", "/legal/privacy", "/nowhere", "/api/docs"])
async def test_every_stop_is_seen_and_comes_in_reading_order(path: str, visit: Visit) -> None:
    if path in {"/connect", "/tip"}:
        await visit.sign_in(f"stops{path.replace('/', '-')}@sandbox.test")
        await visit.connect("ada")
    await visit.open(path)
    await expect(visit.page.locator(f"{TIP}, main:not(.tip)")).to_be_visible()

    stops = await Keyboard(visit.page).stops()

    assert stops
    assert [stop.name for stop in stops if not stop.ring or not stop.is_seen] == []
    assert [stop.name for before, stop in pairwise(stops) if not stop.comes_after(before)] == []


async def test_the_dialog_keeps_the_focus_and_gives_it_back(visit: Visit) -> None:
    keyboard = Keyboard(visit.page)
    await visit.sign_in("dialog@sandbox.test")
    await keyboard.go_to("Delete account")
    await keyboard.press("Enter")
    await expect(visit.page.get_by_role("dialog", name="Delete your account?")).to_be_visible()

    first = await keyboard.focused_name()
    met = {await keyboard.focused_name() for _ in range(6) if not await keyboard.press("Tab")}
    await keyboard.press("Escape")

    assert first == "Cancel"
    assert met - {""} == {"Cancel", "Delete everything"}  # in between, the browser's own bars
    await expect(visit.page.get_by_role("dialog")).to_have_count(0)
    assert await keyboard.focused_name() == "Delete account"


@pytest.mark.parametrize(("opener", "keys"), [("Why this?", ["Escape"]), ("Other times", ["Tab", "Escape"])])
async def test_a_sheet_gives_the_focus_back(opener: str, keys: list[str], visit: Visit) -> None:
    keyboard = Keyboard(visit.page)
    await shown(visit, f"sheet{len(keys)}@sandbox.test")
    await keyboard.go_to(opener)
    button = visit.page.get_by_role("button", name=opener)
    await keyboard.press("Enter")
    await expect(button).to_have_attribute("aria-expanded", "true")

    await keyboard.press(*keys)

    await expect(button).to_have_attribute("aria-expanded", "false")
    assert await keyboard.focused_name() == opener


async def test_another_time_is_chosen_in_the_sheet_and_the_focus_goes_on_from_there(visit: Visit) -> None:
    keyboard = Keyboard(visit.page)
    await shown(visit, "later@sandbox.test")
    await keyboard.go_to("Other times")
    await keyboard.press("Enter", "Tab", "Tab")
    assert await keyboard.focused_name() == "Tomorrow"

    async with another_tip(visit.page):
        await keyboard.press("Enter")

    assert await keyboard.focused_name() == "Other times"


async def test_letters_answer_and_take_back(visit: Visit) -> None:
    keyboard = Keyboard(visit.page)
    await shown(visit, "letters@sandbox.test")
    for key in "dsx":
        async with another_tip(visit.page) as before:
            await keyboard.press(key)
        await expect(visit.page.get_by_role("button", name="Undo")).to_be_visible()

        async with another_tip(visit.page):
            await keyboard.press("u")

        assert await tip_of(visit.page) == before
        await expect(visit.page.get_by_role("button", name="Undo")).to_have_count(0)


async def test_the_focus_stays_on_the_answer_and_goes_on_when_there_is_none(visit: Visit) -> None:
    keyboard = Keyboard(visit.page)
    await visit.turn("reset")
    await visit.add_tasks("new", {"content": "One"}, {"content": "Two"})
    await shown(visit, "focus@sandbox.test", account="new")
    await keyboard.go_to("Done")

    async with another_tip(visit.page):
        await keyboard.press("Enter")
    assert await keyboard.focused_name() == "Done"

    await keyboard.press("Space")
    await expect(visit.page.get_by_role("heading", name="Nothing needs you right now.")).to_be_visible()
    assert await keyboard.focused_name() == "Look again"

    await keyboard.go_to("Undo")
    async with another_tip(visit.page):
        await keyboard.press("Enter")
    assert await keyboard.focused_name() in UNDER_THE_TIP


async def test_a_key_that_is_held_down_answers_once(visit: Visit) -> None:
    keyboard = Keyboard(visit.page)
    await shown(visit, "held@sandbox.test")
    await keyboard.go_to("Snooze")
    async with another_tip(visit.page):
        await visit.page.keyboard.down("Enter")
    second = await tip_of(visit.page)

    await visit.page.keyboard.down("Enter")
    await visit.page.keyboard.down("Enter")
    await visit.page.keyboard.up("Enter")
    await visit.page.reload()

    await expect(visit.page.locator(f"[data-impression='{second}']")).to_be_visible()


async def test_the_focus_goes_on_where_a_button_goes_away(visit: Visit) -> None:
    keyboard = Keyboard(visit.page)
    await shown(visit, "beside@sandbox.test")
    await keyboard.go_to("Notify me")
    await keyboard.press("Enter")
    await expect(visit.page.get_by_role("button", name="Notify me")).to_have_count(0)
    assert await keyboard.focused_name() == "Why this?"

    await visit.open("/connect")
    await keyboard.go_to("Disconnect Todoist")
    await keyboard.press("Enter")
    await expect(visit.source().get_by_text("Not connected", exact=True)).to_be_visible()
    assert await keyboard.focused_name() == "Connect Todoist"


async def test_another_page_begins_at_its_heading(visit: Visit) -> None:
    keyboard = Keyboard(visit.page)
    await shown(visit, "heading@sandbox.test")
    await keyboard.go_to("Settings")

    await keyboard.press("Enter")

    await expect(visit.page.get_by_role("heading", name="Connect")).to_be_focused()


async def test_a_new_tip_is_read_out_once(visit: Visit) -> None:
    await shown(visit, "aloud@sandbox.test")
    await visit.page.evaluate(LISTEN)

    async with another_tip(visit.page):
        await Keyboard(visit.page).press("s")
    await visit.page.get_by_role("button", name="Undo").wait_for(state="hidden")

    title = await visit.page.locator(TIP).inner_text()
    heard: list[str] = await visit.page.evaluate("ooHeard")
    assert len([words for words in heard if title in words]) == 1, heard


# What a screen reader would read: what is added to a live region, or changed in it.
LISTEN = """() => {
  const LIVE = "[aria-live], [role=status], [role=alert], output";
  globalThis.ooHeard = [];
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) {
      const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
      if (!element?.closest(LIVE)) continue;
      if (target.nodeType === Node.TEXT_NODE) ooHeard.push(target.data);
      else for (const node of addedNodes) ooHeard.push(node.textContent);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
}"""


class another_tip:  # noqa: N801 -- reads as the sentence it stands in
    """Wait, at the end of a block, until the tip that was there before it is gone and another is there."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def __aenter__(self) -> str:
        self._before = await tip_of(self._page)
        return self._before

    async def __aexit__(self, *_: object) -> None:
        await expect(self._page.locator(f"[data-testid=tip]:not([data-impression='{self._before}'])")).to_be_visible()


async def tip_of(page: Page) -> str:
    """Return the impression that is shown, or nothing."""
    tip = page.locator(TIP)
    return await tip.get_attribute("data-impression") or "" if await tip.count() else ""


async def shown(visit: Visit, email: str, *, account: str = "ada") -> None:
    """Bring a new person to their first tip."""
    await visit.sign_in(email)
    await visit.connect(account)
    await visit.open("/tip")
    await expect(visit.page.locator(TIP)).to_be_visible()


def names(stops: list[Stop]) -> list[str]:
    """Return what the stops are called."""
    return [re.sub(r"\s+", " ", stop.name) for stop in stops]
