"""A look at the outside world and at the tables, past the application."""

from typing import Any

from sqlalchemy import select
from sqlmodel import col

from oo_app.connections.models import Connection
from oo_app.kit.crypto import Place
from oo_app.runtime import Runtime
from oo_app.signals.models import Item
from tests.browser import Browser


async def access_token(rt: Runtime) -> str:
    """Return the only connection's access token."""
    async with rt.db.read() as session:
        row = (await session.execute(select(Connection))).scalar_one()
    vault = await rt.vault.for_user(row.user_id)
    return vault.open(row.access_token, Place("connection", row.id, "access_token"))


async def todoist(rt: Runtime, browser: Browser, method: str, path: str, **parts: Any) -> Any:
    """Call the sandbox's Todoist with the person's own grant."""
    url = f"{rt.settings.todoist_api_url}{path}"
    headers = {"Authorization": f"Bearer {await access_token(rt)}"}
    response = await browser.client.request(method, url, headers=headers, **parts)
    response.raise_for_status()
    return response.json() if response.content else None


async def external_id(rt: Runtime, item_id: str) -> str:
    """Return the source's own id of an item."""
    async with rt.db.read() as session:
        query = select(col(Item.external_id)).where(col(Item.id) == item_id)
        return str((await session.execute(query)).scalar_one())


async def todoist_task(rt: Runtime, browser: Browser, item_id: str) -> dict[str, Any]:
    """Read one task at its source."""
    return await todoist(rt, browser, "GET", f"/tasks/{await external_id(rt, item_id)}")
