"""A real browser on the served application."""

import shutil
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from tests.served import Served, served

FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PHONE = ViewportSize(width=360, height=740)


def installed_browser() -> str | None:
    """Return the browser of the system; None lets Playwright take its own."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """The application, run once for all stories; each story is another person."""
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
async def chromium() -> AsyncGenerator[Browser]:
    """A browser without a screen."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=installed_browser(), args=list(FLAGS))
        yield browser
        await browser.close()


class Story:
    """One person's browser, and what it complained about."""

    def __init__(self, site: Served, context: BrowserContext) -> None:
        self.site = site
        self.context = context
        self.complaints: list[str] = []

    async def tab(self) -> Page:
        """Open a tab that notes every error of the console and of scripts."""
        page = await self.context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    async def picture(self, page: Page, name: str) -> None:
        """Keep a picture for people to look at."""
        folder = Path("reports/e2e")
        folder.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=folder / f"{name}.png")


@pytest.fixture
async def phone(site: Served, chromium: Browser) -> AsyncGenerator[Story]:
    """A phone-sized browser of a new person."""
    context = await chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True, timezone_id="Europe/Berlin")
    context.set_default_timeout(15_000)
    yield Story(site, context)
    await context.close()
