"""A new person the whole way on a phone, and in two tabs at once."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import Story

pytestmark = pytest.mark.browser
TIP = "[data-testid=tip][data-impression]"


async def test_a_new_person_goes_the_whole_way_on_a_phone(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await expect(page.get_by_role("heading", name="oO", level=1)).to_be_visible()
    await phone.picture(page, "index")
    await connected(page, "walker@sandbox.test")
    await phone.picture(page, "connect")

    await page.get_by_role("link", name="Show my tip").click()
    tip = page.locator(TIP)
    await expect(tip).to_be_visible()
    await phone.picture(page, "tip")
    first = await tip.get_attribute("data-impression")
    title = await tip.inner_text()
    assert await tip.get_attribute("data-kind") == "task"
    row = await row_at_todoist(phone, title)
    assert row
    await page.get_by_role("button", name="Why this?").click()
    await expect(page.get_by_text("by chance")).to_be_visible()
    await page.get_by_role("button", name="Done", exact=True).click()
    await expect(page.locator(f"{TIP}:not([data-impression='{first}'])")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator(f"[data-impression='{first}']")).to_have_text(title)
    await page.keyboard.press("d")
    await expect(page.locator(f"{TIP}:not([data-impression='{first}'])")).to_be_visible()

    assert await row_at_todoist(phone, title) == row
    await expect_closed(phone, title, row)
    assert await page.locator("main").count() == 1
    assert await page.locator("h1").count() == 1
    assert phone.complaints == []


async def test_two_tabs_show_one_tip_and_the_second_answer_is_told_calmly(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await connected(page, "tabs@sandbox.test")
    other = await phone.tab()
    await page.goto(f"{phone.site.url}/tip")
    await other.goto(f"{phone.site.url}/tip")
    first = await page.locator(TIP).get_attribute("data-impression")
    assert await other.locator(TIP).get_attribute("data-impression") == first

    await page.get_by_role("button", name="Snooze", exact=True).click()
    await expect(page.locator(f"{TIP}:not([data-impression='{first}'])")).to_be_visible()
    await other.get_by_role("button", name="Done", exact=True).click()

    await expect(other.get_by_text("Already answered")).to_be_visible()
    second = await page.locator(TIP).get_attribute("data-impression")
    await expect(other.locator(f"[data-impression='{second}']")).to_be_visible()
    assert phone.complaints == []


async def test_a_page_says_what_happened_when_sign_in_is_refused(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await page.get_by_role("link", name="Continue with Apple").click()

    await page.get_by_role("button", name="Cancel").click()

    await expect(page.get_by_role("alert")).to_be_visible()
    assert page.url.startswith(f"{phone.site.url}/?error=denied")


async def test_everything_is_deleted_from_the_page_and_the_session_is_over(phone: Story) -> None:
    page = await phone.tab()
    await page.goto(phone.site.url)
    await connected(page, "leaver@sandbox.test")

    await page.get_by_role("button", name="Delete account").click()
    await page.get_by_role("button", name="Delete everything").click()
    await page.wait_for_url(f"{phone.site.url}/?*")

    await expect(page.get_by_text("Everything is deleted")).to_be_visible()
    assert {cookie.get("name") for cookie in await phone.context.cookies()} <= {
        "oo_zone",
        "oo_flow",
    }  # the zone is nobody's, the round trip over
    await page.goto(f"{phone.site.url}/connect")
    await expect(page.get_by_role("link", name="Continue with Google")).to_be_visible()
    assert phone.complaints == []


async def connected(page: Page, email: str) -> None:
    """Sign in with Apple, whose answer comes as a cross-site form post, and agree at Todoist."""
    await page.get_by_role("link", name="Continue with Apple").click()
    await page.get_by_label("Email").fill(email)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url("**/connect")
    await page.get_by_role("button", name="Connect Todoist", exact=True).click()
    await page.get_by_role("button", name="Agree").click()
    await page.wait_for_url("**/connect")
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible()


async def row_at_todoist(phone: Story, title: str) -> str:
    """Return how the sandbox's Todoist lists an open task: its title and due date, nothing once it is completed."""
    page = await phone.context.new_page()
    await page.goto(f"{phone.site.url.replace('localhost', '127.0.0.1')}/sandbox/todoist/?account=ada")
    rows = await page.locator("li").filter(has_text=title).all_inner_texts()
    await page.close()
    return "".join(rows)


async def expect_closed(phone: Story, title: str, before: str) -> None:
    """Wait for the close, six seconds after the tap: the task is gone there, or has moved on if it recurs."""
    for _ in range(30):
        if await row_at_todoist(phone, title) != before:
            return
        await asyncio.sleep(0.5)
    raise AssertionError(title)
