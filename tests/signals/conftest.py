"""Readings that go on from the one before."""

import pytest

from tests.browser import Browser


@pytest.fixture
async def ada(browser: Browser) -> Browser:
    """Ada, who signs in and connects in this very test: the sandbox still knows what it told her."""
    await browser.sign_in("ada@sandbox.test")
    await browser.connect_todoist()
    return browser
