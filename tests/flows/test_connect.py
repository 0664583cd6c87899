"""Connecting, losing and taking back a source, as a person meets it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from oo_app import connections, signals
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.conftest import Faults
from tests.outside import lies_readable, sent, turn, with_settings
from tests.world import access_token, external_id, todoist, todoist_task

CONSENT = "/connect/todoist/start"


def ended(response: httpx.Response) -> str:
    assert response.status_code == httpx.codes.SEE_OTHER, response.text
    return response.headers["location"]


async def state_of(browser: Browser) -> dict[str, Any]:
    listed = (await browser.get("/api/v1/connections")).json()
    return next(each for each in listed if each["source"] == "todoist")


async def user_id(browser: Browser) -> str:
    return (await browser.get("/api/v1/me")).json()["id"]


async def connection_id(browser: Browser) -> str:
    found = await connections.connection_id_of(browser.rt, await user_id(browser), "todoist")
    assert found is not None
    return found


async def callback_of(browser: Browser) -> httpx.URL:
    """Agree at the sandbox's Todoist, and stop before the browser follows it back."""
    await browser.open(CONSENT)
    assert browser.page is not None
    answer = await browser.client.post(browser.page.url, data={"account": "ada", "answer": "agree"})
    return httpx.URL(answer.headers["location"])


async def done(browser: Browser) -> str:
    """Say done to the tip; return its item."""
    tip = (await browser.recommend())["tip"]
    assert (await browser.react(tip["impression_id"], "done")).status_code == 200
    return tip["id"]


async def is_done_there(rt: Runtime, browser: Browser, item_id: str, before: dict[str, Any]) -> bool:
    task = await todoist_task(rt, browser, item_id)
    return task["checked"] or task["due"]["date"] != before["due"]["date"]


async def test_agreeing_connects_and_reads_the_tasks(rt: Runtime, clock: FakeClock, browser: Browser):
    await browser.sign_in("ada@sandbox.test")
    before = await state_of(browser)

    assert ended(await browser.connect_todoist()) == "/connect"

    after = await state_of(browser)
    assert (before["state"], before["last_read_at"]) == ("not_connected", None)
    assert (after["state"], after["name"]) == ("connected", "Todoist")
    assert after["last_read_at"].startswith(clock.now().strftime("%Y-%m-%dT%H:%M"))
    assert (await browser.recommend())["tip"]["source"] == "todoist"


async def test_consent_is_asked_for_what_is_needed_and_nothing_else(browser: Browser):
    await browser.sign_in("ada@sandbox.test")

    url = httpx.URL(ended(await browser.client.get(CONSENT)))

    assert str(url).startswith(browser.rt.settings.todoist_auth_url)
    assert dict(url.params) == {
        "client_id": "oo-sandbox-todoist",
        "scope": "data:read_write",
        "state": url.params["state"],
        "response_type": "code",
        "redirect_uri": "http://localhost:8000/connect/todoist/callback",
    }
    assert len(url.params["state"]) == 43


async def test_cancelling_is_said_on_the_page(browser: Browser):
    await browser.sign_in("ada@sandbox.test")
    await browser.open(CONSENT)

    assert ended(await browser.press("Cancel")) == "/connect?error=denied"
    assert (await state_of(browser))["state"] == "not_connected"


@pytest.mark.parametrize("path", [CONSENT, "/connect/todoist/callback?code=x&state=y"])
async def test_nobody_connects_signed_out(browser: Browser, path: str):
    assert ended(await browser.client.get(path)) == "/"


@pytest.mark.parametrize("path", ["/connect/myspace/start", "/connect/myspace/callback?code=x&state=y"])
async def test_an_unknown_source_is_not_found(browser: Browser, path: str):
    await browser.sign_in("ada@sandbox.test")

    assert (await browser.client.get(path)).status_code == 404


async def test_a_source_that_is_not_set_up_here_is_said_on_the_page(browser: Browser):
    await browser.sign_in("ada@sandbox.test")
    with_settings(browser.rt, todoist_client_id="")

    assert ended(await browser.client.get(CONSENT)) == "/connect?error=unknown"


async def test_an_answer_another_person_asked_for_is_refused(browser: Browser):
    await browser.sign_in("ada@sandbox.test")
    callback = await callback_of(browser)
    await browser.sign_in("ben@sandbox.test")

    assert ended(await browser.open(str(callback))) == "/connect?error=mismatch"
    assert (await state_of(browser))["state"] == "not_connected"


