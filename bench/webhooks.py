"""How fast deliveries of a webhook are accepted, while what they hint at is read at the same time.

They leave on a clock of their own, whether or not the one before was answered, as Todoist's do; that one is the
sandbox's, in a process of its own.
"""

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import httpx

from bench.person import cookie_of
from bench.table import percentile
from tests.deliveries import of_change, signed
from tests.elsewhere import Account, elsewhere
from tests.served import Served, free_port, served

PEOPLE, ARRIVE_AT_ONCE = 50, 4
PER_S, FOR_S = 100, 30.0
WORKED_WITHIN_S = 60.0


async def measure() -> list[tuple[str, str, str]]:
    """Connect people, deliver, and see that all of it was worked."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            elsewhere(f"http://localhost:{port}", folder) as world,
            served(folder, port=port, **world.variables()) as site,
        ):
            names = [f"newcomer-{number}" for number in range(PEOPLE)]
            for start in range(0, PEOPLE, ARRIVE_AT_ONCE):
                some = names[start : start + ARRIVE_AT_ONCE]
                await asyncio.gather(*(cookie_of(site, f"{each}@bench.test", each) for each in some))
            bodies = [_told(world.account(each)) for each in names]
            before, began = site.processor_s, time.monotonic()
            took, refused = await _deliver(site, bodies)
            busy = (site.processor_s - before) / (time.monotonic() - began)
            worked = await _worked(folder)
    figures = f"{percentile(took, 0.5) * 1000:.1f} / {percentile(took, 0.99) * 1000:.1f} ms"
    setting = f"{PER_S}/s for {FOR_S:.0f} s, for {PEOPLE} connections"
    return [
        (f"webhook accepted, {setting}, read meanwhile: p50 / p99", figures, "p99 ≤ 50 ms"),
        ("of them refused; of a core taken; all worked after the last", f"{refused}; {busy:.0%}; {worked:.1f} s", "0"),
    ]


def _told(account: Account) -> dict[str, str]:
    """Return a task of the account as its API tells it."""
    task = account.add("A task that changes")
    return account.client.get(f"/api/v1/tasks/{task}").raise_for_status().json()


async def _deliver(site: Served, tasks: list[dict[str, str]]) -> tuple[list[float], int]:
    took: list[float] = []
    refused = 0

    async def deliver(number: int) -> None:
        nonlocal refused
        task = tasks[number % len(tasks)]
        body = of_change("item:updated", None, task | {"content": f"Changed {number}"}, at=datetime.now(UTC))
        headers = {"X-Todoist-Delivery-ID": str(uuid4()), "X-Todoist-Hmac-SHA256": signed(body)}
        began = time.perf_counter()
        answer = await client.post("/webhooks/todoist", content=body, headers=headers)
        took.append(time.perf_counter() - began)
        refused += answer.status_code != HTTPStatus.OK

    limits = httpx.Limits(max_connections=PER_S)
    async with (
        httpx.AsyncClient(base_url=site.url, timeout=30, trust_env=False, limits=limits) as client,
        asyncio.TaskGroup() as group,
    ):
        began = time.monotonic()
        for number in range(int(PER_S * FOR_S)):
            await asyncio.sleep(max(0.0, began + number / PER_S - time.monotonic()))
            group.create_task(deliver(number))
    return took, refused


async def _worked(folder: Path) -> float:
    """Wait until no delivery waits for its reading."""
    began = time.monotonic()
    with closing(sqlite3.connect(folder / "oo.db", timeout=30)) as database:
        while (left := database.execute("SELECT count(*) FROM delivery WHERE worked_at IS NULL").fetchone()[0]) > 0:
            if time.monotonic() - began > WORKED_WITHIN_S:
                raise AssertionError(f"{left} deliveries are not worked")
            await asyncio.sleep(0.1)
    return time.monotonic() - began
