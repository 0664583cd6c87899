"""A state of a page: its name, and how a person gets there from the one before."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import expect

from tests.a11y.visit import Visit


@dataclass(frozen=True)
class State:
    """What the page is in when `reach` has returned."""

    name: str
    reach: Callable[[Visit], Awaitable[None]]


def at(path: str, text: str, *, is_missing: bool = False) -> Callable[[Visit], Awaitable[None]]:
    """Return the way to an address, which ends when a text is on the page."""

    async def reach(visit: Visit) -> None:
        visit.expects_failures = is_missing  # Chromium's console calls a page answered 404 an error
        await visit.open(path)
        await expect(visit.page.get_by_text(text).first).to_be_visible()

    return reach
