"""Many people at once, each deciding and answering on a beat of their own; then faster, until p99 passes a second.

The application has a core to itself where there is another for the driver and the Todoist.
"""

import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import httpx

from bench.kills import UNSETTLED, Figures, Somebody, arrived, compare, settle
from bench.table import percentile
from tests.elsewhere import elsewhere
from tests.served import RATE_FACTOR, free_port, served

PEOPLE = 200
ARRIVE_AT_ONCE = 8
BEAT_S, FOR_S = 6.0, 60.0
STEPS, STEP_S = (80, 90, 100, 110, 120, 130, 140, 160, 200, 300, 400), 12.0
TOO_LONG_MS = 1000.0
KEPT_UP = 0.9  # of what was asked for; below it people wait for their answers


async def measure() -> list[tuple[str, str, str]]:
    """Let the crowd in, and return the figures."""
    found, port = Figures(), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            elsewhere(f"http://localhost:{port}", folder) as world,
            served(folder, port=port, **world.variables()) as site,
        ):
            _share_cores(site.pid)
            limits = httpx.Limits(max_connections=PEOPLE)
            async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as client:
                doors = asyncio.Semaphore(ARRIVE_AT_ONCE)

                async def enter(number: int) -> Somebody:
                    async with doors:
                        return await arrived(site, world, client, f"c{number}")

                crowd = list(await asyncio.gather(*map(enter, range(PEOPLE))))
                before = site.processor_s
                took, rate = await _beat(folder, crowd, BEAT_S, FOR_S)
                each_ms = (site.processor_s - before) * 1000 / len(took)
                passed = await _faster(folder, crowd)
                await settle(folder, found, UNSETTLED)
            await asyncio.to_thread(compare, folder, crowd, found)
            memory = site.memory_mb
    for fault in found.faults[:20]:
        print(fault, file=sys.stderr)
    setting = f"{PEOPLE} people, SQLite, OO_RATE_FACTOR={RATE_FACTOR}"
    wrong = f"{sum(found.refused.values())} / {len(found.faults)}"
    return [
        (
            f"{setting}, {rate:.0f} requests/s for {FOR_S:.0f} s: p50 / p99",
            f"{percentile(took, 0.5):.0f} / {percentile(took, 0.99):.0f} ms",
            "- / ≤ 250 ms",
        ),
        (
            "processor time of the server a request, jobs and readings included, so that much of a core",
            f"{each_ms:.1f} ms, {each_ms * rate / 10:.0f} %",
            "-",
        ),
        ("requests/s at which p99 passes 1 s", passed, "-"),
        (f"of {found.reactions} reactions in all: refused / lost, doubled, otherwise, stuck", wrong, "0 / 0"),
        ("memory of the serving process after the crowd", f"{memory:.0f} MB", "-"),
    ]


def _share_cores(pid: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(pid, cores[:1])
        os.sched_setaffinity(0, cores[1:])


async def _faster(folder: Path, crowd: list[Somebody]) -> str:
    """Raise the rate until p99 passes a second."""
    told = ""
    for rate in STEPS:
        took, reached = await _beat(folder, crowd, 2 * len(crowd) / rate, STEP_S)
        p99 = percentile(took, 0.99)
        told = f"{reached:.0f} (asked for {rate}; p99 {p99:.0f} ms)"
        if p99 > TOO_LONG_MS or reached < KEPT_UP * rate:
            return told
    return f"not by {told}"


async def _beat(folder: Path, crowd: list[Somebody], beat_s: float, for_s: float) -> tuple[list[float], float]:
    """Let everybody decide and answer once a beat; return how long each request took, in ms, and how many a second."""
    with closing(sqlite3.connect(folder / "oo.db", timeout=30)) as database, database:
        database.execute("DELETE FROM hold")  # what was put off is a candidate again, so that nobody runs out
    for each in crowd:
        each.person.took_ms.clear()
    began = time.monotonic()
    await asyncio.gather(*(_live(each, began, beat_s, for_s) for each in crowd))
    took = [ms for each in crowd for ms in each.person.took_ms]
    return took, len(took) / (time.monotonic() - began)


async def _live(somebody: Somebody, began: float, beat_s: float, for_s: float) -> None:
    person = somebody.person
    at = began + person.chance.uniform(0, beat_s)
    while at < began + for_s:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        if (tip := await person.decide()) is not None:
            await person.answer(tip)
        at += beat_s