async def test_an_answer_brought_to_another_persons_browser_is_refused(
    rt: Runtime, app: httpx.ASGITransport, browser: Browser
):
    await browser.sign_in("ada@sandbox.test")
    callback = await callback_of(browser)

    async with Browser(rt, app) as victim:
        await victim.sign_in("ben@sandbox.test")
        assert ended(await victim.open(str(callback))) == "/connect?error=mismatch"
        assert (await state_of(victim))["state"] == "not_connected"


async def test_an_answer_played_again_is_refused(browser: Browser):
    await browser.sign_in("ada@sandbox.test")
    callback = await callback_of(browser)
    await browser.open(str(callback))

    assert ended(await browser.open(str(callback))) == "/connect?error=expired"
    assert (await state_of(browser))["state"] == "connected"


async def test_ten_minutes_at_the_source_are_too_long(browser: Browser, clock: FakeClock):
    await browser.sign_in("ada@sandbox.test")
    callback = await callback_of(browser)

    clock.advance(timedelta(minutes=10))

    assert ended(await browser.open(str(callback))) == "/connect?error=expired"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"code": "made up"}, "untrusted"),
        ({"code": ""}, "unknown"),
        ({"error": "invalid_scope"}, "unknown"),
        ({"state": "made up"}, "expired"),
    ],
)
async def test_an_answer_that_does_not_fit_is_said_on_the_page(browser: Browser, change: dict[str, str], code: str):
    await browser.sign_in("ada@sandbox.test")
    callback = await callback_of(browser)

    response = await browser.open(str(callback.copy_merge_params(change)))

    assert ended(response) == f"/connect?error={code}"
    assert (await state_of(browser))["state"] == "not_connected"


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_source_that_is_down_at_the_exchange_is_said_on_the_page(browser: Browser, status: int):
    await browser.sign_in("ada@sandbox.test")
    callback = await callback_of(browser)
    await turn(browser, "fault", status=status, path="/oauth/access_token")

    assert ended(await browser.open(str(callback))) == "/connect?error=unavailable"


async def test_our_own_wrong_secret_is_not_the_persons_fault(browser: Browser):
    await browser.sign_in("ada@sandbox.test")
    callback = await callback_of(browser)
    with_settings(browser.rt, todoist_client_id="oo-unregistered")

    assert ended(await browser.open(str(callback))) == "/connect?error=unavailable"


async def test_a_source_that_is_down_at_the_first_reading_is_connected_all_the_same(browser: Browser, clock: FakeClock):
    await browser.sign_in("ada@sandbox.test")
    await turn(browser, "fault", status=503, count=9, path="/sync")

    assert ended(await browser.connect_todoist()) == "/connect"

    state = await state_of(browser)
    assert (state["state"], state["last_read_at"]) == ("connected", None)


async def test_neither_tokens_nor_words_lie_readable(ada: Browser, tmp_path: Path):
    tokens = [await access_token(ada.rt), (await todoist(ada.rt, ada, "GET", "/user"))["id"]]
    words = ["Finish the onboarding sketches", "Dr. Sommer", "Friends & family"]

    for each in (*tokens, *words):
        assert lies_readable(tmp_path, each) == []


async def test_a_refused_grant_needs_attention_until_it_is_connected_again(ada: Browser, clock: FakeClock):
    await turn(ada, "revoke", account="ada")
    clock.advance(timedelta(minutes=10))
    await signals.sync(ada.rt, await connection_id(ada))
    refused = await state_of(ada)

    await ada.connect_todoist()

    assert refused["state"] == "needs_attention"
    assert (await state_of(ada))["state"] == "connected"


async def test_what_was_done_while_the_grant_was_refused_leaves_after_connecting_again(ada: Browser, clock: FakeClock):
    tip = (await ada.recommend())["tip"]
    before = await todoist_task(ada.rt, ada, tip["id"])
    await ada.react(tip["impression_id"], "done")
    await turn(ada, "revoke", account="ada")
    clock.advance(timedelta(seconds=6))
    await signals.deliver_closes(ada.rt)
    waiting = await signals.waiting(ada.rt, await user_id(ada))

    await ada.connect_todoist()
    await signals.deliver_closes(ada.rt)

    assert waiting == {"todoist": 1}
    assert await signals.waiting(ada.rt, await user_id(ada)) == {}
    assert await is_done_there(ada.rt, ada, tip["id"], before)


