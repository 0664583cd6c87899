"""How often somebody may ask, at the edge: by address, by session, at the sign-in; and what they are told."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from oo_app import accounts
from oo_app.accounts.sessions import open_session
from oo_app.kit.clock import FakeClock
from oo_app.kit.limits import Limits
from oo_app.runtime import Runtime, use
from tests.browser import Browser
from tests.conftest import transport
from tests.metrics import value
from tests.outside import with_settings
from tests.web.api import problem_of, signed_in, socket

pytestmark = pytest.mark.long

PAGE = {"Accept": "text/html,application/xhtml+xml"}
WRITE = ("POST", "/api/v1/recommend", {"surface": "web"})


@pytest.fixture
def limited(rt: Runtime) -> Runtime:
    """The runtime with the limits that people meet."""
    changed = replace(rt, limits=Limits(rt.clock, 1))
    use(changed)
    return changed


@pytest.fixture
async def visitor(limited: Runtime) -> AsyncGenerator[Browser]:
    """A browser that meets them."""
    async with Browser(limited, transport(limited)) as browser:
        yield browser


def from_address(rt: Runtime, address: str, **settings: Any) -> Browser:
    """Return a browser whose socket's peer has that address."""
    changed = with_settings(rt, **settings) if settings else rt
    app = transport(changed)
    return Browser(changed, httpx.ASGITransport(app.app, client=(address, 50_000)))


async def spend(browser: Browser, count: int, path: str = "/api/docs", **headers: str) -> list[int]:
    """Ask that often; return the statuses in order, each once."""
    statuses = [(await browser.client.get(path, headers=headers)).status_code for _ in range(count)]
    return list(dict.fromkeys(statuses))


async def test_an_address_may_ask_600_times_a_minute(visitor: Browser, clock: FakeClock):
    assert await spend(visitor, 600) == [200]

    refused = await visitor.get("/api/docs")

    assert problem_of(refused, 429) == "That was a little fast. Please wait a moment."
    assert refused.headers["retry-after"] == "1"
    clock.advance(timedelta(seconds=1))
    assert await spend(visitor, 11) == [200, 429]


async def test_what_the_address_has_spent_no_session_brings_back(limited: Runtime, visitor: Browser):
    await spend(visitor, 600)
    await signed_in(limited, visitor)

    problem_of(await visitor.get("/api/v1/me"), 429)
    problem_of(await visitor.send(*WRITE), 429)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/assets/nothing.js"), ("POST", "/webhooks/nothing"), ("GET", "/webhooks/todoist")]
)
async def test_who_asks_for_what_is_not_there_is_counted_where_nothing_else_is(
    visitor: Browser, method: str, path: str
):
    statuses = [(await visitor.client.request(method, path)).status_code for _ in range(601)]

    assert statuses[-1] == 429
    assert 429 not in statuses[:600]


@pytest.mark.parametrize("path", ["/assets/app-1a2b.js", "/sandbox/todoist/"])
async def test_hashed_files_and_the_sandbox_do_not_count(visitor: Browser, path: str):
    await spend(visitor, 600)

    assert (await visitor.get(path)).status_code != 429


async def test_another_address_has_its_own(limited: Runtime):
    async with from_address(limited, "192.0.2.1") as one, from_address(limited, "192.0.2.2") as other:
        await spend(one, 600)

        assert await spend(one, 1) == [429]
        assert await spend(other, 1) == [200]


async def test_a_header_that_no_proxy_of_ours_wrote_is_not_believed(limited: Runtime):
    async with from_address(limited, "192.0.2.1") as browser:
        for number in range(600):
            await browser.client.get("/api/docs", headers={"X-Forwarded-For": f"198.51.100.{number % 250}"})

        assert await spend(browser, 1, **{"X-Forwarded-For": "203.0.113.9"}) == [429]


async def test_behind_a_proxy_the_address_it_saw_counts(limited: Runtime):
    async with from_address(limited, "10.0.0.1", oo_trusted_proxy_hops=1) as proxy:
        await spend(proxy, 600, **{"X-Forwarded-For": "made-up, 192.0.2.1"})

        assert await spend(proxy, 1, **{"X-Forwarded-For": "another made-up, 192.0.2.1"}) == [429]
        assert await spend(proxy, 1, **{"X-Forwarded-For": "192.0.2.1, 192.0.2.2"}) == [200]


async def test_a_session_may_change_20_things_at_once_and_then_one_a_second(
    limited: Runtime, visitor: Browser, clock: FakeClock
):
    await signed_in(limited, visitor)
    statuses = [(await visitor.send(*WRITE)).status_code for _ in range(20)]

    refused = await visitor.send(*WRITE)

    assert set(statuses) == {200}
    assert problem_of(refused, 429) == "That was a little fast. Please wait a moment."
    assert refused.headers["retry-after"] == "1"
    assert (await visitor.get("/api/v1/me")).status_code == 200
    clock.advance(timedelta(seconds=1))
    assert (await visitor.send(*WRITE)).status_code == 200


