"""The states of /connect."""

from playwright.async_api import expect

from state.connect import PROBLEMS
from tests.a11y.state import State, at
from tests.a11y.visit import READ_ONLY, Visit


async def nothing_connected(visit: Visit) -> None:
    await visit.sign_in("settings@sandbox.test")
    await expect(visit.page.get_by_text("Not connected", exact=True).first).to_be_visible()


async def not_agreed(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Connect Todoist").click()
    await visit.page.get_by_role("button", name="Cancel").click()
    await expect(visit.page.get_by_role("alert")).to_have_text(PROBLEMS["denied"])


async def connected(visit: Visit) -> None:
    await visit.connect("ada", scope=READ_ONLY)


async def saved(visit: Visit) -> None:
    await visit.page.get_by_label("Time zone").select_option("Europe/Lisbon")
    await expect(visit.page.get_by_text("Saved", exact=True)).to_be_visible()


async def switched_on(visit: Visit) -> None:
    await visit.page.get_by_label("Allow remote AI").check()
    await expect(visit.page.get_by_text("Saved again")).to_be_visible()


async def not_saved(visit: Visit) -> None:
    await visit.page.get_by_label("Quiet from").fill("")
    await expect(visit.page.get_by_text("Not saved: a time is missing")).to_be_visible()


async def asked_before_deleting(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Delete account").click()
    await expect(visit.page.get_by_role("dialog")).to_be_visible()


async def asked_for_an_address(visit: Visit) -> None:
    await visit.page.keyboard.press("Escape")
    await visit.page.get_by_role("button", name="Connect Calendar feed").click()
    await expect(visit.page.get_by_role("dialog")).to_be_visible()


async def no_such_address(visit: Visit) -> None:
    await visit.page.get_by_role("dialog").get_by_label("Address").fill("https://localhost/calendar.ics")
    await visit.page.get_by_role("dialog").get_by_role("button", name="Connect", exact=True).click()
    await expect(visit.page.get_by_role("alert")).to_have_text(
        "Nothing answers at that address, or it is not a public one."
    )


async def in_trouble(visit: Visit) -> None:
    """One completion is refused, since the grant is for reading only; one waits, since the grant is gone by then."""
    await visit.page.keyboard.press("Escape")
    await visit.open("/tip")
    await visit.answer("Done")
    await visit.open("/connect")
    await visit.reload_until("Todoist refused 1 completion")
    await visit.open("/tip")
    await visit.answer("Done")
    await visit.turn("revoke")
    await visit.open("/connect")
    await visit.reload_until("Needs attention")
    await visit.page.reload()
    await expect(visit.page.get_by_text("1 completion is waiting for Todoist")).to_be_visible()


async def disconnected(visit: Visit) -> None:
    await visit.disconnect()
    await expect(visit.page.locator("output")).to_contain_text("2 tasks you marked done stayed open there.")


async def offline(visit: Visit) -> None:
    await visit.cut_line()
    await expect(visit.page.get_by_text("Offline. oO will be back.")).to_be_visible()


STATES = (
    State("nothing connected", nothing_connected),
    State("not agreed", not_agreed),
    *(State(f"problem {code}", at(f"/connect?error={code}", words)) for code, words in PROBLEMS.items()),
    State("another account", at("/connect?unsent=3", "3 tasks you marked done stayed open there.")),
    State("connected", connected),
    State("saved", saved),
    State("switched on", switched_on),
    State("not saved", not_saved),
    State("asked before deleting", asked_before_deleting),
    State("asked for an address", asked_for_an_address),
    State("no such address", no_such_address),
    State("in trouble", in_trouble),
    State("disconnected", disconnected),
    State("offline", offline),
)