async def test_disconnecting_revokes_there_and_erases_here(ada: Browser, tmp_path: Path):
    token = await access_token(ada.rt)

    response = await ada.send("DELETE", "/api/v1/connections/todoist")

    assert response.json() == {"source": "todoist", "revoked": True, "not_completed": 0}
    there = await ada.client.get(
        f"{ada.rt.settings.todoist_api_url}/user", headers={"Authorization": f"Bearer {token}"}
    )
    assert there.status_code == 401
    assert (await state_of(ada))["state"] == "not_connected"
    assert (await ada.recommend())["tip"] is None
    async with ada.rt.db.read() as session:
        for table in ("connection", "item", "closing"):
            assert (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0


async def test_disconnecting_twice_is_not_found(ada: Browser):
    await ada.send("DELETE", "/api/v1/connections/todoist")

    assert (await ada.send("DELETE", "/api/v1/connections/todoist")).status_code == 404


@pytest.mark.parametrize("status", [400, 429, 503])
async def test_disconnecting_from_a_source_that_is_down_erases_here_all_the_same(
    ada: Browser, faults: Faults, status: int
):
    faults.fault = lambda request: httpx.Response(status) if "access_tokens" in request.url.path else None

    response = await ada.send("DELETE", "/api/v1/connections/todoist")

    assert response.json() == {"source": "todoist", "revoked": False, "not_completed": 0}
    assert (await state_of(ada))["state"] == "not_connected"


async def test_disconnecting_a_grant_that_was_refused_revokes_it_all_the_same(ada: Browser, faults: Faults):
    connection = await connections.held(ada.rt, await connection_id(ada))
    faults.fault = lambda request: httpx.Response(403) if request.url.path.endswith("/sync") else None
    await signals.sync(ada.rt, connection.id)
    faults.fault = None

    response = await ada.send("DELETE", "/api/v1/connections/todoist")

    url, bearer = f"{ada.rt.settings.todoist_api_url}/user", {"Authorization": f"Bearer {connection.access_token}"}
    assert response.json()["revoked"] is True
    assert (await ada.client.get(url, headers=bearer)).status_code == 401


async def test_disconnecting_a_grant_that_was_refused_says_so_when_the_source_is_down(ada: Browser, faults: Faults):
    faults.fault = lambda request: httpx.Response(403) if request.url.path.endswith("/sync") else None
    await signals.sync(ada.rt, await connection_id(ada))
    faults.fault = lambda request: httpx.Response(503) if "access_tokens" in request.url.path else None

    response = await ada.send("DELETE", "/api/v1/connections/todoist")

    assert response.json()["revoked"] is False


async def test_another_account_says_what_it_left_behind_undone(ada: Browser, clock: FakeClock, faults: Faults):
    item_id = await done(ada)
    faults.fault = lambda request: httpx.Response(503) if b"item_close" in request.content else None
    clock.advance(timedelta(seconds=6))
    await signals.deliver_closes(ada.rt)
    faults.fault = None
    before = len([call for call in sent(ada.rt, "/sync") if b"item_close" in call.content])

    await ada.open(CONSENT)
    assert ada.page is not None
    answer = await ada.client.post(ada.page.url, data={"account": "ben", "answer": "agree"})
    end = await ada.open(answer.headers["location"])
    await ada.rt.jobs.settle()

    assert ended(end) == "/connect?unsent=1"
    assert len([call for call in sent(ada.rt, "/sync") if b"item_close" in call.content]) == before
    assert (await ada.recommend())["tip"]["id"] != item_id


async def test_disconnecting_sends_what_was_done_first(ada: Browser):
    item_id = await done(ada)
    name = await external_id(ada.rt, item_id)

    await ada.send("DELETE", "/api/v1/connections/todoist")

    closes = [call for call in sent(ada.rt, "/sync") if name.encode() in call.content]
    assert len(closes) == 1


async def test_the_older_kind_of_grant_lasts_without_refreshing(browser: Browser, clock: FakeClock):
    browser.rt = with_settings(browser.rt, todoist_client_id="oo-sandbox-todoist-legacy")
    await browser.sign_in("ada@sandbox.test")
    await browser.connect_todoist()

    connection = await connection_id(browser)
    clock.advance(timedelta(days=300))

    assert await signals.sync(browser.rt, connection)
    assert len(sent(browser.rt, "/oauth/access_token")) == 1
