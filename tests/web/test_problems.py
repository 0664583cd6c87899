"""Every route refuses in the same words of the protocol, and never repeats what was sent."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from oo_app import web
from oo_app.runtime import Runtime
from oo_app.tips.models import Reaction
from oo_app.web.body import BODY_LIMIT, WEBHOOK_LIMIT
from tests.browser import Browser
from tests.people import a_tip, impression, rows
from tests.web.api import CHANGES, ROUTES, WITH_BODY, problem_of, signed_in

each_route = pytest.mark.parametrize(("method", "path", "body"), ROUTES)
each_change = pytest.mark.parametrize(("method", "path", "body"), CHANGES)
each_with_body = pytest.mark.parametrize(("method", "path", "body"), WITH_BODY)
SECRET = "a-value-that-must-not-come-back"
FOREIGN = (
    "https://evil.example",
    "null",
    "http://localhost:8000.evil.example",
    "http://127.0.0.1:8000",
    "https://localhost:8000",
    "http://localhost",
)


async def count_of_sent(rt: Runtime) -> int:
    return len(await rows(rt, Reaction))


@each_route
async def test_nobody_signed_in_is_401(browser: Browser, method: str, path: str, body: Any):
    problem_of(await browser.send(method, path, body), 401)


@each_route
async def test_a_session_that_is_none_is_401(browser: Browser, method: str, path: str, body: Any):
    browser.client.cookies.set(browser.rt.settings.session_cookie, SECRET)

    assert SECRET not in problem_of(await browser.send(method, path, body), 401)


@each_change
async def test_another_sites_origin_is_403(rt: Runtime, browser: Browser, method: str, path: str, body: Any):
    await signed_in(rt, browser)

    for origin in FOREIGN:
        problem_of(await browser.client.request(method, path, json=body, headers={"Origin": origin}), 403)

    assert (await browser.get("/api/v1/me")).status_code == 200


@each_change
async def test_a_cookie_without_an_origin_is_403(rt: Runtime, browser: Browser, method: str, path: str, body: Any):
    await signed_in(rt, browser)

    problem_of(await browser.client.request(method, path, json=body), 403)
    assert (await browser.get("/api/v1/me")).status_code == 200


@each_change
async def test_neither_cookie_nor_origin_is_401(browser: Browser, method: str, path: str, body: Any):
    problem_of(await browser.client.request(method, path, json=body), 401)


async def test_a_cookie_among_broken_ones_counts_without_an_origin_too(rt: Runtime, browser: Browser):
    ada = await signed_in(rt, browser)
    browser.client.cookies.clear()
    cookie = f'a b="; @=x; {rt.settings.session_cookie}={ada.token}'

    response = await browser.client.post("/api/v1/recommend", json={"surface": "web"}, headers={"Cookie": cookie})

    problem_of(response, 403)


@pytest.mark.parametrize("path", ["/api/v1/recommend", "/api/v1/me", "/auth/signout", "/nothing"])
async def test_a_foreign_preflight_gets_no_permission(browser: Browser, path: str):
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    response = await browser.client.options(path, headers=headers)

    assert [name for name in response.headers if name.startswith("access-control-")] == []


@pytest.mark.parametrize("impression_id", ["6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "x" * 64, "../me", "é", "\x00"])
async def test_a_tip_that_never_was_is_404(rt: Runtime, browser: Browser, impression_id: str):
    await signed_in(rt, browser)

    detail = problem_of(await browser.react(impression_id, "done"), 404)

    assert impression_id not in detail


@pytest.mark.parametrize("action", ["done", "snooze", "dismiss", "undo"])
async def test_another_persons_tip_is_404(rt: Runtime, app: httpx.ASGITransport, action: str):
    async with Browser(rt, app) as of_ada, Browser(rt, app) as of_ben:
        ada = await signed_in(rt, of_ada, "ada")
        await signed_in(rt, of_ben, "ben")
        served = await a_tip(rt, ada.id)

        problem_of(await of_ben.react(served.tip.impression_id, action), 404)

        assert (await impression(rt, served.tip.impression_id)).closed_at is None
        assert await count_of_sent(rt) == 0


@pytest.mark.parametrize("source", ["todoist_", "google_calendar", "TODOIST", "%00", "x" * 300, "é"])
async def test_a_source_that_is_none_is_404(rt: Runtime, browser: Browser, source: str):
    await signed_in(rt, browser)

    problem_of(await browser.send("DELETE", f"/api/v1/connections/{source}"), 404)


async def test_a_source_that_is_not_connected_is_404(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)
    await browser.send("DELETE", "/api/v1/connections/todoist")

    problem_of(await browser.send("DELETE", "/api/v1/connections/todoist"), 404)


NO_JSON = (
    b"",
    b"{",
    b"surface=web",
    b"\xff\xfe\x00",
    b'{"surface": "web"',
    b"[" * 30_000,
    b"1" * 5_000,
    b"\x00",
    b"null",
)
RECOMMEND, SAID, CHOSEN = "POST /api/v1/recommend", "POST /api/v1/feedback", "PUT /api/v1/me/preferences"
SWITCHES = ("notify", "paused", "learn_across_people", "allow_remote_ai")
NO_TIME_OF_DAY = (SECRET, "24:00", "7:00", "07:60", "07:00:00", "07:00\n", "0\u0667:00", 700)
WRONG: list[tuple[str, str, list[Any]]] = [
    (RECOMMEND, "surface", [{}, {"surface": SECRET}, {"surface": 1}, {"surface": None}]),
    (RECOMMEND, "unknown", [{"surface": "web", "unknown": SECRET}]),
    (RECOMMEND, "body", [[], SECRET, 1, None, [{"surface": "web"}]]),
    (
        SAID,
        "impression_id",
        [{"action": "done"}, *({"action": "done", "impression_id": v} for v in (1, "", SECRET * 3))],
    ),
    (SAID, "action", [{"impression_id": "x"}, *({"impression_id": "x", "action": v} for v in (SECRET, 1, None, []))]),
    (SAID, "dwell_ms", [{"dwell_ms": value} for value in (-1, 86_400_001, 1.5, True, SECRET, [1], 10**30)]),
    (
        SAID,
        "snooze",
        [{"action": "snooze", "snooze": SECRET}, {"action": "snooze", "snooze": 1}, {"snooze": "tomorrow"}],
    ),
    (SAID, "reaction_id", [{"reaction_id": value} for value in (SECRET, 1, SECRET * 3)]),
    (
        SAID,
        "reacted_at",
        [{"reacted_at": v} for v in (SECRET, 1_763_888_400, "2026-11-23T09:00:00", "2026-11-23", True)],
    ),
    (SAID, "reacted_at", [{"reacted_at": "2099-01-01T00:00:00Z"}]),
    (SAID, "dwell", [{"dwell": 1}]),
    (CHOSEN, "time_zone", [{"time_zone": v} for v in (SECRET, "", "europe/berlin", 1, "x" * 65, "../../etc/passwd")]),
    *[(CHOSEN, name, [{name: value} for value in NO_TIME_OF_DAY]) for name in ("quiet_from", "quiet_to")],
    *[(CHOSEN, name, [{name: value} for value in (SECRET, 1, "true", [])]) for name in SWITCHES],
    (CHOSEN, "push_budget_per_week", [{"push_budget_per_week": value} for value in (-1, 51, 2.5, "3")]),
    (CHOSEN, "role", [{"role": "admin"}]),
    (CHOSEN, "user_id", [{"user_id": SECRET}]),
    (CHOSEN, "body", [[], SECRET]),
]


@pytest.mark.parametrize(("route", "field", "bodies"), WRONG)
async def test_a_field_that_does_not_fit_is_422_and_named(
    rt: Runtime, browser: Browser, route: str, field: str, bodies: list[Any]
):
    method, path = route.split()
    person = await signed_in(rt, browser)
    fitting = {"impression_id": (await a_tip(rt, person.id)).tip.impression_id, "action": "done"}

    for body in bodies:
        sent = fitting | body if route == SAID and field not in fitting else body
        detail = problem_of(await browser.send(method, path, sent), 422)

        assert detail.startswith((f"{field}: ", f"{field} ")), body
        assert SECRET not in detail


@each_with_body
async def test_what_is_no_json_is_422(rt: Runtime, browser: Browser, method: str, path: str, body: Any):
    await signed_in(rt, browser)
    headers = {"Origin": browser.base, "Content-Type": "application/json"}

    for content in NO_JSON:
        detail = problem_of(await browser.client.request(method, path, content=content, headers=headers), 422)

        assert detail.startswith("body: ")


@each_with_body
async def test_a_body_that_does_not_say_it_is_json_is_422(
    rt: Runtime, browser: Browser, method: str, path: str, body: Any
):
    await signed_in(rt, browser)

    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        headers = {"Origin": browser.base, "Content-Type": kind}
        problem_of(await browser.client.request(method, path, content=b'{"surface": "web"}', headers=headers), 422)


@pytest.mark.parametrize("name", ["\\ud800", "x" * 5_000, "é", "\\u0000", "a.b", ""])
async def test_a_strange_name_of_a_field_does_no_harm(rt: Runtime, browser: Browser, name: str):
    await signed_in(rt, browser)
    headers = {"Origin": browser.base, "Content-Type": "application/json"}
    content = f'{{"surface": "web", "{name}": 1}}'.encode()

    response = await browser.client.post("/api/v1/recommend", content=content, headers=headers)

    assert len(problem_of(response, 422)) < 200


@pytest.mark.parametrize("value", ["\\ud800", "\\u0000", "😀"])
async def test_a_strange_value_does_no_harm(rt: Runtime, browser: Browser, value: str):
    await signed_in(rt, browser)
    headers = {"Origin": browser.base, "Content-Type": "application/json"}
    content = f'{{"impression_id": "{value}", "action": "done"}}'.encode()

    response = await browser.client.post("/api/v1/feedback", content=content, headers=headers)

    assert response.status_code in {404, 422}


async def chunks(size: int) -> AsyncIterator[bytes]:
    """Send that many bytes without saying so first."""
    for _ in range(size // 1024):
        yield b" " * 1024
    yield b" " * (size % 1024)


@each_with_body
@pytest.mark.parametrize("is_chunked", [True, False])
async def test_a_body_over_64_kib_is_413(
    rt: Runtime, browser: Browser, method: str, path: str, body: Any, *, is_chunked: bool
):
    await signed_in(rt, browser)
    size = BODY_LIMIT + 1
    content = chunks(size) if is_chunked else b" " * size

    response = await browser.client.request(
        method, path, content=content, headers={"Origin": browser.base, "Content-Type": "application/json"}
    )

    problem_of(response, 413)


async def test_a_body_of_64_kib_is_read(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)
    content = b'{"surface": "web"}'.ljust(BODY_LIMIT)

    response = await browser.client.post(
        "/api/v1/recommend", content=content, headers={"Origin": browser.base, "Content-Type": "application/json"}
    )

    assert (len(content), response.status_code) == (64 * 1024, 200)


@pytest.mark.parametrize(("size", "status"), [(BODY_LIMIT + 1, 404), (WEBHOOK_LIMIT, 404), (WEBHOOK_LIMIT + 1, 413)])
async def test_a_webhook_may_be_a_mebibyte(browser: Browser, size: int, status: int):
    problem_of(await browser.client.post("/webhooks/nobody", content=b" " * size), status)


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/", "/api/v1", "/api/v2/me", "/api/v1/nothing", "/api/v1/me/", "/auth/nothing", "/webhooks/x"],
)
async def test_an_unknown_path_is_404(rt: Runtime, browser: Browser, path: str):
    await signed_in(rt, browser)

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        problem_of(await browser.send(method, path), 404)


async def test_a_method_a_path_does_not_have_is_404(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)

    for method, path in (("GET", "recommend"), ("DELETE", "feedback"), ("PATCH", "me"), ("POST", "connections")):
        problem_of(await browser.send(method, f"/api/v1/{path}"), 404)


@pytest.mark.parametrize("provider", ["facebook", "google ", "GOOGLE", "%00"])
async def test_an_unknown_provider_is_a_problem_too(browser: Browser, provider: str):
    response = await browser.get(f"/auth/{provider}/start")

    assert response.status_code in {404, 422}
    problem_of(response, response.status_code)


async def test_a_bug_shows_nothing_of_the_inside(rt: Runtime):
    routes = web.build()

    async def broken() -> None:
        raise ZeroDivisionError(SECRET)

    routes.add_api_route("/broken", broken)
    transport = httpx.ASGITransport(web.guard(rt)(routes), raise_app_exceptions=False)
    async with Browser(rt, transport) as browser:
        response = await browser.get("/broken")

    assert problem_of(response, 500) == "Something went wrong"
    assert SECRET not in response.text
    assert "Traceback" not in response.text


async def test_every_problem_has_an_id_of_its_own(browser: Browser):
    ids = {(await browser.get("/api/v1/me")).json()["request_id"] for _ in range(5)}

    assert len(ids) == 5
