"""A signed-in person with Todoist connected, as cookies for a program and for a browser."""

import re

import httpx

from tests.served import Served


async def cookie_of(site: Served, email: str, account: str = "ada") -> str:
    """Sign in through the sandbox, connect an account of its Todoist, return the session cookie's value."""
    async with httpx.AsyncClient(base_url=site.url, follow_redirects=True, timeout=30) as client:
        page = await client.get("/auth/google/start")
        await client.post(str(page.url), data=_fields(page.text) | {"email": email}, headers=_origin(page))
        page = await client.get("/connect/todoist/start")
        await client.post(str(page.url), data={"account": account, "answer": "agree"}, headers=_origin(page))
        return str(client.cookies["oo_session"])


def _fields(text: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))


def _origin(page: httpx.Response) -> dict[str, str]:
    return {"Origin": f"{page.url.scheme}://{page.url.netloc.decode()}"}
