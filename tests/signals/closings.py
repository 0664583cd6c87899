"""Completions as the tests plan them, send them and look at them."""

import json
from datetime import timedelta
from typing import Any

import httpx

from oo_app import signals
from oo_app.runtime import Runtime
from oo_app.signals.models import Closing, Item
from tests.outside import sent
from tests.signals.elsewhere import Elsewhere, connection, stored

WINDOW = timedelta(seconds=6)


async def add(there: Elsewhere, content: str = "To be done", **fields: Any) -> Item:
    """Add a task there and read it; return what is stored of it."""
    task_id = await there.add(content, **fields)
    rt = there.browser.rt
    assert await signals.sync(rt, (await connection(rt)).id)
    return await stored(rt, task_id)


async def plan(rt: Runtime, row: Item, *, after: timedelta = WINDOW) -> str | None:
    """Plan the completion of an item, as a reaction does."""
    async with rt.db.begin() as tx:
        return await signals.schedule_close(tx, row.id, at=tx.now + after)


async def deliver(rt: Runtime) -> None:
    """Send what is due, and let the readings that follow end."""
    await signals.deliver_closes(rt)
    await rt.jobs.settle()


async def closing(rt: Runtime, closing_id: str | None) -> Closing:
    """Read a planned completion."""
    async with rt.db.read() as session:
        return await session.get_one(Closing, closing_id)


async def pause(rt: Runtime, closing_id: str | None) -> float:
    """Return how many seconds there are to the next try."""
    return ((await closing(rt, closing_id)).next_at - rt.clock.now()).total_seconds()


def closes(rt: Runtime) -> list[str]:
    """Return the command ids of the completions that were sent."""
    calls = [dict(httpx.QueryParams(call.content.decode())) for call in sent(rt, "/sync")]
    return [command["uuid"] for call in calls if "commands" in call for command in json.loads(call["commands"])]


def answering_closes(closing_id: str | None, error: object) -> Any:
    """Answer completions with 200 and an error for the command, as Todoist does."""
    answer = {"sync_status": {closing_id: error}, "sync_token": "x"}
    return lambda request: httpx.Response(200, json=answer) if b"item_close" in request.content else None
