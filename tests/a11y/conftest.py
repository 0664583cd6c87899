"""A served application of its own, because these stories make its sandbox fail; one browser for all of them."""

from collections.abc import AsyncGenerator, Generator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.a11y.exam import PHONE, WATCH_SHIFTS
from tests.a11y.visit import Visit
from tests.e2e.conftest import FLAGS, installed_browser
from tests.served import Served, served


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """The application, run once for all stories; each story is another person, though all come from one address."""
    with served(tmp_path_factory.mktemp("served"), OO_RATE_FACTOR="20") as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncGenerator[Browser]:
    """A browser without a screen."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=installed_browser(), args=list(FLAGS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visit(site: Served, chromium: Browser) -> AsyncGenerator[Visit]:
    """A new person at the door."""
    context = await chromium.new_context(viewport=PHONE, timezone_id="Europe/Berlin")
    context.set_default_timeout(15_000)
    await context.add_init_script(WATCH_SHIFTS)
    visit = Visit(site, context, await context.new_page())
    await visit.watch_line()
    yield visit
    await context.close()
