"""A token at the API: what it may, what it may not, and that no page of another site can use it."""

from typing import Any

import httpx
import pytest

from oo_app import accounts
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.people import Somebody, a_person, a_tip
from tests.web.api import ROUTES, problem_of, signed_in

ALLOWED = {
    ("POST", "/api/v1/recommend"),
    ("POST", "/api/v1/feedback"),
    ("GET", "/api/v1/connections"),
    ("GET", "/api/v1/me"),
    ("GET", "/api/v1/me/preferences"),
}
FORBIDDEN = [route for route in ROUTES if (route[0], route[1]) not in ALLOWED]


class Program:
    """Somebody's program: a token, no cookie, no Origin."""

    def __init__(self, client: httpx.AsyncClient, token: str, person: Somebody) -> None:
        self.client = client
        self.person = person
        self.headers = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """Call the API."""
        return await self.client.request(method, path, json=body, headers=self.headers | headers)


@pytest.fixture
async def program(rt: Runtime, browser: Browser) -> Program:
    """A program of Ada's."""
    ada = await a_person(rt)
    return Program(browser.client, (await accounts.mint(rt, ada.id, "my terminal")).token, ada)


async def test_a_token_is_shown_once(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)

    minted = (await browser.post("/api/v1/tokens", {"name": "  my terminal "})).json()
    (listed,) = (await browser.get("/api/v1/tokens")).json()

    assert sorted(minted) == ["expires_at", "id", "token"]
    assert sorted(listed) == ["created_at", "expires_at", "id", "last_used_at", "name"]
    assert (listed["id"], listed["name"], listed["last_used_at"]) == (minted["id"], "my terminal", None)
    assert listed["expires_at"] == minted["expires_at"]


async def test_a_program_asks_and_answers_without_an_origin(program: Program):
    served = (await program.call("POST", "/api/v1/recommend", {"surface": "api"})).json()
    body = {"impression_id": served["tip"]["impression_id"], "action": "dismiss", "dwell_ms": 3000}

    answer = await program.call("POST", "/api/v1/feedback", body)

    assert (answer.status_code, answer.json()) == (200, {"reward": -0.6, "accepted": True})


async def test_a_program_reads_its_persons_own_data(program: Program):
    me = (await program.call("GET", "/api/v1/me")).json()

    assert (me["id"], me["email"]) == (program.person.id, "ada@sandbox.test")
    assert (await program.call("GET", "/api/v1/me/preferences")).json()["notify"] is False
    connections = (await program.call("GET", "/api/v1/connections")).json()
    assert {entry["state"] for entry in connections if entry["source"] == "todoist"} == {"connected"}


@pytest.mark.parametrize(("method", "path", "body"), FORBIDDEN)
async def test_everything_else_is_404_and_changes_nothing(
    rt: Runtime, program: Program, method: str, path: str, body: Any
):
    detail = problem_of(await program.call(method, path, body), 404)

    assert detail == "A token cannot do this; it needs its person, signed in"
    assert (await accounts.preferences(rt, program.person.id)).notify is False
    assert len(await accounts.tokens(rt, program.person.id)) == 1


@pytest.mark.parametrize(("method", "path", "body"), FORBIDDEN)
async def test_a_cookie_beside_it_does_not_help(
    rt: Runtime, browser: Browser, program: Program, method: str, path: str, body: Any
):
    browser.client.cookies.set(rt.settings.session_cookie, program.person.token)

    problem_of(await program.call(method, path, body, Origin=browser.base), 404)


@pytest.mark.parametrize("path", ["/", "/tip", "/admin", "/connect/todoist/start", "/auth/signout"])
async def test_a_token_opens_no_page(rt: Runtime, program: Program, path: str):
    method = "POST" if path == "/auth/signout" else "GET"

    response = await program.call(method, path)

    assert response.status_code in {303, 404}
    assert program.person.id not in response.text


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
@pytest.mark.parametrize("token", ["oo_made-up", "", "x"])
async def test_a_token_that_is_none_is_401(browser: Browser, token: str, method: str, path: str, body: Any):
    headers = {"Authorization": f"Bearer {token}"}

    response = await browser.client.request(method, path, json=body, headers=headers)

    problem_of(response, 401)
    assert response.headers["www-authenticate"] == 'Bearer realm="oO"'


async def test_a_token_that_is_none_is_not_mended_by_a_cookie(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)

    problem_of(await browser.client.get("/api/v1/me", headers={"Authorization": "Bearer oo_made-up"}), 401)


async def test_another_scheme_is_passed_over(rt: Runtime, browser: Browser):
    await signed_in(rt, browser)

    assert (await browser.client.get("/api/v1/me", headers={"Authorization": "Basic YTpi"})).status_code == 200


async def test_a_token_answers_its_own_persons_tips_only(rt: Runtime, program: Program):
    ben = await a_person(rt, "ben")
    served = await a_tip(rt, ben.id)

    body = {"impression_id": served.tip.impression_id, "action": "done"}

    problem_of(await program.call("POST", "/api/v1/feedback", body), 404)


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, 1, None, ["x"]])
async def test_a_name_that_does_not_fit_is_422(rt: Runtime, browser: Browser, name: object):
    await signed_in(rt, browser)

    assert problem_of(await browser.post("/api/v1/tokens", {"name": name}), 422).startswith("name: ")


async def test_the_twenty_first_is_409(rt: Runtime, browser: Browser):
    ada = await signed_in(rt, browser)
    for _ in range(20):
        await accounts.mint(rt, ada.id, "one of twenty")

    detail = problem_of(await browser.post("/api/v1/tokens", {"name": "one more"}), 409)

    assert detail == "There are 20 tokens already; delete one first"


async def test_an_ended_token_is_401(rt: Runtime, browser: Browser, program: Program):
    browser.client.cookies.set(rt.settings.session_cookie, program.person.token)
    (listed,) = (await browser.get("/api/v1/tokens")).json()

    ended = await browser.send("DELETE", f"/api/v1/tokens/{listed['id']}")

    assert (ended.status_code, ended.content) == (204, b"")
    problem_of(await program.call("GET", "/api/v1/me"), 401)


async def test_another_persons_token_is_404(rt: Runtime, browser: Browser, program: Program):
    await signed_in(rt, browser, "ben")
    (view,) = await accounts.tokens(rt, program.person.id)

    problem_of(await browser.send("DELETE", f"/api/v1/tokens/{view.id}"), 404)

    assert (await browser.get("/api/v1/tokens")).json() == []


async def test_the_description_tells_both_ways_in(browser: Browser):
    described = (await browser.get("/api/openapi.json")).json()

    schemes = described["components"]["securitySchemes"]
    assert (schemes["session"]["in"], schemes["token"]["scheme"]) == ("cookie", "bearer")
    for method, path, _ in ROUTES:
        name = path.replace("todoist", "{source}").replace("a-token", "{token_id}")
        ways = {way for each in described["paths"][name][method.lower()]["security"] for way in each}
        assert ways == ({"session", "token"} if (method, path) in ALLOWED else {"session"})