async def test_two_sessions_of_one_person_do_not_share(limited: Runtime, visitor: Browser):
    ada = await signed_in(limited, visitor)
    for _ in range(21):
        await visitor.send(*WRITE)
    async with limited.db.begin() as tx:
        second = await open_session(tx, ada.id, replacing=None)
    visitor.client.cookies.set(limited.settings.session_cookie, second)

    assert (await visitor.send(*WRITE)).status_code == 200


async def test_a_token_has_a_bucket_like_a_session(limited: Runtime, visitor: Browser):
    ada = await signed_in(limited, visitor)
    minted = await accounts.mint(limited, ada.id, "x")
    visitor.client.cookies.clear()
    headers = {"Authorization": f"Bearer {minted.token}"}

    statuses = [
        (await visitor.client.post("/api/v1/recommend", json={"surface": "api"}, headers=headers)).status_code
        for _ in range(21)
    ]

    assert (set(statuses[:20]), statuses[20]) == ({200}, 429)


async def test_a_made_up_cookie_has_no_bucket_and_spends_the_address(limited: Runtime, visitor: Browser):
    for number in range(600):
        visitor.client.cookies.set(limited.settings.session_cookie, f"made-up-{number}")
        assert (await visitor.send(*WRITE)).status_code == 401

    problem_of(await visitor.send(*WRITE), 429)
    assert len(limited.limits._writes._full_at) == 0


async def test_beginning_to_connect_counts_as_a_change_and_is_said_on_the_page(limited: Runtime, visitor: Browser):
    await signed_in(limited, visitor)
    for _ in range(20):
        assert "error" not in (await visitor.get("/connect/todoist/start")).headers["location"]

    assert (await visitor.get("/connect/todoist/start")).headers["location"] == "/connect?error=busy"


@pytest.mark.parametrize("path", ["/auth/google/start", "/auth/apple/callback?code=x&state=y", "/auth/nobody/start"])
async def test_an_address_may_take_20_steps_of_a_sign_in_a_minute(visitor: Browser, path: str, clock: FakeClock):
    for _ in range(20):
        assert (await visitor.get(path)).status_code != 429

    refused = await visitor.get(path)

    problem_of(refused, 429)
    assert refused.headers["retry-after"] == "3"
    assert (await visitor.get("/api/docs")).status_code == 200
    clock.advance(timedelta(seconds=3))
    assert (await visitor.get(path)).status_code != 429


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_browser_refused_at_the_sign_in_reads_a_sentence(visitor: Browser, method: str):
    path = "/auth/apple/callback"
    for _ in range(20):
        await visitor.client.request(method, path, headers=PAGE)

    refused = await visitor.client.request(method, path, headers=PAGE)

    assert (refused.status_code, refused.headers["location"]) == (303, "/?error=busy")
    assert refused.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/tip", "/legal/terms", "/nothing"])
async def test_a_browser_refused_at_a_page_reads_a_sentence(visitor: Browser, path: str):
    await spend(visitor, 600)

    refused = await visitor.client.get(path, headers=PAGE)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>That was a little fast. Please wait a moment.</h1>" in refused.text
    assert "script-src" in refused.headers["content-security-policy"]


async def test_the_api_answers_a_browser_too_as_an_api(visitor: Browser):
    await spend(visitor, 600)

    problem_of(await visitor.client.get("/api/v1/me", headers=PAGE), 429)


async def test_opening_a_socket_counts(limited: Runtime):
    ours = limited.settings.base_url

    for _ in range(600):
        assert (await socket(limited, "/_event", ours))[0]["type"] == "websocket.accept"

    (refused,) = await socket(limited, "/_event", ours)
    start, _ = await socket(limited, "/_event", ours, reads_refusals=True)

    assert (refused["type"], refused["code"]) == ("websocket.close", 4403)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 429)
    assert dict(start["headers"])[b"retry-after"] == b"1"


async def test_refusals_are_counted_by_kind(limited: Runtime, visitor: Browser):
    await signed_in(limited, visitor)
    for _ in range(21):
        await visitor.send(*WRITE)
        await visitor.get("/auth/google/start")
    await spend(visitor, 600)

    assert value(limited.metrics, "oo_limited_total", what="write") == 1
    assert value(limited.metrics, "oo_limited_total", what="sign_in") == 1
    assert value(limited.metrics, "oo_limited_total", what="request") == 42


async def test_a_load_test_may_multiply_them(rt: Runtime, clock: FakeClock):
    faster = replace(rt, limits=Limits(clock, 3))
    use(faster)
    async with Browser(faster, transport(faster)) as browser:
        await signed_in(faster, browser)
        statuses = [(await browser.send(*WRITE)).status_code for _ in range(61)]

    assert (set(statuses[:60]), statuses[60]) == ({200}, 429)
