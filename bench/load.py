"""How fast a decision is over HTTP, and what a thousand of them cost in memory."""

import asyncio
import json
import sqlite3
import time
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from bench.person import cookie_of
from bench.table import percentile
from tests.served import Served

DECISIONS = 1000
WARM_UP = 20


async def measure(site: Served) -> list[tuple[str, str, str]]:
    """Decide a thousand times with about forty tasks cached; every decision is a new one."""
    cookie = await cookie_of(site, "bench@sandbox.test")
    took = (await asyncio.to_thread(_decide, site, cookie))[WARM_UP:]
    figures = f"{percentile(took, 0.5):.1f} / {percentile(took, 0.99):.1f} ms"
    return [
        ("POST /api/v1/recommend, new decision, SQLite: p50 / p99", figures, "≤ 8 / ≤ 25 ms"),
        (f"memory of the serving process after {DECISIONS} decisions", f"{site.memory_mb:.0f} MB", "≤ 220 MB"),
    ]


def _decide(site: Served, cookie: str) -> list[float]:
    """Ask and answer over one kept connection; a lean client, so that the server is what is measured."""
    connection = HTTPConnection(urlsplit(site.url).netloc, timeout=30)
    headers = {"Origin": site.url, "Cookie": f"oo_session={cookie}", "Content-Type": "application/json"}
    took: list[float] = []

    def post(path: str, body: dict[str, object]) -> dict[str, Any]:
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(content)
        return json.loads(content)

    for number in range(DECISIONS + WARM_UP):
        began = time.perf_counter()
        tip = post("/api/v1/recommend", {"surface": "api"})["tip"]
        took.append((time.perf_counter() - began) * 1000)
        post("/api/v1/feedback", {"impression_id": tip["impression_id"], "action": "dismiss", "dwell_ms": 3000})
        if number % 5 == 0:
            _wake_all(site)
    connection.close()
    return took


def _wake_all(site: Served) -> None:
    """Let every dismissed task be a candidate again, so that about forty always are."""
    with sqlite3.connect(site.folder / "oo.db", timeout=5) as database:
        database.execute("DELETE FROM hold")
