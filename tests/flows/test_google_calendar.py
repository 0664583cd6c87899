"""Google Calendar as a person meets it: agreeing, news by channel and by reading, losing it and leaving."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from oo_app import connections, sandbox, signals
from oo_app.kit.clock import FakeClock
from oo_app.kit.crypto import Place
from oo_app.runtime import Runtime
from oo_app.signals.models import CalendarEvent, Delivery, PushChannel
from oo_app.sources.google_calendar import SCOPE
from tests.browser import Browser
from tests.conftest import Faults, transport
from tests.outside import outside, sent, with_settings
from tests.people import rows

START = "/connect/google_calendar/start"
PAGE = "http://127.0.0.1:8000/sandbox/calendar/"


class Inward(httpx.AsyncBaseTransport):
    """The way from the sandbox back to the application, which is built after it."""

    app: httpx.ASGITransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Lead a call in."""
        assert self.app is not None
        return await self.app.handle_async_request(request)


@pytest.fixture
async def browser(rt: Runtime) -> AsyncIterator[Browser]:
    """Ada, signed in, before a sandbox whose channels reach the application."""
    inward, world = Inward(), outside(rt)
    world.app = FastAPI()
    options = sandbox.SandboxOptions(rt.settings.base_url, rt.settings.sandbox_url, rt.settings.oo_data_dir)
    world.app.mount("/sandbox", sandbox.build(options, rt.clock, transport=inward))
    inward.app = transport(rt)
    async with Browser(rt, inward.app) as new:
        await new.sign_in("ada@sandbox.test")
        yield new


@pytest.fixture
async def ada(browser: Browser) -> Browser:
    """Ada, with her calendar connected and its channel open."""
    assert ended(await agree(browser)) == "/connect"
    return browser


def ended(response: httpx.Response) -> str:
    assert response.status_code == httpx.codes.SEE_OTHER, response.text
    return response.headers["location"]


async def agree(browser: Browser, **fields: str) -> httpx.Response:
    await browser.open(START)
    response = await browser.press("Agree", **fields)
    await settle(browser)
    return response


async def settle(browser: Browser) -> None:
    await browser.rt.bus.drain()
    await browser.rt.jobs.settle()


async def turn(browser: Browser, knob: str, **settings: Any) -> Any:
    answer = await browser.client.post(f"{PAGE}control/{knob}", json=settings)
    answer.raise_for_status()
    return answer.json() if answer.content else None


async def change(browser: Browser, **form: str) -> None:
    """Do something on the calendar's own page."""
    assert (await browser.client.post(PAGE, data=form)).status_code == 303
    await settle(browser)


async def add(browser: Browser, summary: str, start: str = "2026-11-23T15:00") -> None:
    await change(browser, summary=summary, start=start, minutes="30")


async def state_of(browser: Browser) -> str:
    listed = (await browser.get("/api/v1/connections")).json()
    return next(each["state"] for each in listed if each["source"] == "google_calendar")


async def connection_id(browser: Browser) -> str:
    user_id = (await browser.get("/api/v1/me")).json()["id"]
    found = await connections.connection_id_of(browser.rt, user_id, "google_calendar")
    assert found is not None
    return found


async def titles(rt: Runtime) -> dict[str, CalendarEvent]:
    """Return what is stored, by title; of what repeats, the last."""
    stored = await rows(rt, CalendarEvent)
    vaults = {row.user_id: await rt.vault.for_user(row.user_id) for row in stored}
    return {
        vaults[row.user_id].open(row.title, Place("calendar_event", row.id, "title")): row
        for row in sorted(stored, key=lambda row: row.starts_at)
    }


async def channels(rt: Runtime) -> list[PushChannel]:
    return list(await rows(rt, PushChannel))


async def message(browser: Browser, channel: PushChannel, token: str, number: int) -> httpx.Response:
    headers = {"X-Goog-Channel-ID": channel.id, "X-Goog-Channel-Token": token, "X-Goog-Message-Number": str(number)}
    return await browser.client.post("/webhooks/google_calendar", headers=headers)


def token_of(rt: Runtime) -> str:
    """Return the secret of the channel that was last asked for."""
    return json.loads(sent(rt, "/events/watch")[-1].content)["token"]


