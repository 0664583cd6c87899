"""Whatever is asked for, by whatever method: what is no success and no page is problem+json with all five fields."""

import json
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from oo_app import web
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.metrics import value
from tests.served import Served, served
from tests.web.api import signed_in

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MADEUP")
KNOWN_TO_THE_PARSER = METHODS[:-1]  # to a method that does not exist the HTTP parser answers 400 before anything else
DESCRIBED = [path.format(provider="google", source="todoist", token_id="x") for path in web.build().openapi()["paths"]]
UNDESCRIBED = [
    "/api",
    "/api/",
    "/api/docs",
    "/api/openapi.json",
    "/api/v2/me",
    "/api/v1/me/",
    "/auth",
    "/auth/nobody/start",
    "/auth/google/start/",
    "/connect/nobody/start",
    "/connect/todoist/nothing",
    "/webhooks/todoist",
    "/admin",
    "/admin/users/1",
]
REFLEX = [
    "/ping",
    "/ping/",
    "/_health",
    "/_event",
    "/_event/",
    "/_event/?EIO=4&transport=polling",
    "/_event/?EIO=4&transport=websocket",
    "//_event/?EIO=4&transport=polling",
    "/_upload",
    "/_upload/x",
    "/_all_routes",
    "/auth-codespace",
]
PAGES = ["/", "/tip", "/connect", "/legal/terms", "/index.html", "/404.html", "/oo.css", "/assets/", "/assets/none.js"]
NOWHERE = ["/nothing", "/nothing/here", "/%00", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/x" * 200]


def is_fine(response: httpx.Response, *, reads_pages: bool) -> bool:
    """Whether an answer is a success, a page for who reads pages, or a whole problem."""
    if response.status_code < 400:
        return True
    kind = response.headers["content-type"]
    if reads_pages and kind.startswith("text/html"):
        return True
    return kind == "application/problem+json" and (response.request.method == "HEAD" or is_whole(response))


def is_whole(response: httpx.Response) -> bool:
    """Whether a problem has its five fields, and the id that its header has."""
    body = json.loads(response.content)
    return (
        sorted(body) == ["detail", "request_id", "status", "title", "type"]
        and body["status"] == response.status_code
        and bool(body["title"] and body["detail"])
        and UUID(body["request_id"]).version == 7
        and body["request_id"] == response.headers["x-request-id"]
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("who", ["stranger", "person"])
async def test_every_route_of_ours_answers_every_method_properly(rt: Runtime, browser: Browser, method: str, who: str):
    if who == "person":
        await signed_in(rt, browser)
    headers = {"Origin": browser.base}

    answers = [await browser.client.request(method, path, headers=headers) for path in DESCRIBED + UNDESCRIBED]

    assert [str(each.request.url) for each in answers if not is_fine(each, reads_pages=False)] == []
    assert [each.status_code for each in answers if each.status_code >= 500] == []


async def others(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as libraries do: plain text, HTML, nothing at all."""
    path = scope["path"]
    if path == "/raises":
        raise RuntimeError("planted")
    page = HTMLResponse("<h1>Not here</h1>", 404)
    plain = PlainTextResponse("Method Not Allowed", 405, headers={"Allow": "GET", "X-Other": "x"})
    await (page if path == "/page" else plain)(scope, receive, send)


@pytest.fixture
async def visitor(rt: Runtime) -> AsyncGenerator[Browser]:
    """A browser before an application of others."""
    async with Browser(rt, httpx.ASGITransport(web.guard(rt)(others))) as browser:
        yield browser


async def test_a_librarys_bare_error_becomes_a_problem_and_keeps_what_matters(visitor: Browser):
    response = await visitor.get("/plain")

    assert (response.status_code, is_whole(response)) == (405, True)
    assert response.json()["title"] == "Method Not Allowed"
    assert response.headers["allow"] == "GET"
    assert response.headers["content-length"] == str(len(response.content))
    assert "x-other" not in response.headers
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("accept", "is_page"), [("text/html,*/*;q=0.8", True), ("*/*", False), ("application/json", False), ("", False)]
)
async def test_the_page_for_what_is_not_there_is_for_who_reads_pages(visitor: Browser, accept: str, *, is_page: bool):
    response = await visitor.client.get("/page", headers={"Accept": accept})

    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html") is is_page
    assert is_page or is_whole(response)


async def test_a_bug_before_any_route_is_a_problem_too(rt: Runtime):
    async with Browser(rt, httpx.ASGITransport(web.guard(rt)(others), raise_app_exceptions=False)) as browser:
        response = await browser.get("/raises")

    assert (response.status_code, is_whole(response)) == (500, True)
    assert "planted" not in response.text
    assert value(rt.metrics, "oo_request_seconds_count", route="unknown", method="GET", status="5xx") == 1


async def test_an_answer_that_breaks_off_is_not_begun_anew(rt: Runtime):
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    async with Browser(rt, httpx.ASGITransport(web.guard(rt)(breaks), raise_app_exceptions=False)) as browser:
        response = await browser.get("/breaks")

    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", [path for path in REFLEX if not path.startswith("//")])
async def test_what_reflex_serves_besides_pages_and_socket_is_closed(visitor: Browser, path: str, method: str):
    response = await visitor.client.request(method, path, headers={"Origin": visitor.base})

    assert (response.status_code, is_whole(response)) == (404, True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The application as people run it, with all that Reflex adds."""
    with served(tmp_path_factory.mktemp("methods")) as running:
        yield running


@pytest.mark.browser
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_every_address_of_the_served_application_answers_every_method_properly(site: Served, accept: str):
    paths = DESCRIBED + UNDESCRIBED + REFLEX + PAGES + NOWHERE
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    wrong: list[str] = []

    with httpx.Client(base_url=site.url, trust_env=False, timeout=30) as client:
        for path in paths:
            for method in KNOWN_TO_THE_PARSER:
                for extra in ({}, {"Origin": site.url}, preflight):
                    response = client.request(method, path, headers={"Accept": accept, **extra})
                    is_shown = accept == "text/html"
                    if response.status_code >= 500 or not is_fine(response, reads_pages=is_shown):
                        wrong.append(f"{method} {path} {response.status_code} {response.headers.get('content-type')}")

    assert wrong == []
    assert "Traceback" not in (Path(site.folder) / "served.log").read_text()
