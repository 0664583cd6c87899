"""The states of /tip."""

from playwright.async_api import expect

from state.tip import NOTED, SILENCES, UNREAD
from tests.a11y.state import State
from tests.a11y.visit import TIP, Visit

ACCOUNT = "new"
LONG = (
    "Go through every comment in the design file of the settings page, sort them into now, later and never, and write "
    "down for each of the ones we drop why we drop it: so that nobody, not even Wolfeschlegelsteinhausenbergerdorff, "
    "has to ask again, https://design.example.com/files/2026/settings-page/comments?sort=newest-first&resolved=false"
)
TASKS = (
    {"content": "Dentist", "description": "Dr. Sommer, second floor. Bring the card.", "due_string": "tomorrow at 9"},
    {"content": LONG, "description": LONG, "due_date": "2026-01-31"},
    {"content": "Ask Tom whether the contract with the print shop can be moved"},
)


async def no_source(visit: Visit) -> None:
    await visit.sign_in("tip@sandbox.test")
    await visit.open("/tip")
    await expect(visit.page.get_by_role("heading", name=SILENCES["no_source"])).to_be_visible()


async def unread(visit: Visit) -> None:
    """Todoist cannot be read when it is connected, at the first try nor at the two that follow."""
    await visit.turn("reset")
    await visit.add_tasks(ACCOUNT, *TASKS)
    await visit.turn("fault", status=503, count=3, path="/sync")
    await visit.connect(ACCOUNT)
    await visit.open("/tip")
    await expect(visit.page.get_by_role("heading", name=UNREAD)).to_be_visible()


async def choosing(visit: Visit) -> None:
    await visit.open("/connect")
    await visit.disconnect()
    await visit.connect(ACCOUNT)
    visit.hold_line()
    await visit.open("/tip")
    await expect(visit.page.get_by_role("heading", name="oO is choosing")).to_be_attached()


async def first_tip(visit: Visit) -> None:
    await visit.free_line()
    await visit.open("/tip")
    await expect(visit.page.locator(TIP)).to_be_visible()


async def kept(visit: Visit) -> None:
    """The tip that was open last is drawn again before the socket has said a word."""
    title = await visit.page.locator(TIP).inner_text()
    visit.hold_line()
    await visit.open("/tip")
    await expect(visit.page.locator("[data-kept=card] h1")).to_have_text(title)


async def answered_offline(visit: Visit) -> None:
    await visit.cut_line()
    await visit.page.get_by_role("button", name="Snooze", exact=True).click()
    await expect(visit.page.get_by_text("Sent once you are back.")).to_be_visible()


async def taken_back_offline(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Undo").click()
    await expect(visit.page.locator(TIP)).to_be_visible()


async def back_again(visit: Visit) -> None:
    await visit.free_line()
    await visit.open("/tip")
    await expect(visit.page.locator("[data-kept]")).to_have_count(0)


async def noted(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Notify me").click()
    await expect(visit.page.locator("output")).to_have_text(NOTED)


async def why(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Why this?").click()
    await expect(visit.page.get_by_text("Chosen by chance")).to_be_visible()


async def other_times(visit: Visit) -> None:
    await visit.page.keyboard.press("Escape")
    await visit.page.get_by_role("button", name="Other times").click()
    await expect(visit.page.get_by_role("button", name="Tomorrow")).to_be_visible()


async def next_tip(visit: Visit) -> None:
    """Which of the three tips comes when is left to chance; all are seen."""
    await visit.page.keyboard.press("Escape")
    await visit.answer("Dismiss")
    await expect(visit.page.get_by_role("button", name="Undo")).to_be_visible()


async def nothing_suitable(visit: Visit) -> None:
    await visit.answer("Dismiss")
    await expect(visit.page.get_by_role("heading", name=SILENCES["nothing_suitable"])).to_be_visible()


async def still_nothing(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Look again").click()
    await expect(visit.page.locator("output")).to_have_text("Still nothing.")


async def resting(visit: Visit) -> None:
    await visit.open("/connect")
    await visit.page.get_by_label("Pause oO").check()
    await expect(visit.page.get_by_text("Saved", exact=True)).to_be_visible()
    await visit.open("/tip")
    await expect(visit.page.get_by_role("heading", name=SILENCES["resting"])).to_be_visible()


async def offline(visit: Visit) -> None:
    await visit.cut_line()
    await expect(visit.page.get_by_text("Offline. oO will be back.")).to_be_visible()


async def away(visit: Visit) -> None:
    """Another page is asked for, which nothing but the service worker answers now."""
    await visit.open("/connect")
    await expect(visit.page.get_by_role("heading", name="You are offline.")).to_be_visible()


STATES = (
    State("no source", no_source),
    State("unread", unread),
    State("choosing", choosing),
    State("first tip", first_tip),
    State("kept", kept),
    State("answered offline", answered_offline),
    State("taken back offline", taken_back_offline),
    State("back again", back_again),
    State("noted", noted),
    State("why", why),
    State("other times", other_times),
    State("second tip", next_tip),
    State("third tip", next_tip),
    State("nothing suitable", nothing_suitable),
    State("still nothing", still_nothing),
    State("resting", resting),
    State("offline", offline),
    State("away", away),
)
