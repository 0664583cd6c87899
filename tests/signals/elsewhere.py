"""Todoist's own app in somebody's hand: what happens to tasks past oO; and what oO has stored of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
from sqlalchemy import select, text
from sqlmodel import col

from oo_app.connections.models import Connection
from oo_app.kit.crypto import Place
from oo_app.runtime import Runtime
from oo_app.signals import sync
from oo_app.signals.models import Item
from tests.browser import Browser

Trouble = Callable[[], httpx.Response]
Fault = Callable[[httpx.Request], httpx.Response | None]

CLIENT = {"client_id": "oo-sandbox-todoist-legacy", "client_secret": "oo-sandbox-todoist-secret"}


@dataclass
class Elsewhere:
    """An account of the sandbox's Todoist, opened by another app with every right."""

    browser: Browser
    token: str

    async def ask(self, method: str, path: str, **parts: Any) -> Any:
        """Call the API."""
        url = f"{self.browser.rt.settings.todoist_api_url}{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        response = await self.browser.client.request(method, url, headers=headers, **parts)
        response.raise_for_status()
        return response.json() if response.content else None

    async def add(self, content: str, **fields: Any) -> str:
        """Add a task; return its id."""
        return (await self.ask("POST", "/tasks", json={"content": content, **fields}))["id"]

    async def change(self, task_id: str, **fields: Any) -> None:
        """Change a task."""
        await self.ask("POST", f"/tasks/{task_id}", json=fields)

    async def close(self, task_id: str) -> None:
        """Complete a task."""
        await self.ask("POST", f"/tasks/{task_id}/close")

    async def reopen(self, task_id: str) -> None:
        """Take a completion back."""
        await self.ask("POST", f"/tasks/{task_id}/reopen")

    async def delete(self, task_id: str) -> None:
        """Delete a task."""
        await self.ask("DELETE", f"/tasks/{task_id}")

    async def task(self, task_id: str) -> dict[str, Any]:
        """Look at a task."""
        return await self.ask("GET", f"/tasks/{task_id}")


async def opened(browser: Browser, account: str = "ada") -> Elsewhere:
    """Let another app into an account, with every right."""
    query = {"client_id": CLIENT["client_id"], "state": uuid4().hex, "scope": "data:read_write,data:delete"}
    form = {"account": account, "answer": "agree"}
    back = await browser.client.post(browser.rt.settings.todoist_auth_url, params=query, data=form)
    code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
    granted = await browser.client.post(browser.rt.settings.todoist_token_url, data=CLIENT | {"code": code})
    return Elsewhere(browser, granted.json()["access_token"])


async def connection(rt: Runtime, user_id: str | None = None) -> Connection:
    """Return a person's connection, or the only one."""
    query = select(Connection)
    if user_id is not None:
        query = query.where(col(Connection.user_id) == user_id)
    async with rt.db.read() as session:
        return (await session.execute(query)).scalar_one()


async def item(rt: Runtime, external_id: str) -> Item | None:
    """Return what is stored of a task."""
    async with rt.db.read() as session:
        return (await session.execute(select(Item).where(col(Item.external_id) == external_id))).scalar_one_or_none()


async def stored(rt: Runtime, external_id: str) -> Item:
    """Return what is stored of a task that must be there."""
    found = await item(rt, external_id)
    assert found is not None
    return found


async def content(rt: Runtime, row: Item) -> str:
    """Open the words of an item."""
    vault = await rt.vault.for_user(row.user_id)
    return vault.open(row.content, Place("item", row.id, "content"))


async def open_names(rt: Runtime) -> set[str]:
    """Return the sources' ids of what is open."""
    async with rt.db.read() as session:
        query = select(col(Item.external_id)).where(col(Item.is_open).is_(True))
        return set((await session.execute(query)).scalars().all())


async def told(rt: Runtime, subject: str) -> list[dict[str, Any]]:
    """Return the events of a subject."""
    async with rt.db.read() as session:
        query = text("SELECT payload FROM outbox WHERE subject = :subject ORDER BY seq").bindparams(subject=subject)
        return [json.loads(payload) for payload in (await session.execute(query)).scalars().all()]


async def completions(rt: Runtime) -> list[str]:
    """Return the items that were completed elsewhere, as events tell it."""
    return [each["item_id"] for each in await told(rt, "signals.task.completed")]


async def read(rt: Runtime) -> bool:
    """Read the only connection."""
    return await sync(rt, (await connection(rt)).id)


def full(**resources: Any) -> httpx.Response:
    """Return an answer with everything there is."""
    return httpx.Response(200, json={"sync_token": "made-up", "full_sync": True, **resources})


def change(**resources: Any) -> httpx.Response:
    """Return an answer with what changed."""
    return httpx.Response(200, json={"sync_token": "made-up", "full_sync": False, **resources})


def answering(*answers: httpx.Response) -> Fault:
    """Answer the readings in their order, then leave them to the sandbox."""
    waiting = list(answers)
    return lambda request: waiting.pop(0) if waiting and request.url.path.endswith("/sync") else None
