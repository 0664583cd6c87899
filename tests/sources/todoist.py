"""A Todoist that answers what it is told to, as the contract writes it."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from oo_app.sources import Door, Item
from oo_app.sources.todoist import SOURCE

Answers = Callable[[dict[str, str]], httpx.Response]

STALE = json.dumps(["stale", {"projects": {}, "owner": ""}])

# A task as the contract shows it.
TASK: dict[str, Any] = {
    "id": "6XR4GqQQCW6Gv9h4",
    "user_id": "2671355",
    "project_id": "p1",
    "labels": ["home"],
    "content": "Water plants",
    "description": "",
    "priority": 4,
    "due": {
        "date": "2026-11-23T09:00:00Z",
        "timezone": "Europe/Berlin",
        "string": "every day at 10",
        "lang": "en",
        "is_recurring": True,
    },
    "deadline": {"date": "2026-12-01", "lang": "en"},
    "duration": {"amount": 30, "unit": "minute"},
    "checked": False,
    "is_deleted": False,
    "added_at": "2026-11-01T08:00:00.000000Z",
    "updated_at": "2026-11-20T08:00:00.000000Z",
    "completed_at": None,
    "a key of next year": {"x": 1},
}


class Todoist(httpx.AsyncBaseTransport):
    """Answers the forms it gets, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Answers = lambda _: full()
        self.completed: Answers = lambda _: httpx.Response(200, json={"items": [], "next_cursor": None})
        self.log: Answers = lambda _: httpx.Response(200, json={"results": [], "next_cursor": None})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path.endswith("/tasks/completed/by_completion_date"):
            return self.completed(dict(request.url.params))
        if request.url.path.endswith("/activities"):
            return self.log(dict(request.url.params))
        return self.answer(dict(httpx.QueryParams(request.content.decode())))


def full(*items: dict[str, Any], **more: Any) -> httpx.Response:
    """Return an answer with everything there is."""
    projects = [{"id": "p1", "name": "Home"}]
    return sync(*items, full_sync=True, **{"projects": projects, **more})


def sync(*items: dict[str, Any], **more: Any) -> httpx.Response:
    """Return an answer with what changed."""
    return httpx.Response(200, json={"sync_token": "next", "full_sync": False, "items": list(items), **more})


def in_turn(*answers: httpx.Response) -> Answers:
    """Give one answer after the other."""
    waiting = list(answers)
    return lambda _: waiting.pop(0)


async def pulled(door: Door, there: Todoist, *rows: dict[str, Any]) -> Item:
    """Pull one task and return how it is read."""
    there.answer = in_turn(full(*rows), sync())
    pull = await SOURCE.pull(door, None)
    return pull.items[0]
