"""What pages weigh and how fast they are on screen, in a real browser; Lighthouse on the two that matter."""

import asyncio
import gzip
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from bench.person import cookie_of
from tests.e2e.conftest import FLAGS, installed_browser
from tests.served import ROOT, Served

TIMES = 10
LIGHTHOUSE_TIMES = 5
WAIT_S = 30
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
# Runs in the page before anything else: notes when a tip that was not there before is in the document and painted.
WATCH = """
window.ooSeen = [];
let last = null;
const look = () => {
  const tip = document.querySelector('[data-testid=tip][data-impression]');
  const id = tip && tip.dataset.impression;
  if (id && id !== last) { last = id; requestAnimationFrame(() => window.ooSeen.push(performance.now())); }
};
new MutationObserver(look).observe(document, {childList: true, subtree: true, attributes: true});
document.addEventListener('click', () => { window.ooClicked = performance.now(); }, true);
"""


async def measure(site: Served) -> list[tuple[str, str, str]]:
    """Measure weight, times on screen and Lighthouse's scores."""
    cookie = await cookie_of(site, "pages@sandbox.test")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=installed_browser(), args=list(FLAGS))
        weight = await _weight(browser, site, cookie)
        cold = [await _cold(browser, site, cookie) for _ in range(TIMES)]
        again = await _again(browser, site, cookie)
        after = await _after_reactions(browser, site, cookie)
        await browser.close()
    rows = [
        ("first load of /tip, scripts and styles, gzip", f"{weight / 1000:.0f} kB", "≤ 165 kB"),
        (f"tip on screen, cold, median of {TIMES}", f"{statistics.median(cold):.0f} ms", "≤ 750 ms"),
        (f"tip on screen, repeat visit, median of {TIMES}", f"{statistics.median(again):.0f} ms", "≤ 150 ms"),
        (f"tip on screen after a reaction, median of {TIMES}", f"{statistics.median(after):.0f} ms", "≤ 60 ms"),
    ]
    for path in ("/", "/tip"):
        scores = await _lighthouse(site, path, cookie if path == "/tip" else None)
        told = " / ".join(f"{scores[name]:.0f}" for name in CATEGORIES)
        target = "≥ 96 / 100 / 100 / " + ("100" if path == "/" else "-")
        rows.append((f"Lighthouse mobile {path}: {', '.join(CATEGORIES)}, median of {LIGHTHOUSE_TIMES}", told, target))
    return rows


async def _page(browser: Browser, site: Served, cookie: str) -> tuple[BrowserContext, Page]:
    context = await browser.new_context(viewport={"width": 360, "height": 740})
    await context.add_cookies([{"name": "oo_session", "value": cookie, "url": site.url}])
    await context.add_init_script(WATCH)
    return context, await context.new_page()


async def _weight(browser: Browser, site: Served, cookie: str) -> int:
    context, page = await _page(browser, site, cookie)
    urls: set[str] = set()
    page.on("response", lambda r: urls.add(r.url) if r.request.resource_type in {"script", "stylesheet"} else None)
    await page.goto(f"{site.url}/tip")
    await page.wait_for_selector("[data-testid=tip][data-impression]")
    await page.wait_for_timeout(1000)
    await context.close()
    async with httpx.AsyncClient() as client:
        bodies = [(await client.get(url)).content for url in sorted(urls)]
    return sum(len(gzip.compress(body, 6)) for body in bodies)


async def _cold(browser: Browser, site: Served, cookie: str) -> float:
    context, page = await _page(browser, site, cookie)
    await page.goto(f"{site.url}/tip")
    await _until(page, "window.ooSeen.length > 0")
    seen = await page.evaluate("window.ooSeen[0]")
    await context.close()
    return float(seen)


async def _again(browser: Browser, site: Served, cookie: str) -> list[float]:
    """Come back to a page whose service worker is there; the socket is never waited for."""
    context, page = await _page(browser, site, cookie)
    await page.goto(f"{site.url}/tip")
    await _until(page, "caches.match('/tip').then(Boolean)")
    await _until(page, "Boolean(navigator.serviceWorker.controller)")
    took: list[float] = []
    for _ in range(TIMES):
        await page.wait_for_timeout(1000)
        await page.goto("about:blank")
        await page.goto(f"{site.url}/tip")
        await _until(page, "window.ooSeen.length > 0")
        took.append(float(await page.evaluate("window.ooSeen[0]")))
    await context.close()
    return took


async def _until(page: Page, condition: str) -> None:
    """Wait for a condition; Playwright's own way evaluates it in the page, which the pages' policy forbids."""
    async with asyncio.timeout(WAIT_S):
        while not await page.evaluate(condition):
            await page.wait_for_timeout(5)


async def _after_reactions(browser: Browser, site: Served, cookie: str) -> list[float]:
    context, page = await _page(browser, site, cookie)
    await page.goto(f"{site.url}/tip")
    took: list[float] = []
    for number in range(1, TIMES + 1):
        await _until(page, f"window.ooSeen.length >= {number}")
        await page.wait_for_timeout(500)
        await page.get_by_role("button", name="Snooze", exact=True).click()
        await _until(page, f"window.ooSeen.length > {number}")
        took.append(float(await page.evaluate(f"window.ooSeen[{number}] - window.ooClicked")))
    await context.close()
    return took


async def _lighthouse(site: Served, path: str, cookie: str | None) -> dict[str, float]:
    profile = await _profile(site, cookie)
    runs = [await _lighthouse_once(site, path, profile) for _ in range(LIGHTHOUSE_TIMES)]
    return {name: statistics.median(run[name] for run in runs) for name in CATEGORIES}


async def _profile(site: Served, cookie: str | None) -> Path:
    """Return a browser's folder that holds the session: a header would not reach the websocket."""
    profile = Path(tempfile.mkdtemp(dir=site.folder))
    if cookie:
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                profile, executable_path=installed_browser(), args=list(FLAGS)
            )
            until = time.time() + 3600
            await context.add_cookies([{"name": "oo_session", "value": cookie, "url": site.url, "expires": until}])
            await context.close()
    return profile


async def _lighthouse_once(site: Served, path: str, profile: Path, *, is_last: bool = False) -> dict[str, float]:
    report = site.folder / "lighthouse.json"
    process = await asyncio.create_subprocess_exec(
        str(ROOT / ".venv/bin/node"),
        str(ROOT / "tests/node/node_modules/lighthouse/cli/index.js"),
        f"{site.url}{path}",
        "--quiet",
        "--output=json",
        f"--output-path={report}",
        f"--only-categories={','.join(CATEGORIES)}",
        "--no-enable-error-reporting",
        f"--chrome-flags=--headless=new --user-data-dir={profile} {' '.join(FLAGS)}",
        env=os.environ | {"CHROME_PATH": installed_browser() or ""},
    )
    if await process.wait() == 0:
        return _scores(report, f"{site.url}{path}")
    if is_last:
        msg = "Lighthouse failed"
        raise RuntimeError(msg)
    return await _lighthouse_once(site, path, profile, is_last=True)  # its browser does not always come up


def _scores(report: Path, url: str) -> dict[str, float]:
    found = json.loads(report.read_text())
    if found["finalDisplayedUrl"] != url:
        msg = f"Lighthouse was sent from {url} to {found['finalDisplayedUrl']}"
        raise RuntimeError(msg)
    return {name: found["categories"][name]["score"] * 100 for name in CATEGORIES}