async def test_consent_is_asked_for_reading_entries_and_nothing_else(browser: Browser):
    url = httpx.URL(ended(await browser.client.get(START)))

    assert str(url).startswith("http://127.0.0.1:8000/sandbox/google/authorize")
    assert {**url.params, "state": "", "code_challenge": ""} == {
        "client_id": "oo-sandbox-google",
        "scope": SCOPE,
        "state": "",
        "response_type": "code",
        "redirect_uri": "http://localhost:8000/connect/google_calendar/callback",
        "access_type": "offline",
        "prompt": "consent",
        "code_challenge": "",
        "code_challenge_method": "S256",
    }


async def test_agreeing_connects_and_reads_the_calendar(ada: Browser, clock: FakeClock):
    stored = await titles(ada.rt)

    assert await state_of(ada) == "connected"
    assert stored["Coffee with Priya"].starts_at == clock.now() + timedelta(hours=1)
    assert stored["Coffee with Priya"].is_busy
    assert not stored["Company all-hands"].is_busy
    assert stored["Hamburg workshop"].is_all_day
    assert "Made up by the sandbox" not in str(stored)


async def test_cancelling_is_said_on_the_page(browser: Browser):
    await browser.open(START)

    assert ended(await browser.press("Cancel")) == "/connect?error=denied"
    assert await state_of(browser) == "not_connected"


async def test_a_box_unticked_is_no_connection_and_said_on_the_page(browser: Browser):
    assert ended(await agree(browser, scope="")) == "/connect?error=partly"
    assert await state_of(browser) == "not_connected"


async def test_another_address_than_the_one_signed_in_with_links_nothing(browser: Browser):
    await agree(browser, email="somebody@elsewhere.test")

    assert await state_of(browser) == "connected"
    assert (await browser.get("/api/v1/me")).json()["email"] == "ada@sandbox.test"
    async with Browser(browser.rt, transport(browser.rt)) as other:
        await other.sign_in("somebody@elsewhere.test")
        assert await state_of(other) == "not_connected"


async def test_who_signed_in_with_apple_connects_a_google_calendar(browser: Browser):
    async with Browser(browser.rt, browser.client._transport) as other:
        await other.sign_in("ben@sandbox.test", "apple")
        await agree(other, email="ben@sandbox.test")

        assert await state_of(other) == "connected"


async def test_a_change_is_told_by_the_channel_and_stored(ada: Browser, clock: FakeClock):
    clock.advance(timedelta(minutes=1))
    await add(ada, "Told by a channel")

    assert "Told by a channel" in await titles(ada.rt)
    assert "syncToken" in sent(ada.rt, "/calendars/primary/events")[-1].url.params


async def test_entries_moved_and_cancelled_follow(ada: Browser, clock: FakeClock):
    coffee = (await titles(ada.rt))["Coffee with Priya"]
    dentist = (await titles(ada.rt))["Dentist"]

    clock.advance(timedelta(minutes=1))
    await change(ada, hour=coffee.external_id)
    clock.advance(timedelta(minutes=1))
    await change(ada, cancel=dentist.external_id)

    after = await titles(ada.rt)
    assert after["Coffee with Priya"].starts_at == coffee.starts_at + timedelta(hours=1)
    assert "Dentist" not in after


async def test_a_series_called_off_is_gone_with_all_its_occurrences(ada: Browser, clock: FakeClock):
    standup = (await titles(ada.rt))["Stand-up"]

    clock.advance(timedelta(minutes=1))
    await change(ada, series=standup.external_id)

    assert "Stand-up" not in await titles(ada.rt)


async def test_without_a_channel_the_next_reading_finds_it(ada: Browser, clock: FakeClock):
    await turn(ada, "channels", mode="silent")
    await add(ada, "Found by reading")
    before = await titles(ada.rt)

    clock.advance(timedelta(minutes=10))
    assert await signals.sync(ada.rt, await connection_id(ada))

    assert "Found by reading" not in before
    assert "Found by reading" in await titles(ada.rt)


