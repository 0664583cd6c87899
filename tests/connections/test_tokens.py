"""Grants kept alive: refreshed early and when refused, rotated, and given up only when the source says so."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from sqlalchemy import select

from oo_app import signals
from oo_app.connections import Held, connection_id_of, held, with_access
from oo_app.connections.models import Connection
from oo_app.connections.oauth import _grant
from oo_app.connections.store import keep_grant
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import NotFound, ReconnectNeeded, SourceDown
from oo_app.kit.http import Answer
from oo_app.runtime import Runtime
from oo_app.sources import Door, Grant
from tests.browser import Browser
from tests.conftest import Faults
from tests.outside import behind_gate, sent, turn, with_settings

TOKEN = "/oauth/access_token"


async def connection(rt: Runtime) -> Held:
    """Open the only connection."""
    async with rt.db.read() as session:
        row = (await session.execute(select(Connection))).scalar_one()
    return await held(rt, row.id)


def refreshes(rt: Runtime) -> list[dict[str, str]]:
    """Return what was posted to renew a grant."""
    forms = [dict(parse_qsl(call.content.decode())) for call in sent(rt, TOKEN)]
    return [form for form in forms if form.get("grant_type") == "refresh_token"]


async def renew(browser: Browser, refresh_token: str) -> dict[str, Any]:
    """Spend a refresh token past the application, as an answer that was lost on the way did."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        "client_id": "oo-sandbox-todoist",
        "client_secret": "oo-sandbox-todoist-secret",
    }
    return (await browser.client.post(browser.rt.settings.todoist_token_url, data=form)).json()


async def needs_attention(rt: Runtime) -> bool:
    return (await connection(rt)).needs_attention


async def test_a_young_token_is_used_as_it_is(ada: Browser, clock: FakeClock):
    before = await connection(ada.rt)
    clock.advance(timedelta(minutes=58))

    assert await signals.sync(ada.rt, before.id)

    assert refreshes(ada.rt) == []
    assert (await connection(ada.rt)).access_token == before.access_token


async def test_a_token_about_to_end_is_renewed_beforehand(ada: Browser, clock: FakeClock):
    before = await connection(ada.rt)
    clock.advance(timedelta(minutes=59, seconds=1))

    assert await signals.sync(ada.rt, before.id)

    after = await connection(ada.rt)
    assert [form["refresh_token"] for form in refreshes(ada.rt)] == [before.refresh_token]
    assert after.access_token != before.access_token
    assert after.refresh_token not in {None, before.refresh_token}
    assert after.access_expires_at == clock.now() + timedelta(hours=1)


async def test_a_token_refused_early_is_renewed_once_and_the_call_made_again(ada: Browser):
    before = await connection(ada.rt)
    await turn(ada, "expire", account="ada")

    assert await signals.sync(ada.rt, before.id)

    assert len(refreshes(ada.rt)) == 1
    assert not await needs_attention(ada.rt)


async def test_grants_live_on_over_many_renewals(ada: Browser, clock: FakeClock):
    before = await connection(ada.rt)

    for _ in range(5):
        clock.advance(timedelta(hours=2))
        assert await signals.sync(ada.rt, before.id)

    spent = [form["refresh_token"] for form in refreshes(ada.rt)]
    assert len(spent) == len(set(spent)) == 5


async def test_a_rotation_is_stored_before_anything_uses_it(ada: Browser, clock: FakeClock, faults: Faults):
    before = await connection(ada.rt)
    clock.advance(timedelta(hours=2))
    faults.fault = lambda request: httpx.Response(500) if request.url.path.endswith("/sync") else None

    assert not await signals.sync(ada.rt, before.id)

    after = await connection(ada.rt)
    assert after.refresh_token not in {None, before.refresh_token}
    faults.fault = None
    clock.advance(timedelta(hours=2))
    assert await signals.sync(ada.rt, before.id)


async def test_two_callers_at_once_renew_once(ada: Browser, clock: FakeClock):
    before = await connection(ada.rt)
    clock.advance(timedelta(hours=2))

    done = await asyncio.gather(*(signals.sync(ada.rt, before.id) for _ in range(3)))

    assert done == [True, True, True]
    assert len(refreshes(ada.rt)) == 1


async def test_an_answer_lost_on_the_way_is_asked_for_again_within_the_grace(ada: Browser, clock: FakeClock):
    before = await connection(ada.rt)
    clock.advance(timedelta(hours=2))
    lost = await renew(ada, str(before.refresh_token))
    clock.advance(timedelta(seconds=30))

    assert await signals.sync(ada.rt, before.id)

    after = await connection(ada.rt)
    assert after.access_token == lost["access_token"]
    assert after.refresh_token == before.refresh_token, "an answer without one never overwrites it"
    assert not after.needs_attention


