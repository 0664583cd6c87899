"""What somebody with a keyboard meets: where the focus stands, whether it can be seen, where Tab leads."""

from dataclasses import dataclass
from typing import Any

from playwright.async_api import Page

MOST_STOPS = 40
FOCUSED = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const style = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return {
    name: (at.ariaLabel ?? at.labels?.[0]?.innerText ?? at.innerText).trim(),
    ring: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    isSeen: hit === at || at.contains(hit),
    top: box.top + scrollY,
    bottom: box.bottom + scrollY,
    left: box.left,
  };
}"""


@dataclass(frozen=True)
class Stop:
    """One element that has the focus."""

    name: str
    ring: float
    is_seen: bool
    top: float
    bottom: float
    left: float

    def comes_after(self, before: "Stop") -> bool:
        """Whether a reader comes here after the other: further down, or further right in the same row."""
        return self.top >= before.bottom - 1 or (self.bottom > before.top and self.left > before.left)


class Keyboard:
    """Presses keys on a tab and tells where that led."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            await self._page.keyboard.press(key)

    async def focused(self) -> Stop | None:
        """Return where the focus stands; None when it stands nowhere."""
        found: dict[str, Any] | None = await self._page.evaluate(FOCUSED)
        if found is None:
            return None
        return Stop(found["name"], found["ring"], found["isSeen"], found["top"], found["bottom"], found["left"])

    async def focused_name(self) -> str:
        """Return the name of what has the focus; nothing when nothing has."""
        stop = await self.focused()
        return stop.name if stop else ""

    async def stops(self) -> list[Stop]:
        """Go through the page from its top by Tab alone, until the focus leaves it or begins anew."""
        while await self.focused():  # to the end, which is where the beginning comes after
            await self.press("Tab")
        found: list[Stop] = []
        for _ in range(MOST_STOPS):
            await self.press("Tab")
            stop = await self.focused()
            if stop is None:
                return found
            if not found or stop.name != found[-1].name:  # a time of day is several stops in one
                found.append(stop)
        raise AssertionError(found)

    async def go_to(self, name: str) -> None:
        """Press Tab until the focus stands on a control."""
        for _ in range(MOST_STOPS):
            if await self.focused_name() == name:
                return
            await self.press("Tab")
        raise AssertionError(name)
