"""What a screen reader is told of each page: the roles and names that are promised, in their order."""

import pytest
from playwright.async_api import expect

from tests.a11y.visit import TIP, Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DOOR = """
- main:
  - heading "oO" [level=1]
  - link "Continue with Google"
  - link "Continue with Apple"
  - paragraph:
    - link "Terms"
    - link "Privacy"
  - status
"""
SETTINGS = """
- main:
  - heading "Connect" [level=1]
  - link "Show my tip"
  - list "Sources":
    - listitem:
      - heading "Todoist" [level=2]
      - paragraph: /Connected.*Last read/
      - button "Disconnect Todoist"
  - region "Preferences":
    - combobox "Time zone"
    - textbox "Quiet from"
    - textbox "Quiet to"
    - switch "Notify me"
    - switch "Pause oO"
    - switch "Learn across people"
    - switch "Allow remote AI"
  - region "Answering a tip"
  - region "Your account":
    - link "Download my data"
    - button "Sign out"
    - button "Delete account"
"""
FAREWELL = """
- dialog "Delete your account?":
  - heading "Delete your account?" [level=2]
  - button "Cancel"
  - button "Delete everything"
"""
TIP_PAGE = """
- main:
  - heading [level=1]
  - paragraph:
    - link "Todoist"
  - group "Answer":
    - button "Dismiss"
    - button "Snooze"
    - button "Done"
  - button "Why this?"
  - button "Other times"
  - button "Notify me"
  - link "Settings"
"""


async def test_the_door_says_what_it_promises(visit: Visit) -> None:
    await visit.open("/")

    await expect(visit.page.locator("body")).to_match_aria_snapshot(DOOR)


async def test_the_settings_and_the_tip_say_what_they_promise(visit: Visit) -> None:
    page = visit.page
    await visit.sign_in("names@sandbox.test")
    await visit.connect("ada")
    await expect(page.locator("body")).to_match_aria_snapshot(SETTINGS)
    await page.get_by_role("button", name="Delete account").click()
    await expect(page.locator("body")).to_match_aria_snapshot(FAREWELL)

    await visit.open("/tip")
    await expect(page.locator(TIP)).to_have_attribute("data-kind", "task")
    await expect(page.locator("body")).to_match_aria_snapshot(TIP_PAGE)
