"""What stands around every page, route and socket: guarded documents, headers, origins of sockets."""

import json
from collections.abc import AsyncGenerator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from oo_app import web
from oo_app.accounts.models import User
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from oo_app.web.security import page_path
from tests.browser import Browser
from tests.metrics import value
from tests.outside import with_settings
from tests.web.api import problem_of, signed_in, socket

PROTECTED = [
    "/tip",
    "/tip/",
    "/tip.html",
    "/tip/index.html",
    "//tip",
    "/./tip",
    "/x/../tip",
    "/tip/.",
    "/connect",
    "/connect/",
]
ADMIN = [
    "/admin",
    "/admin/",
    "/admin/users",
    "/admin/users/1",
    "/admin.html",
    "//admin",
    "/x/../admin",
    "/admin/index.html",
]


async def pages(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand where the built pages are served."""
    await PlainTextResponse("a page")(scope, receive, send)


@pytest.fixture
async def visitor(rt: Runtime) -> AsyncGenerator[Browser]:
    """A browser before the guarded pages."""
    async with Browser(rt, httpx.ASGITransport(web.guard(rt)(pages))) as browser:
        yield browser


async def open_at(visitor: Browser, path: str, method: str = "GET") -> httpx.Response:
    """Ask for a path exactly as it is written."""
    request = visitor.client.build_request(method, visitor.base)
    request.url = request.url.copy_with(raw_path=path.encode())
    return await visitor.client.send(request)


@pytest.mark.parametrize("path", PROTECTED)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_stranger_is_led_to_the_door(visitor: Browser, path: str, method: str):
    response = await open_at(visitor, path, method)

    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PROTECTED)
async def test_a_person_sees_their_pages(rt: Runtime, visitor: Browser, path: str):
    await signed_in(rt, visitor)

    assert (await open_at(visitor, path)).text == "a page"


@pytest.mark.parametrize("path", ["/", "/index.html", "/index"])
async def test_a_person_at_the_door_is_led_to_their_tip(rt: Runtime, visitor: Browser, path: str):
    await signed_in(rt, visitor)

    response = await open_at(visitor, path)

    assert (response.status_code, response.headers["location"]) == (303, "/tip")


async def test_a_person_without_a_source_is_led_to_connect_one(rt: Runtime, app: httpx.ASGITransport):
    async with Browser(rt, app) as browser:
        await signed_in(rt, browser)
        await browser.send("DELETE", "/api/v1/connections/todoist")

        response = await browser.get("/")

    assert (response.status_code, response.headers["location"]) == (303, "/connect")


@pytest.mark.parametrize(
    "path", ["/", "/legal/terms", "/legal/privacy", "/assets/app.js", "/oo.css", "/tips", "/connected", "/administer"]
)
async def test_what_is_for_all_is_shown_to_a_stranger(visitor: Browser, path: str):
    assert (await open_at(visitor, path)).text == "a page"


@pytest.mark.parametrize("path", ADMIN)
@pytest.mark.parametrize("is_signed_in", [True, False])
async def test_nobody_but_an_admin_finds_anything_under_admin(
    rt: Runtime, visitor: Browser, path: str, *, is_signed_in: bool
):
    if is_signed_in:
        await signed_in(rt, visitor)

    assert problem_of(await open_at(visitor, path), 404) == "Not found"


@pytest.mark.parametrize("path", ADMIN)
async def test_an_admin_finds_the_admin_pages(rt: Runtime, visitor: Browser, path: str):
    await signed_in(rt, visitor)
    async with rt.db.begin() as tx:
        await tx.session.execute(update(User).values(role="admin"))

    assert (await open_at(visitor, path)).text == "a page"


async def test_a_session_that_has_ended_is_a_strangers(rt: Runtime, clock: FakeClock, visitor: Browser):
    ada = await signed_in(rt, visitor)
    async with rt.db.begin() as tx:
        user = await tx.session.get(User, ada.id)
        assert user is not None
        await tx.session.delete(user)

    assert (await visitor.get("/tip")).headers["location"] == "/"


@given(path=st.text(st.sampled_from("/.tipadmnhx"), max_size=14))
def test_every_way_to_write_a_page_is_recognised(path: str):
    """The file server normalises; so does the guard, and twice is the same as once."""
    page = page_path(path)

    assert page.startswith("/")
    assert page_path(page + "/") == page
    assert page_path(f"/x/..{page}") == page
    assert page == "/" or page_path(page + "/index.html") == page


@pytest.mark.parametrize("path", ["/", "/tip", "/assets/app.js", "/api/v1/me"])
async def test_every_answer_carries_the_headers_that_protect(visitor: Browser, path: str):
    headers = (await visitor.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]


async def test_refusals_carry_them_too(browser: Browser):
    headers = (await browser.get("/api/v1/me")).headers

    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


async def test_strict_transport_is_for_https_only(rt: Runtime, visitor: Browser):
    assert "strict-transport-security" not in (await visitor.get("/")).headers

    secure = with_settings(rt, oo_base_url="https://oo.example")
    async with Browser(secure, httpx.ASGITransport(web.guard(secure)(pages))) as browser:
        headers = (await browser.get("/")).headers

    assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(
    ("path", "told"),
    [("/assets/app-1a2b.js", "public, max-age=31536000, immutable"), ("/api/v1/me", "no-store"), ("/", None)],
)
async def test_only_what_never_changes_is_kept_for_long(visitor: Browser, path: str, told: str | None):
    assert (await visitor.get(path)).headers.get("cache-control") == told


@pytest.mark.parametrize(
    "origin", [None, "", "null", "https://evil.example", "http://127.0.0.1:8000", "http://localhost:8001"]
)
async def test_a_socket_of_another_site_is_refused_wherever_it_knocks(rt: Runtime, origin: str | None):
    for path in ("/_event", "/_event/", "//_event", "/", "/other"):
        (said,) = await socket(rt, path, origin)

        assert (said["type"], said["code"]) == ("websocket.close", 4403)


async def test_where_the_server_can_it_says_why(rt: Runtime):
    start, body = await socket(rt, "/_event", "https://evil.example", reads_refusals=True)

    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert dict(start["headers"])[b"content-type"] == b"application/problem+json"
    assert dict(start["headers"])[b"x-content-type-options"] == b"nosniff"
    assert b"frame-ancestors 'none'" in dict(start["headers"])[b"content-security-policy"]
    assert json.loads(body["body"])["title"] == "This request came from another site"


@pytest.mark.parametrize("path", ["/", "/other", "/_event/more"])
async def test_there_is_one_socket_and_no_other(rt: Runtime, path: str):
    start, body = await socket(rt, path, rt.settings.base_url, reads_refusals=True)

    assert start["status"] == 404
    assert json.loads(body["body"])["status"] == 404


async def test_open_sockets_are_counted(rt: Runtime):
    during: list[float | None] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        during.append(value(rt.metrics, "oo_sockets_open"))

    scope = {"type": "websocket", "path": "/_event", "headers": [(b"origin", rt.settings.base_url.encode())]}
    await web.guard(rt)(look)(scope, nothing, unheard)

    assert (during, value(rt.metrics, "oo_sockets_open")) == ([1], 0)


async def nothing() -> Message:
    return {"type": "websocket.connect"}


async def unheard(message: Message) -> None:
    pass


async def test_a_socket_of_our_own_pages_is_let_in(rt: Runtime):
    assert await socket(rt, "/_event", rt.settings.base_url) == [{"type": "websocket.accept"}]


async def test_the_start_of_the_application_passes(rt: Runtime):
    passed: list[str] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["type"])

    await web.guard(rt)(note)({"type": "lifespan"}, nothing, unheard)

    assert passed == ["lifespan"]