async def test_after_the_grace_the_grant_is_over(ada: Browser, clock: FakeClock):
    before = await connection(ada.rt)
    await renew(ada, str(before.refresh_token))
    clock.advance(timedelta(hours=2))

    assert not await signals.sync(ada.rt, before.id)

    assert await needs_attention(ada.rt)


async def test_a_revoked_grant_is_not_asked_again(ada: Browser, clock: FakeClock):
    before = await connection(ada.rt)
    await turn(ada, "revoke", account="ada")
    await signals.sync(ada.rt, before.id)
    asked = len(sent(ada.rt, "/todoist/"))

    clock.advance(timedelta(days=1))
    await signals.sync(ada.rt, before.id)
    await signals.sync_due(ada.rt)
    await ada.rt.jobs.settle()
    await ada.recommend()

    assert await needs_attention(ada.rt)
    assert len(sent(ada.rt, "/todoist/")) == asked


async def test_the_older_kind_of_grant_is_given_up_at_the_first_refusal(browser: Browser):
    browser.rt = with_settings(browser.rt, todoist_client_id="oo-sandbox-todoist-legacy")
    await browser.sign_in("ada@sandbox.test")
    await browser.connect_todoist()
    before = await connection(browser.rt)
    await turn(browser, "expire", account="ada")

    assert not await signals.sync(browser.rt, before.id)

    assert before.refresh_token is None
    assert await needs_attention(browser.rt)
    assert refreshes(browser.rt) == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, ""),
        (500, "<h1>Sorry</h1>"),
        (429, '{"error":"too_many"}'),
        (404, "<h1>Not found</h1>"),
        (302, ""),
        (200, "{}"),
        (200, '{"access_token":""}'),
        (200, "[]"),
        (200, '{"torn'),
        (400, '{"error":"incorrect_application_credentials"}'),
        (401, '{"error":"invalid_client"}'),
        (400, "<h1>A proxy speaks</h1>"),
    ],
)
def test_an_answer_that_merely_fails_is_an_outage(status: int, body: str):
    with pytest.raises(SourceDown):
        _grant(Answer(status, {}, body.encode()))


@pytest.mark.parametrize(("status", "error"), [(400, "invalid_grant"), (401, "invalid_grant"), (403, "access_denied")])
def test_an_answer_that_refuses_gives_no_grant(status: int, error: str):
    assert _grant(Answer(status, {}, json.dumps({"error": error}).encode())) is None


@pytest.mark.parametrize(
    ("lifetime", "read"), [(3600, 3600), (None, None), (0, None), (-1, None), ("3600", None), (10**15, 315_360_000)]
)
def test_a_lifetime_that_makes_no_sense_does_no_harm(lifetime: object, read: int | None):
    answer = {"access_token": "fresh", "expires_in": lifetime}

    assert _grant(Answer(200, {}, json.dumps(answer).encode())) == Grant("fresh", None, read, "")


@pytest.mark.parametrize(
    ("body", "is_given_up"), [('{"error":"invalid_grant"}', True), ('{"error":"invalid_client"}', False)]
)
async def test_only_a_refusal_of_the_grant_itself_gives_it_up(
    ada: Browser, clock: FakeClock, faults: Faults, body: str, *, is_given_up: bool
):
    before = await connection(ada.rt)
    clock.advance(timedelta(hours=2))
    faults.fault = lambda request: httpx.Response(400, text=body) if request.url.path.endswith(TOKEN) else None

    assert not await signals.sync(ada.rt, before.id)

    after = await connection(ada.rt)
    assert after.needs_attention is is_given_up
    assert after.refresh_token == before.refresh_token


async def test_a_fresh_token_that_is_refused_too_needs_attention(ada: Browser, faults: Faults):
    before = await connection(ada.rt)
    faults.fault = lambda request: httpx.Response(401) if request.url.path.endswith("/sync") else None

    assert not await signals.sync(ada.rt, before.id)

    assert await needs_attention(ada.rt)
    assert len(refreshes(ada.rt)) == 1


async def test_a_good_token_that_is_not_allowed_is_not_renewed(ada: Browser, faults: Faults):
    before = await connection(ada.rt)
    faults.fault = lambda request: httpx.Response(403) if request.url.path.endswith("/sync") else None

    assert not await signals.sync(ada.rt, before.id)

    assert await needs_attention(ada.rt)
    assert refreshes(ada.rt) == []


