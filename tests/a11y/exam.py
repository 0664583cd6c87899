"""Examines a page in the state it is in: axe, widths, targets, movement, at every size and in every mode."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import CDPSession, Page, ViewportSize

from tests.served import ROOT

AXE = ROOT / "tests/node/node_modules/axe-core/axe.min.js"
LOOK = ROOT / "tests/a11y/look.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE = ViewportSize(width=360, height=740)
SIZES = (
    ("320", ViewportSize(width=320, height=568)),
    ("360", PHONE),
    ("768", ViewportSize(width=768, height=1024)),
    ("1440", ViewportSize(width=1440, height=900)),
)
USUAL_TEXT, LARGE_TEXT = 16, 32
MOST_SHIFT = 0.01
PICTURES = os.environ.get("PICTURES")  # a folder: then each look leaves a picture for people to look at

# Runs before anything of the page's own. Chromium leaves out what moves within half a second of a tap or a key.
WATCH_SHIFTS = """
globalThis.ooShifts = [];
new PerformanceObserver((list) => {
  const moved = ({ node, previousRect: was, currentRect: is }) =>
    `${node?.nodeName}.${node?.className} ${was.x},${was.y} → ${is.x},${is.y}`;
  for (const shift of list.getEntries())
    if (!shift.hadRecentInput) ooShifts.push([shift.value, shift.sources.map(moved).join("; ")]);
}).observe({ type: "layout-shift", buffered: true });
"""
VIOLATIONS = """async (tags) => {
  const found = await axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}"""


@dataclass(frozen=True)
class Exam:
    """Looks at one tab again and again. What is injected runs over the debugger, which the pages' policy allows."""

    page: Page
    debugger: CDPSession  # one for good: where one ends, Chromium puts a line that was taken away back for a moment

    async def findings(self, state: str) -> list[str]:
        """Return what is wrong in this state; the tab is left as it was."""
        found = [f"{state}: {each}" for each in await self._shifted()]
        for name, size in SIZES:
            await self.page.set_viewport_size(size)
            is_extreme = size in (SIZES[0][1], SIZES[-1][1])
            found += await self._look(f"{state} at {name}", with_axe=is_extreme)
        await self.page.set_viewport_size(PHONE)
        async with self._large_text():
            found += await self._look(f"{state} in large text", with_axe=False)
        await self.page.emulate_media(reduced_motion="reduce", forced_colors="active")
        found += [f"{state} in forced colours: {each}" for each in await self.page.evaluate("ooLook.motion()")]
        await self._picture(f"{state} in forced colours")
        await self.page.emulate_media(reduced_motion="no-preference", forced_colors="none")
        await self.page.evaluate("ooShifts.length = 0")
        return found

    async def _look(self, state: str, *, with_axe: bool) -> list[str]:
        await self._inject()
        await self._picture(state)
        found: list[str] = await self.page.evaluate("ooLook.shape()")
        if with_axe:
            found += await self.page.evaluate(VIOLATIONS, TAGS)
        return [f"{state}: {each}" for each in found]

    async def _inject(self) -> None:
        for name, script in (("axe", AXE), ("ooLook", LOOK)):
            if not await self.page.evaluate(f"'{name}' in globalThis"):
                await self.page.evaluate(script.read_text())

    async def _shifted(self) -> list[str]:
        shifts: list[tuple[float, str]] = await self.page.evaluate("ooShifts")
        total = sum(value for value, _ in shifts)
        return [] if total <= MOST_SHIFT else [f"moved by {total:.3f}: {' | '.join(what for _, what in shifts)}"]

    @asynccontextmanager
    async def _large_text(self) -> AsyncGenerator[None]:
        """Set the text size of the browser's own settings to 200 %."""
        await self.debugger.send("Page.setFontSizes", {"fontSizes": {"standard": LARGE_TEXT}})
        yield
        await self.debugger.send("Page.setFontSizes", {"fontSizes": {"standard": USUAL_TEXT}})

    async def _picture(self, state: str) -> None:
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            name = "".join(letter if letter.isalnum() else "-" for letter in state)
            await self.page.screenshot(path=Path(PICTURES) / f"{name}.png")
