"""What it costs to ask ten thousand Todoists every quarter of an hour: one process; another simulates the source.

`python -m bench.polls read FOLDER PORT SECONDS` is the process that is measured, `… answer PORT` the one that answers.
"""

import asyncio
import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import uvloop
from sqlalchemy import func, insert, select
from sqlmodel import SQLModel, col

from bench.reader import reading, settings_in
from oo_app import wiring
from oo_app.connections.models import Connection
from oo_app.kit import log
from oo_app.kit.crypto import Place
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime, build
from tests.served import ROOT, free_port

PEOPLE, ITEMS = int(os.environ.get("BENCH_PEOPLE", "10000")), 10
EVERY = timedelta(minutes=15)
WARM_UP_S, FOR_S = 15.0, float(os.environ.get("BENCH_POLLS_S", "180"))
CHANGED_EVERY = 20  # readings of which one finds something new
READY_WITHIN_S = 60.0
PART = 500


async def measure() -> list[tuple[str, str, str]]:
    """Fill a database, and let a process of its own read at the real rate."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name, _answering(port):
        folder = Path(name)
        async with reading(folder, variables(port)) as rt:
            await _fill(rt)
        command = [sys.executable, "-m", "bench.polls", "read", name, str(port), str(FOR_S)]
        done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=True)
    print(done.stderr, file=sys.stderr)
    found = json.loads(done.stdout)
    setting = f"{PEOPLE:,} connections polled every {EVERY.seconds // 60} min for {FOR_S:.0f} s"
    return [
        (f"{setting}: readings a second", f"{found['rate']:.1f}", f"{PEOPLE / EVERY.total_seconds():.1f}"),
        ("processor time, of one core", f"{found['core']:.0%} ({found['each_ms']:.1f} ms a reading)", "≤ 35 %"),
        ("memory of the process", f"{found['memory_mb']:.0f} MB", "≤ 300 MB"),
    ]


def variables(port: int) -> dict[str, str]:
    """Return what leads to the simulated source."""
    base = f"http://127.0.0.1:{port}"
    return {
        "TODOIST_CLIENT_ID": "bench",
        "TODOIST_CLIENT_SECRET": "bench",
        "TODOIST_API_URL": base,
        "TODOIST_AUTH_URL": f"{base}/oauth/authorize",
        "TODOIST_TOKEN_URL": f"{base}/oauth/access_token",
        "TODOIST_SYNC_INTERVAL_MS": str(EVERY // timedelta(milliseconds=1)),
    }


@contextmanager
def _answering(port: int) -> Generator[None]:
    process = subprocess.Popen([sys.executable, "-m", "bench.polls", "answer", str(port)], cwd=ROOT)
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                break
        yield
    finally:
        process.kill()
        process.wait()


async def _fill(rt: Runtime) -> None:
    """Store people, each with a connection that was read within the last quarter of an hour, and some tasks."""
    tables = SQLModel.metadata.tables
    # One key for everybody, kept once for each: a key of one's own is forced to the disk, ten thousand take minutes.
    first = new_id(rt.clock.now())
    vault = await rt.vault.create_for(first)
    wrapped = await rt.vault.store.find(first)
    assert wrapped is not None
    now = rt.clock.now()
    for start in range(0, PEOPLE, PART):
        rows: dict[str, list[dict[str, Any]]] = {"user": [], "preferences": [], "connection": [], "item": []}
        for number in range(start, start + PART):
            user_id, connection_id = new_id(now), new_id(now)
            cursor = json.dumps([f"token-{number}", {"projects": {"p1": "Home"}, "owner": str(number)}])
            read_at = now - EVERY * (number / PEOPLE)
            rows["user"].append(
                {
                    "id": user_id,
                    "email": vault.seal("somebody@bench.test", Place("user", user_id, "email")),
                    "role": "user",
                    "created_at": now,
                }
            )
            rows["preferences"].append({"user_id": user_id})
            rows["connection"].append(
                {
                    "id": connection_id,
                    "user_id": user_id,
                    "source": "todoist",
                    "access_token": vault.seal("t", Place("connection", connection_id, "access_token")),
                    "refresh_token": None,
                    "cursor": vault.seal(cursor, Place("connection", connection_id, "cursor")),
                    "needs_attention": False,
                    "connected_at": now,
                    "last_read_at": read_at,
                    "next_read_at": read_at + EVERY,
                    "failures": 0,
                }
            )
            for item in range(ITEMS):
                item_id = new_id(now)
                rows["item"].append(
                    {
                        "id": item_id,
                        "user_id": user_id,
                        "connection_id": connection_id,
                        "source": "todoist",
                        "external_id": f"t{item}",
                        "is_open": True,
                        "content": vault.seal("Water the plants", Place("item", item_id, "content")),
                        "detail": vault.seal("Home", Place("item", item_id, "detail")),
                        "label_count": 0,
                        "label_bits": 0,
                        "priority": 1,
                        "is_recurring": False,
                        "is_completable": True,
                        "postponed": 0,
                        "created_at": now,
                    }
                )
        await rt.vault.store.add({row["id"]: wrapped for row in rows["user"]})
        async with rt.db.begin() as tx:
            for table, values in rows.items():
                await tx.session.execute(insert(tables[table]), values)


async def read(folder: Path, port: int, for_s: float) -> None:
    """Let everything run by itself for a while; print what it took."""
    log.configure(as_json=False)
    rt = build(settings_in(folder, variables(port)))
    async with wiring.running(rt):
        await asyncio.sleep(WARM_UP_S)
        before, used, began = await _read_so_far(rt), time.process_time(), time.monotonic()
        await asyncio.sleep(for_s)
        took, processor = time.monotonic() - began, time.process_time() - used
        readings = await _read_so_far(rt) - before
    print(
        json.dumps(
            {
                "rate": readings / took,
                "core": processor / took,
                "each_ms": processor * 1000 / max(readings, 1),
                "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


async def _read_so_far(rt: Runtime) -> int:
    """Count the readings since the start: as many connections were read after it."""
    async with rt.db.read() as session:
        query = select(func.count()).where(col(Connection.last_read_at) > col(Connection.connected_at))
        return (await session.execute(query)).scalar_one()


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer as Todoist does: mostly nothing new, now and then a task that changed."""
    if scope["type"] != "http":
        return
    number = next(_numbers)
    items = [_task(number)] if number % CHANGED_EVERY == 0 else []
    told = {"full_sync": False, "sync_token": f"token-{number:08d}-" + "x" * 80, "items": items, "projects": []}
    body = json.dumps(told | {"temp_id_mapping": {}, "user": {}}).encode()
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_numbers = count()


def _task(number: int) -> dict[str, Any]:
    at = f"2030-01-01T00:00:00.{number % 1_000_000:06d}Z"
    return {
        "id": f"t{number % ITEMS}",
        "project_id": "p1",
        "content": f"Water the plants, all {number} of them",
        "description": "",
        "priority": 2,
        "labels": ["home"],
        "due": {"date": "2026-12-01", "string": "1 Dec", "lang": "en", "is_recurring": False},
        "checked": False,
        "is_deleted": False,
        "added_at": "2026-11-01T08:00:00.000000Z",
        "updated_at": at,
        "completed_at": None,
        "completed_count": 0,
    }


def main() -> None:
    """Answer, or read, as told."""
    if sys.argv[1] == "answer":
        uvicorn.run(answer, port=int(sys.argv[2]), log_level="error", http="httptools", loop="uvloop", lifespan="off")
        return
    folder, port, for_s = Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    profile = cProfile.Profile() if os.environ.get("BENCH_PROFILE") else None
    if profile:
        profile.enable()
    uvloop.run(read(folder, port, for_s))
    if profile:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
