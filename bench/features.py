"""What a decision's numbers cost: fifty candidates and the moment, with a full calendar and a full profile."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import col

from bench.table import percentile
from oo_app import connections, features, signals
from oo_app.kit.clock import Clock
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime, build
from oo_app.serve import migrate
from oo_app.signals.models import Completion, Item
from oo_app.tips.dose import dose
from tests.conftest import settings_in
from tests.people import Somebody, a_calendar, a_person

CANDIDATES, MEETINGS, COMPLETIONS = 50, 5000, 1500
TIMES, WARM_UP = 500, 50
ZONE = ZoneInfo("Europe/Berlin")
NOBODY_SLEEPS = select(col(Item.id)).where(col(Item.id) == "")


async def measure() -> list[tuple[str, str, str]]:
    """Measure on a database of its own."""
    with tempfile.TemporaryDirectory() as name:
        settings = settings_in(Path(name))
        await asyncio.to_thread(migrate, settings)  # alembic starts a loop of its own
        rt = build(settings, clock=Clock())
        await rt.start()
        try:
            return await _measured(rt, await _somebody(rt))
        finally:
            await rt.stop()


async def _somebody(rt: Runtime) -> Somebody:
    """Make a person with five thousand entries of a calendar over two years, and three months of completions."""
    person = await a_person(rt, tasks=CANDIDATES, time_zone=ZONE.key)
    now = rt.clock.now()
    starts = [now - timedelta(days=2) + number * timedelta(hours=3.5) for number in range(MEETINGS)]
    await a_calendar(rt, person, *((at, at + timedelta(hours=1)) for at in starts))
    async with rt.db.begin() as tx:
        for number in range(COMPLETIONS):
            tx.session.add(
                Completion(
                    id=new_id(now),
                    user_id=person.id,
                    connection_id=person.connection_id,
                    external_id=f"t{number}",
                    occurrence="t",
                    found_by="history",
                    at=now - number * timedelta(hours=1.4),
                )
            )
    return person


async def _measured(rt: Runtime, person: Somebody) -> list[tuple[str, str, str]]:
    items = await signals.open_items(rt, person.id, sleeping=NOBODY_SLEEPS)
    whose = features.Whose(person.id, ZONE, await connections.readings(rt, person.id))

    async def look() -> features.Moment:
        now = rt.clock.now()
        lately = await dose(rt, person.id, ZONE, now)
        return await features.look(rt, whose, now, dose=lately, open_items=len(items))

    async def matrix() -> None:
        features.snapshot(await look(), items)

    moment = await look()

    async def computed() -> None:
        features.snapshot(moment, items)

    setting = f"{len(items)} candidates, {MEETINGS} entries of a calendar, {COMPLETIONS} completions"
    return [
        (f"feature matrix with profile, all read and computed, p50 / p99 ({setting})", await _timed(matrix), "≤ 3 ms"),
        ("of that, computing the matrix", await _timed(computed), ""),
        (f"counting a profile of {COMPLETIONS} anew", await _timed(lambda: features.recount(rt, person.id)), ""),
        ("finding a profile up to date", await _timed(lambda: features.fold(rt, person.id)), ""),
    ]


async def _timed(call: Callable[[], Awaitable[object]]) -> str:
    took: list[float] = []
    for _ in range(TIMES):
        began = time.perf_counter()
        await call()
        took.append((time.perf_counter() - began) * 1000)
    kept = took[WARM_UP:]
    return f"{percentile(kept, 0.5):.2f} / {percentile(kept, 0.99):.2f} ms"
