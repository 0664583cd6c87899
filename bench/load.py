"""How fast a decision is over HTTP, and what a thousand of them cost in memory."""

import sqlite3
import time

import httpx

from bench.person import cookie_of
from bench.table import percentile
from tests.served import Served

DECISIONS = 1000
WARM_UP = 20


async def measure(site: Served) -> list[tuple[str, str, str]]:
    """Decide a thousand times with about forty tasks cached; every decision is a new one."""
    cookie = await cookie_of(site, "bench@sandbox.test")
    headers = {"Origin": site.url, "Cookie": f"oo_session={cookie}"}
    took: list[float] = []
    async with httpx.AsyncClient(base_url=site.url, headers=headers, timeout=30) as client:
        for number in range(DECISIONS + WARM_UP):
            began = time.perf_counter()
            served = (await client.post("/api/v1/recommend", json={"surface": "api"})).raise_for_status().json()
            took.append((time.perf_counter() - began) * 1000)
            body = {"impression_id": served["tip"]["impression_id"], "action": "dismiss", "dwell_ms": 3000}
            (await client.post("/api/v1/feedback", json=body)).raise_for_status()
            if number % 5 == 0:
                _wake_all(site)
    took = took[WARM_UP:]
    figures = f"{percentile(took, 0.5):.1f} / {percentile(took, 0.99):.1f} ms"
    return [
        ("POST /api/v1/recommend, new decision, SQLite: p50 / p99", figures, "≤ 8 / ≤ 25 ms"),
        (f"memory of the serving process after {DECISIONS} decisions", f"{site.memory_mb:.0f} MB", "≤ 220 MB"),
    ]


def _wake_all(site: Served) -> None:
    """Let every dismissed task be a candidate again, so that about forty always are."""
    with sqlite3.connect(site.folder / "oo.db", timeout=5) as database:
        database.execute("DELETE FROM hold")