async def test_a_message_told_twice_is_one(ada: Browser, clock: FakeClock):
    await turn(ada, "channels", mode="duplicate")
    clock.advance(timedelta(minutes=1))
    await add(ada, "Told twice")

    assert "Told twice" in await titles(ada.rt)
    assert len(await rows(ada.rt, Delivery)) == 2  # the first word of the channel, and this


async def test_a_token_that_is_too_old_reads_everything_anew(ada: Browser, clock: FakeClock):
    await turn(ada, "channels", mode="silent")
    coffee = (await titles(ada.rt))["Coffee with Priya"]
    await change(ada, cancel=coffee.external_id)
    await turn(ada, "fault", status=410, path="/events")
    clock.advance(timedelta(minutes=10))

    assert await signals.sync(ada.rt, await connection_id(ada))

    assert "timeMin" in sent(ada.rt, "/calendars/primary/events")[-1].url.params
    assert "Coffee with Priya" not in await titles(ada.rt)


async def test_a_rate_limit_waits_and_the_connection_stays(ada: Browser, clock: FakeClock):
    await turn(ada, "fault", status=403, retry_after=120, path="/events")
    clock.advance(timedelta(minutes=10))

    assert not await signals.sync(ada.rt, await connection_id(ada))
    assert await state_of(ada) == "connected"


async def test_an_hour_later_the_grant_is_renewed_and_keeps_its_refresh_token(ada: Browser, clock: FakeClock):
    for _ in range(3):
        clock.advance(timedelta(hours=2))
        assert await signals.sync(ada.rt, await connection_id(ada))

    renewals = [call for call in sent(ada.rt, "/google/token") if b"grant_type=refresh_token" in call.content]
    assert len(renewals) == 3


async def test_a_grant_taken_back_there_needs_attention_until_it_is_connected_again(ada: Browser, clock: FakeClock):
    await turn(ada, "revoke", account="ada")
    clock.advance(timedelta(minutes=10))
    await signals.sync(ada.rt, await connection_id(ada))
    refused = await state_of(ada)

    await agree(ada)
    clock.advance(timedelta(minutes=10))

    assert refused == "needs_attention"
    assert await signals.sync(ada.rt, await connection_id(ada))
    assert await state_of(ada) == "connected"


async def test_connecting_again_does_not_end_the_grant_it_just_got(ada: Browser, clock: FakeClock):
    await agree(ada)
    clock.advance(timedelta(minutes=10))

    assert await signals.sync(ada.rt, await connection_id(ada))
    assert sent(ada.rt, "/google/revoke") == []


async def test_agreeing_to_too_little_later_leaves_the_connection_alone(ada: Browser, clock: FakeClock):
    assert ended(await agree(ada, scope="")) == "/connect?error=partly"
    clock.advance(timedelta(minutes=10))

    assert await signals.sync(ada.rt, await connection_id(ada))


async def test_another_account_replaces_the_first_which_is_taken_back(ada: Browser):
    first = await connections.held(ada.rt, await connection_id(ada))
    (before,) = await channels(ada.rt)
    await agree(ada, email="new@sandbox.test")

    bearer = {"Authorization": f"Bearer {first.access_token}"}
    there = await ada.client.get(f"{ada.rt.settings.google_calendar_api_url}/calendars/primary/events", headers=bearer)
    assert there.status_code == 401
    assert await titles(ada.rt) == {}
    (after,) = await channels(ada.rt)
    assert after.id != before.id
    assert after.id in {each["id"] for each in (await turn(ada, "channels"))["open"] if each["account"] == "new"}


async def test_disconnecting_stops_the_channel_takes_back_the_grant_and_forgets(ada: Browser):
    first = await connections.held(ada.rt, await connection_id(ada))

    answer = await ada.send("DELETE", "/api/v1/connections/google_calendar")

    assert answer.json() == {"source": "google_calendar", "revoked": True, "not_completed": 0}
    assert (await turn(ada, "channels"))["open"] == []
    bearer = {"Authorization": f"Bearer {first.access_token}"}
    there = await ada.client.get(f"{ada.rt.settings.google_calendar_api_url}/calendars/primary/events", headers=bearer)
    assert there.status_code == 401
    assert await rows(ada.rt, CalendarEvent) == []
    await ada.send("POST", "/auth/signout")
    assert ended(await ada.sign_in("ada@sandbox.test")) == "/connect"


