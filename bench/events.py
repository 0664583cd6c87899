"""How long an event takes to its handler while people use the application, and how fast the outbox empties.

In one process with the real runtime and the sandbox beside it; the mirror speaks to a real NATS of its own.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert

from bench.table import percentile
from oo_app import wiring
from oo_app.accounts.models import User
from oo_app.events import SourceFailed, TipReacted
from oo_app.kit import log
from oo_app.kit.bus import Delivered
from oo_app.kit.clock import Clock
from oo_app.kit.mirror import Mirror
from oo_app.ops import migrate
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.conftest import Faults, running, settings_in, transport
from tests.nats import NEW, OLD, server

PEOPLE = 500
EVENTS = 1000
EVERY_S = 0.02  # fifty events a second, which is ten thousand people's worth
WAITING = 10_000
BEHIND = 100_000

Figures = list[tuple[str, str, str]]


async def measure() -> Figures:
    """Measure the three, each on a database of its own."""
    log.configure(as_json=True)
    async with _application() as (rt, _):
        delay = await _delays(rt)
    async with _application() as (rt, _):
        emptied = await _emptied(rt)
    return [delay, emptied, *[await _caught_up(program) for program in (OLD, NEW)]]


@asynccontextmanager
async def _application() -> AsyncGenerator[tuple[Runtime, Path]]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        settings = settings_in(folder)
        await asyncio.to_thread(migrate, settings)
        async with running(folder, settings, Clock(), Faults()) as rt:
            async with rt.db.begin() as tx:
                people = [
                    {"id": f"person-{number}", "email": b"", "role": "user", "created_at": tx.now}
                    for number in range(PEOPLE)
                ]
                await tx.session.execute(insert(User), people)
            yield rt, folder


async def _delays(rt: Runtime) -> tuple[str, str, str]:
    """Publish at a steady rate while two people ask for tips and answer them, as fast as they are served."""
    began: dict[int, float] = {}
    took: list[float] = []

    async def note(fact: Delivered) -> None:
        took.append(time.perf_counter() - began[fact.payload["dwell_ms"]])

    rt.bus.bind({**wiring.handlers(rt), TipReacted.subject: (note,)})
    await rt.bus.start()
    async with Browser(rt, transport(rt)) as ada, Browser(rt, transport(rt)) as ben:
        for browser, name in ((ada, "ada"), (ben, "ben")):
            await browser.sign_in(f"{name}@sandbox.test")
            await browser.connect_todoist()
        rt.bus.bind({TipReacted.subject: (note,)})
        using = [asyncio.create_task(_use(browser)) for browser in (ada, ben)]
        for number in range(EVENTS):
            async with rt.db.begin() as tx:
                tx.emit(TipReacted(f"person-{number % PEOPLE}", "an-impression", "done", number))
                began[number] = time.perf_counter()
            await asyncio.sleep(EVERY_S)
        requests = 0
        for task in using:
            task.cancel()
        for done in await asyncio.gather(*using, return_exceptions=True):
            requests += done if isinstance(done, int) else 0
    await rt.bus.stop()
    figures = " / ".join(f"{percentile(took, share) * 1000:.1f}" for share in (0.5, 0.99))
    return (
        f"event published → handler done, {len(took)} events at 50/s while two browsers ask: p50 / p99",
        f"{figures} ms",
        "p99 ≤ 50 ms",
    )


async def _use(browser: Browser) -> int:
    """Ask and look, until told to stop."""
    count = 0
    try:
        while True:
            await browser.recommend()
            count += 1
            await asyncio.sleep(0)
    except asyncio.CancelledError:
        return count


async def _emptied(rt: Runtime) -> tuple[str, str, str]:
    """Let ten thousand facts wait, and see how fast handlers that do nothing take them."""

    async def nothing(_: Delivered) -> None:
        pass

    rt.bus.bind({SourceFailed.subject: (nothing,)})
    await _store(rt, WAITING)
    began = time.perf_counter()
    assert await rt.bus.drain() == WAITING
    return (f"facts handled per second when {WAITING} wait", f"{WAITING / (time.perf_counter() - began):.0f}", "")


async def _store(rt: Runtime, count: int) -> None:
    for first in range(0, count, 1000):
        async with rt.db.begin() as tx:
            for number in range(first, first + 1000):
                tx.emit(SourceFailed(f"person-{number % PEOPLE}", "a-connection", "todoist"))


async def _caught_up(program: Path) -> tuple[str, str, str]:
    """Let the mirror begin a hundred thousand events late, and see how late its loop wakes meanwhile."""
    async with _application() as (rt, folder):
        await _store(rt, BEHIND)
        with server(program, folder) as nats:
            mirror = Mirror(rt.db, rt.clock, rt.metrics, nats.url)
            wiring.bind(rt)
            mirror.bind(wiring.STREAMS, wiring.wire)
            late: list[float] = []
            watching = asyncio.create_task(_watch(late))
            began = time.perf_counter()
            await mirror.start(rt.bus)
            while (await mirror.lag()).events:  # noqa: ASYNC110 -- a mark in the database is all there is to see
                await asyncio.sleep(0.1)
            took = time.perf_counter() - began
            watching.cancel()
            await mirror.stop()
    version = "2.9" if program == OLD else "2.15"
    return (
        f"mirror {BEHIND} events behind, NATS {version}: caught up; the loop wakes late by at most (p99)",
        f"{took:.1f} s, {BEHIND / took:.0f}/s; {percentile(late, 0.99) * 1000:.0f} ms",
        "",
    )


async def _watch(late: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.01)
        late.append(time.perf_counter() - began - 0.01)
