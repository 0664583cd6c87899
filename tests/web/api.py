"""What the tests of the API share: its routes, a browser that is signed in already, what an error looks like."""

from typing import Any
from uuid import UUID

import httpx
from starlette.types import Message, Receive, Scope, Send

from oo_app import web
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.people import Somebody, a_person

FEEDBACK = {"impression_id": "an-impression", "action": "done", "dwell_ms": 5_000}
ROUTES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "/api/v1/recommend", {"surface": "web"}),
    ("POST", "/api/v1/feedback", FEEDBACK),
    ("GET", "/api/v1/connections", None),
    ("POST", "/api/v1/connections/todoist", {"url": "https://example.com/calendar.ics"}),
    ("DELETE", "/api/v1/connections/todoist", None),
    ("GET", "/api/v1/me", None),
    ("DELETE", "/api/v1/me", None),
    ("GET", "/api/v1/me/export", None),
    ("GET", "/api/v1/me/preferences", None),
    ("PUT", "/api/v1/me/preferences", {"notify": True}),
    ("GET", "/api/v1/tokens", None),
    ("POST", "/api/v1/tokens", {"name": "my terminal"}),
    ("DELETE", "/api/v1/tokens/a-token", None),
]
CHANGES = [route for route in ROUTES if route[0] != "GET"]
WITH_BODY = [route for route in ROUTES if route[2] is not None]


async def signed_in(rt: Runtime, browser: Browser, name: str = "ada", **fields: Any) -> Somebody:
    """Give the browser the session of a new person."""
    person = await a_person(rt, name, **fields)
    browser.client.cookies.set(rt.settings.session_cookie, person.token)
    return person


def problem_of(response: httpx.Response, status: int) -> str:
    """Return the detail of an answer, having checked that it is a problem as RFC 9457 and the contract want it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert sorted(body) == ["detail", "request_id", "status", "title", "type"]
    assert body["status"] == status
    assert UUID(body["request_id"]).version == 7
    assert body["title"]
    assert body["detail"]
    return str(body["detail"])


async def socket(rt: Runtime, path: str, origin: str | None, *, reads_refusals: bool = False) -> list[Message]:
    """Open a websocket; return what the server says."""
    said: list[Message] = []

    async def accept(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        said.append(message)

    headers = [(b"origin", origin.encode())] if origin is not None else []
    scope: dict[str, Any] = {"type": "websocket", "path": path, "headers": headers, "client": ("192.0.2.1", 1)}
    if reads_refusals:
        scope["extensions"] = {"websocket.http.response": {}}
    await web.guard(rt)(accept)(scope, receive, send)
    return said