async def test_connecting_anew_takes_the_grant_before_back(ada: Browser):
    before = await connection(ada.rt)

    await ada.connect_todoist()

    url = f"{ada.rt.settings.todoist_api_url}/user"
    answers = [
        (await ada.client.get(url, headers={"Authorization": f"Bearer {token}"})).status_code
        for token in (before.access_token, (await connection(ada.rt)).access_token)
    ]
    assert answers == [401, 200]


async def test_connecting_anew_goes_on_when_the_grant_before_cannot_be_taken_back(ada: Browser, faults: Faults):
    faults.fault = lambda request: httpx.Response(503) if "access_tokens" in request.url.path else None

    await ada.connect_todoist()

    assert not await needs_attention(ada.rt)


async def nothing(door: Door, connection: Held) -> str:
    return door.access_token


async def test_without_a_connection_there_is_nothing_to_call_with(rt: Runtime):
    with pytest.raises(NotFound):
        await with_access(rt, "made up", nothing)


async def test_a_call_with_a_refused_grant_says_so(ada: Browser):
    before = await connection(ada.rt)
    await turn(ada, "revoke", account="ada")
    await signals.sync(ada.rt, before.id)

    with pytest.raises(ReconnectNeeded):
        await with_access(ada.rt, before.id, nothing)


async def test_an_outage_is_passed_on_as_it_is(ada: Browser):
    before = await connection(ada.rt)

    async def down(door: Door, connection: Held) -> None:
        raise SourceDown(None, retry_after=7)

    with pytest.raises(SourceDown) as raised:
        await with_access(ada.rt, before.id, down)

    assert raised.value.retry_after == 7
    assert not await needs_attention(ada.rt)


async def test_calls_with_one_connection_never_overlap(ada: Browser):
    before = await connection(ada.rt)
    inside: list[int] = []

    async def alone(door: Door, connection: Held) -> None:
        inside.append(1)
        await asyncio.sleep(0)
        assert len(inside) == 1
        inside.pop()

    await asyncio.gather(*(with_access(ada.rt, before.id, alone) for _ in range(3)))


async def test_a_renewal_cancelled_midway_is_stored_all_the_same(ada: Browser, clock: FakeClock):
    before = await connection(ada.rt)
    clock.advance(timedelta(hours=2))
    rt, gate = behind_gate(ada.rt, lambda request: request.url.path.endswith(TOKEN))
    reading = asyncio.create_task(signals.sync(rt, before.id))
    await gate.reached.wait()

    reading.cancel()
    await asyncio.sleep(0)
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await reading

    after = await connection(rt)
    assert after.refresh_token not in {None, before.refresh_token}
    await rt.http.stop()


async def test_a_renewal_that_outlives_its_connection_brings_nothing_back(ada: Browser, clock: FakeClock):
    before = await connection(ada.rt)
    clock.advance(timedelta(hours=2))
    rt, gate = behind_gate(ada.rt, lambda request: request.url.path.endswith(TOKEN))
    reading = asyncio.create_task(signals.sync(rt, before.id))
    await gate.reached.wait()
    async with rt.db.begin() as tx:
        await tx.session.delete(await tx.session.get_one(Connection, before.id))

    gate.opened.set()

    assert not await reading
    assert await connection_id_of(rt, before.user_id, "todoist") is None
    await rt.http.stop()


async def test_a_renewal_never_overwrites_a_newer_grant(ada: Browser, clock: FakeClock):
    before = await connection(ada.rt)
    clock.advance(timedelta(hours=2))
    rt, gate = behind_gate(ada.rt, lambda request: b"refresh_token" in request.content)
    reading = asyncio.create_task(signals.sync(rt, before.id))
    await gate.reached.wait()
    await keep_grant(rt, before.user_id, "todoist", Grant("newer", "newer too", 3600, ""))

    gate.opened.set()
    await reading

    after = await connection(rt)
    assert (after.access_token, after.refresh_token) == ("newer", "newer too")
    await rt.http.stop()


async def test_a_refusal_of_an_older_grant_does_not_touch_a_newer_one(ada: Browser, clock: FakeClock):
    before = await connection(ada.rt)
    await turn(ada, "revoke", account="ada")
    rt, gate = behind_gate(ada.rt, lambda request: b"refresh_token" in request.content)
    reading = asyncio.create_task(signals.sync(rt, before.id))
    await gate.reached.wait()
    clock.advance(timedelta(seconds=1))
    await keep_grant(rt, before.user_id, "todoist", Grant("newer", None, None, ""))

    gate.opened.set()
    await reading

    assert not await needs_attention(rt)
    await rt.http.stop()