async def test_the_channel_is_proven_by_its_secret(ada: Browser):
    (channel,) = await channels(ada.rt)

    assert (await message(ada, channel, "another", 9)).status_code == 401
    assert (await message(ada, channel, "", 9)).status_code == 401
    assert (await message(ada, channel, token_of(ada.rt), 9)).status_code == 200


async def test_a_message_of_an_ended_channel_is_refused(ada: Browser, clock: FakeClock):
    (channel,) = await channels(ada.rt)
    token = token_of(ada.rt)
    clock.advance(timedelta(days=7))

    assert (await message(ada, channel, token, 9)).status_code == 401


async def test_the_first_word_may_come_before_the_answer(browser: Browser):
    await turn(browser, "channels", mode="hasty")
    await agree(browser)

    (channel,) = await channels(browser.rt)
    assert channel.resource_id
    assert [row.connection_id for row in await rows(browser.rt, Delivery)] == [channel.connection_id]


async def test_a_channel_is_renewed_a_day_before_it_ends(ada: Browser, clock: FakeClock):
    (first,) = await channels(ada.rt)
    clock.advance(timedelta(days=5, hours=23))
    await signals.sync(ada.rt, await connection_id(ada))
    early = await channels(ada.rt)
    clock.advance(timedelta(hours=2))
    await signals.sync(ada.rt, await connection_id(ada))
    (second,) = await channels(ada.rt)

    assert [channel.id for channel in early] == [first.id]
    assert second.id != first.id
    assert [each["id"] for each in (await turn(ada, "channels"))["open"]] == [second.id]


async def test_a_channel_that_cannot_be_had_is_asked_for_again_in_hours_not_each_time(
    browser: Browser, clock: FakeClock
):
    await turn(browser, "channels", mode="refuse")
    await agree(browser)
    for _ in range(3):
        clock.advance(timedelta(minutes=10))
        assert await signals.sync(browser.rt, await connection_id(browser))
    at_first = len(sent(browser.rt, "/events/watch"))
    await turn(browser, "channels", mode="good")
    clock.advance(timedelta(hours=6))
    await signals.sync(browser.rt, await connection_id(browser))

    assert at_first == 1
    (channel,) = await channels(browser.rt)
    assert channel.resource_id


async def test_a_lost_answer_leaves_a_channel_that_is_heard(browser: Browser, faults: Faults, clock: FakeClock):
    await turn(browser, "channels", mode="silent")
    faults.fault = lambda request: httpx.Response(503) if request.url.path.endswith("/watch") else None
    await agree(browser)

    (channel,) = await channels(browser.rt)
    assert (await message(browser, channel, token_of(browser.rt), 1)).status_code == 200


async def test_without_https_google_itself_is_not_asked_for_a_channel(browser: Browser, faults: Faults):
    listed = {"summary": "ada@sandbox.test", "timeZone": "Europe/Berlin", "nextSyncToken": "s1", "items": []}
    faults.fault = lambda request: httpx.Response(200, json=listed) if request.url.host == "calendar.example" else None
    with_settings(browser.rt, google_calendar_api_url="https://calendar.example/v3")
    await agree(browser)

    assert await state_of(browser) == "connected"
    assert sent(browser.rt, "/watch") == []
    assert await channels(browser.rt) == []


async def test_a_calendar_of_busy_times_only_has_no_titles(browser: Browser):
    await turn(browser, "rights", account="ada", role="freeBusyReader")
    await agree(browser)

    assert set(await titles(browser.rt)) == {""}


async def test_the_same_calendar_connects_as_a_feed(browser: Browser):
    feed = f"{PAGE}ada/basic.ics"
    answer = await browser.post("/api/v1/connections/ical", {"url": feed})
    await settle(browser)

    assert answer.status_code in {200, 201}, answer.text
    stored = await titles(browser.rt)
    assert {"Coffee with Priya", "Stand-up", "Hamburg workshop", "Night train to Hamburg"} <= set(stored)
