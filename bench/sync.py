"""How fast a source is read: a Todoist in another process on loopback, one reader, SQLite."""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from bench.reader import connected, reading
from oo_app import signals
from oo_app.runtime import Runtime
from tests.elsewhere import Account, elsewhere

ITEMS, CHANGES, BATCH = 10_000, 2_000, 100
ROUNDS = 3
ACCOUNT = "newcomer"  # an account that starts empty
APP = "http://localhost:8000"


async def measure() -> list[tuple[str, str, str]]:
    """Read everything, then what changed."""
    full: list[float] = []
    some: list[float] = []
    with tempfile.TemporaryDirectory() as name, elsewhere(APP, Path(name)) as world:
        account = world.account(ACCOUNT)
        ids = await asyncio.to_thread(_filled, account)
        for round_ in range(ROUNDS):
            folder = Path(name) / str(round_)
            folder.mkdir()
            async with reading(folder, world.variables()) as rt:
                connection_id = await connected(rt, ACCOUNT)
                full.append(await _timed(rt, connection_id))
                await asyncio.to_thread(_changed, account, ids[:CHANGES], round_)
                some.append(await _timed(rt, connection_id))
    return [
        (
            f"items synced per second, one process, sandbox on loopback, SQLite: {ITEMS} at once, slowest of {ROUNDS}",
            f"{ITEMS / max(full):,.0f} ({max(full):.2f} s)",
            "≥ 2,000",
        ),
        (
            f"the same, {CHANGES} changes",
            f"{CHANGES / max(some):,.0f} ({max(some):.2f} s)",
            "≥ 2,000",
        ),
    ]


async def _timed(rt: Runtime, connection_id: str) -> float:
    began = time.perf_counter()
    assert await signals.sync(rt, connection_id)
    return time.perf_counter() - began


def _filled(account: Account) -> list[str]:
    words = [f"One of the {ITEMS} things to do, number {number}" for number in range(ITEMS)]
    return [name for start in range(0, ITEMS, BATCH) for name in account.add_all(words[start : start + BATCH])]


def _changed(account: Account, ids: list[str], round_: int) -> None:
    for start in range(0, len(ids), BATCH):
        commands = [
            {"type": "item_update", "uuid": str(uuid4()), "args": {"id": name, "content": f"Changed {round_} {name}"}}
            for name in ids[start : start + BATCH]
        ]
        account.client.post("/api/v1/sync", data={"commands": json.dumps(commands)}).raise_for_status()
