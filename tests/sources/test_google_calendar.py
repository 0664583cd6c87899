"""The Google Calendar source by itself: its window, sync tokens, entries of every kind, refusals and channels."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from oo_app.kit.clock import FakeClock
from oo_app.kit.config import Settings
from oo_app.kit.errors import RateLimited, SourceDown, Unproven
from oo_app.kit.http import Http
from oo_app.sources import Call, Channel, Door, Event, NotPermitted, Pull, TokenRefused
from oo_app.sources.google_calendar import SCOPE, SOURCE
from tests.sources.google import DENTIST, Google, in_turn, listed, paged, refused

SYNC_PARAMETERS = {"singleEvents", "maxResults", "maxAttendees", "fields"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def there() -> Google:
    return Google()


@pytest.fixture
async def door(there: Google, clock: FakeClock) -> AsyncIterator[Door]:
    settings = Settings.model_validate({"google_client_id": "our-id", "google_client_secret": "our-secret"})
    http = Http(clock, there)
    yield Door(http, settings, "a-token", clock.now(), ZoneInfo("Europe/Lisbon"))
    await http.stop()


async def pulled(door: Door, there: Google, *rows: dict[str, Any], **more: Any) -> tuple[Event, ...]:
    there.answer = in_turn(listed(*rows, **more))
    return (await SOURCE.pull(door, None)).events


async def cursor(door: Door, there: Google) -> str:
    there.answer = in_turn(listed(DENTIST))
    return (await SOURCE.pull(door, None)).cursor


def dated(**changes: Any) -> dict[str, Any]:
    return {**DENTIST, **changes}


async def test_without_credentials_there_is_nothing_to_connect(door: Door):
    assert await SOURCE.oauth(door.http, door.settings.model_copy(update={"google_client_id": ""})) is None


async def test_the_addresses_are_those_google_describes(door: Door):
    auth = await SOURCE.oauth(door.http, door.settings)

    assert auth is not None
    assert (auth.authorize_url, auth.token_url) == (
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://oauth2.googleapis.com/token",
    )
    assert (auth.client_id, auth.client_secret) == ("our-id", "our-secret")
    assert (auth.scope, auth.needs, auth.has_pkce) == (SCOPE, {SCOPE}, True)
    assert auth.extra == {"access_type": "offline", "prompt": "consent"}


@pytest.mark.parametrize("described", [{}, {"authorization_endpoint": 7, "token_endpoint": ""}])
async def test_a_description_without_addresses_is_an_outage(door: Door, there: Google, described: dict[str, Any]):
    there.described = described

    with pytest.raises(SourceDown):
        await SOURCE.oauth(door.http, door.settings)


async def test_the_first_reading_takes_the_whole_window(door: Door, there: Google):
    there.answer = in_turn(listed(DENTIST))
    pull = await SOURCE.pull(door, None)

    (asked,) = there.asked
    assert there.requests[0].url.path == "/calendar/v3/calendars/primary/events"
    assert there.requests[0].headers["authorization"] == "Bearer a-token"
    assert (asked["timeMin"], asked["timeMax"]) == ("2026-11-22T09:00:00Z", "2027-01-22T09:00:00Z")
    assert asked["singleEvents"] == "true"
    assert pull.is_full
    assert pull.owner is not None
    assert (pull.owner.external_id, pull.owner.time_zone) == ("ana@example.com", "Europe/Berlin")
    assert SOURCE.owner_in(pull.cursor) == "ana@example.com"
    assert pull.events == (
        Event("abc123", utc("2026-11-23T09:00"), utc("2026-11-23T09:30"), is_busy=True, title="Dentist"),
    )


async def test_no_more_is_asked_for_than_is_needed(door: Door, there: Google):
    there.answer = in_turn(listed())
    await SOURCE.pull(door, None)

    for kept_there in ("description", "location", "email", "htmlLink", "conferenceData"):
        assert kept_there not in there.asked[0]["fields"]
    assert there.asked[0]["maxAttendees"] == "1"


async def test_pages_are_followed_also_past_an_empty_one(door: Door, there: Google):
    there.answer = in_turn(paged("p2", dated(id="one")), paged("p3"), listed(dated(id="two")))
    pull = await SOURCE.pull(door, None)

    assert [event.external_id for event in pull.events] == ["one", "two"]
    assert [asked.get("pageToken") for asked in there.asked] == [None, "p2", "p3"]
    assert len({asked["timeMin"] for asked in there.asked}) == 1


async def test_later_only_what_changed_is_asked_for_by_the_same_parameters(door: Door, there: Google):
    before = await cursor(door, there)
    there.answer = in_turn(paged("p2", dated(id="one")), listed({"id": "abc123", "status": "cancelled"}))
    pull = await SOURCE.pull(door, before)

    full, *rest = there.asked
    assert [set(asked) for asked in rest] == [
        SYNC_PARAMETERS | {"syncToken"},
        SYNC_PARAMETERS | {"syncToken", "pageToken"},
    ]
    assert all(asked[name] == full[name] for asked in rest for name in SYNC_PARAMETERS)
    assert not pull.is_full
    assert [(event.external_id, event.is_gone) for event in pull.events] == [("one", False), ("abc123", True)]


@pytest.mark.parametrize("status", [410, 400])
async def test_a_token_that_is_not_known_reads_everything(door: Door, there: Google, status: int):
    before = await cursor(door, there)
    there.answer = in_turn(refused(status, "fullSyncRequired"), listed(DENTIST, nextSyncToken="s2"))
    pull = await SOURCE.pull(door, before)

    assert pull.is_full
    assert json.loads(pull.cursor)["token"] == "s2"
    assert "timeMin" in there.asked[-1]
    assert "syncToken" not in there.asked[-1]


@pytest.mark.parametrize(("days", "is_full"), [(29, False), (31, True)])
async def test_the_window_moves_on_in_time(door: Door, there: Google, days: int, *, is_full: bool):
    before = await cursor(door, there)
    later = replace(door, now=door.now + timedelta(days=days))
    there.answer = in_turn(listed())

    assert (await SOURCE.pull(later, before)).is_full is is_full


async def test_what_moves_out_of_the_window_is_gone(door: Door, there: Google):
    before = await cursor(door, there)
    far = {"dateTime": "2027-03-01T10:00:00+01:00"}
    there.answer = in_turn(listed(dated(start=far, end=far)))

    assert (await SOURCE.pull(door, before)).events == (Event("abc123", is_gone=True),)


@pytest.mark.parametrize(
    ("change", "is_busy"),
    [
        ({}, True),
        ({"transparency": "transparent"}, False),
        ({"status": "tentative"}, True),
        ({"attendees": [{"self": True, "responseStatus": "declined"}]}, False),
        ({"attendees": [{"responseStatus": "declined"}, {"self": True, "responseStatus": "needsAction"}]}, True),
        ({"attendees": "odd"}, True),
        ({"eventType": "workingLocation"}, False),
        ({"eventType": "birthday"}, False),
        ({"eventType": "focusTime"}, True),
        ({"eventType": "outOfOffice"}, True),
        ({"eventType": "of next year"}, True),
    ],
)
async def test_busy_is_what_keeps_the_person(door: Door, there: Google, change: dict[str, Any], *, is_busy: bool):
    (event,) = await pulled(door, there, {**dated(), **change})

    assert event.is_busy is is_busy


async def test_busy_is_the_default(door: Door, there: Google):
    bare = {name: DENTIST[name] for name in ("id", "start", "end")}

    assert await pulled(door, there, bare) == (Event("abc123", utc("2026-11-23T09:00"), utc("2026-11-23T09:30")),)


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        ("Europe/Berlin", "2026-11-23T23:00", "2026-11-25T23:00"),
        ("America/New_York", "2026-11-24T05:00", "2026-11-26T05:00"),
        (None, "2026-11-24T00:00", "2026-11-26T00:00"),
        ("No/Where", "2026-11-24T00:00", "2026-11-26T00:00"),
    ],
)
async def test_whole_days_begin_at_midnight_where_the_calendar_is(
    door: Door, there: Google, zone: str | None, start: str, end: str
):
    row = dated(start={"date": "2026-11-24"}, end={"date": "2026-11-26"})
    (event,) = await pulled(door, there, row, timeZone=zone)

    assert (event.starts_at, event.ends_at, event.is_all_day) == (utc(start), utc(end), True)


@pytest.mark.parametrize(("on", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
async def test_a_day_on_which_clocks_change_is_as_long_as_it_is(door: Door, there: Google, on: str, hours: int):
    then = replace(door, now=utc(f"{on}T12:00"))
    day_after = f"{datetime.fromisoformat(on) + timedelta(days=1):%Y-%m-%d}"
    (event,) = await pulled(then, there, dated(start={"date": on}, end={"date": day_after}))

    assert event.starts_at is not None
    assert event.ends_at is not None
    assert event.ends_at - event.starts_at == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-11-23T22:40:00+01:00", "2026-11-24T06:30:00+01:00", ("2026-11-23T21:40", "2026-11-24T05:30")),
        ("2026-11-23T10:00:00+01:00", "2026-11-23T10:00:00+01:00", ("2026-11-23T09:00", "2026-11-23T09:00")),
        ("2026-11-23T10:00:00+01:00", "2026-11-23T09:00:00+01:00", ("2026-11-23T09:00", "2026-11-23T09:00")),
        ("2026-11-23T10:00:00+01:00", None, ("2026-11-23T09:00", "2026-11-23T09:00")),
    ],
)
async def test_odd_lengths_are_taken(door: Door, there: Google, start: str, end: str | None, expected: tuple[str, str]):
    (event,) = await pulled(door, there, dated(start={"dateTime": start}, end={"dateTime": end}))

    assert (event.starts_at, event.ends_at) == (utc(expected[0]), utc(expected[1]))


@pytest.mark.parametrize(
    "row",
    [
        {},
        "no object",
        {"id": 7},
        {"id": "x", "start": None},
        {"id": "x", "start": {"dateTime": "soon"}, "end": {}},
        {"id": "x", "start": {"date": "2026-02-30"}},
    ],
)
async def test_an_odd_entry_costs_nothing_but_itself(door: Door, there: Google, row: Any):
    assert [event.external_id for event in await pulled(door, there, row, DENTIST)] == ["abc123"]


async def test_a_stub_without_times_is_gone(door: Door, there: Google):
    row = {"id": "s_20261123T090000Z", "status": "cancelled", "recurringEventId": "s"}

    assert await pulled(door, there, row) == (Event("s_20261123T090000Z", is_gone=True),)


async def test_a_reader_of_busy_times_has_no_titles(door: Door, there: Google):
    row = {name: value for name, value in DENTIST.items() if name != "summary"}
    (event,) = await pulled(door, there, row, accessRole="freeBusyReader")

    assert (event.title, event.is_busy) == ("", True)


async def test_an_id_too_long_to_be_kept_stays_the_same_in_a_stub(door: Door, there: Google):
    (told,) = await pulled(door, there, dated(id="x" * 1000))
    (gone,) = await pulled(door, there, {"id": "x" * 1000, "status": "cancelled"})

    assert told.external_id == gone.external_id
    assert len(told.external_id) <= 255


async def test_ten_thousand_entries_are_read(door: Door, there: Google):
    pages = [paged(f"p{n}", *(dated(id=f"{n}-{each}") for each in range(2500))) for n in range(4)]
    there.answer = in_turn(*pages, listed())
    pull: Pull = await SOURCE.pull(door, None)

    assert len(pull.events) == 10_000


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused(401, "authError"), TokenRefused),
        (refused(403, "insufficientPermissions"), NotPermitted),
        (refused(403, "forbidden"), NotPermitted),
        (httpx.Response(403, text="<html>"), NotPermitted),
        (refused(404, "notFound"), NotPermitted),
        (refused(403, "rateLimitExceeded"), RateLimited),
        (refused(403, "userRateLimitExceeded"), RateLimited),
        (refused(429, "rateLimitExceeded"), RateLimited),
        (refused(403, "quotaExceeded"), RateLimited),
        (refused(403, "accessNotConfigured"), SourceDown),
        (refused(503, "backendError"), SourceDown),
        (refused(400, "badRequest"), SourceDown),
        (refused(410, "fullSyncRequired"), SourceDown),
        (httpx.Response(200, text="{torn"), SourceDown),
        (httpx.Response(200, json=[]), SourceDown),
        (httpx.Response(200, json={"items": []}), SourceDown),
    ],
)
async def test_refusals_are_told_apart(door: Door, there: Google, answer: httpx.Response, error: type[Exception]):
    there.answer = lambda _: answer

    with pytest.raises(error) as raised:
        await SOURCE.pull(door, None)

    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("answer", "pause", "is_for_all"),
    [
        (refused(403, "userRateLimitExceeded", **{"Retry-After": "7"}), 7, False),
        (refused(429, "rateLimitExceeded"), None, False),
        (refused(403, "dailyLimitExceeded"), 3600, True),
        (refused(403, "quotaExceeded", **{"Retry-After": "90"}), 90, True),
    ],
)
async def test_a_limit_says_for_whom_and_how_long(
    door: Door, there: Google, answer: httpx.Response, pause: float | None, *, is_for_all: bool
):
    there.answer = lambda _: answer

    with pytest.raises(RateLimited) as raised:
        await SOURCE.pull(door, None)

    assert (raised.value.retry_after, raised.value.is_for_all) == (pause, is_for_all)


async def test_pages_without_end_are_an_outage(door: Door, there: Google):
    there.answer = lambda _: paged("again")

    with pytest.raises(SourceDown):
        await SOURCE.pull(door, None)


@pytest.mark.parametrize(
    ("status", "error"), [(200, None), (400, TokenRefused), (503, SourceDown), (429, SourceDown), (404, SourceDown)]
)
async def test_revoking_sends_the_token(door: Door, there: Google, status: int, error: type[Exception] | None):
    there.answer = lambda _: httpx.Response(status)

    if error is None:
        await SOURCE.revoke(door)
    else:
        with pytest.raises(error):
            await SOURCE.revoke(door)

    assert str(there.requests[0].url) == "https://oauth2.googleapis.com/revoke"
    assert there.bodies[0] == {"token": "a-token"}


@pytest.mark.parametrize(
    ("other", "shares"),
    [
        (listed(), True),
        (listed(summary="ben@example.com"), False),
        (refused(401, "authError"), True),
        (refused(503, "backendError"), True),
    ],
)
async def test_two_tokens_of_an_account_share_a_grant(
    door: Door, there: Google, other: httpx.Response, *, shares: bool
):
    there.answer = lambda request: listed() if request.headers["authorization"] == "Bearer a-token" else other

    assert await SOURCE.shares_grant(door, replace(door, access_token="another")) is shares


@pytest.mark.parametrize(
    ("told", "days"),
    [
        ({"expiration": "1795856400000"}, 5),
        ({"expiration": "99999999999999999999"}, 7),
        ({"expiration": "x"}, 7),
        ({}, 7),
    ],
)
async def test_a_channel_is_open_for_a_week_at_most(door: Door, there: Google, told: dict[str, str], days: int):
    there.answer = lambda _: httpx.Response(200, json={"id": "c1", "resourceId": "r1", **told})

    watch = await SOURCE.watch(door, Channel("c1", "https://oo.example/webhooks/google_calendar", "secret"))

    assert watch.resource_id == "r1"
    assert watch.ends_at == door.now + timedelta(days=days)
    assert there.bodies[0] == {
        "id": "c1",
        "type": "web_hook",
        "address": "https://oo.example/webhooks/google_calendar",
        "token": "secret",
        "expiration": int((door.now + timedelta(days=7)).timestamp() * 1000),
    }


async def test_a_channel_without_a_name_is_none(door: Door, there: Google):
    there.answer = lambda _: httpx.Response(200, json={"id": "c1"})

    with pytest.raises(SourceDown):
        await SOURCE.watch(door, Channel("c1", "https://oo.example", "secret"))


@pytest.mark.parametrize(("status", "is_closed"), [(204, True), (200, True), (404, True), (400, False), (500, False)])
async def test_a_channel_is_stopped_by_both_its_names(door: Door, there: Google, status: int, *, is_closed: bool):
    there.answer = lambda _: httpx.Response(status)

    if is_closed:
        await SOURCE.unwatch(door, "c1", "r1")
    else:
        with pytest.raises(SourceDown):
            await SOURCE.unwatch(door, "c1", "r1")

    assert there.bodies[0] == {"id": "c1", "resourceId": "r1"}


def test_a_message_is_known_by_its_channel_and_number():
    headers = {
        "x-goog-channel-id": "c1",
        "x-goog-message-number": "7",
        "x-goog-channel-token": "secret",
        "x-goog-resource-state": "exists",
    }

    heard = SOURCE.hear(Call(headers, b""))

    assert (heard.delivery_id, heard.channel_id, heard.channel_token, heard.owner) == ("c1:7", "c1", "secret", None)


@pytest.mark.parametrize("headers", [{}, {"x-goog-channel-id": "c1"}, {"x-goog-channel-token": "secret"}])
def test_a_message_without_channel_or_secret_proves_nothing(door: Door, headers: dict[str, str]):
    with pytest.raises(Unproven):
        SOURCE.prove(door.settings, Call(headers, b""))


@pytest.mark.parametrize(
    ("settings", "takes"),
    [
        ({"oo_base_url": "https://oo.example"}, True),
        ({"oo_base_url": "http://localhost:8000"}, False),
        ({"google_calendar_api_url": "http://127.0.0.1:8000/sandbox/calendar/v3"}, True),
    ],
)
def test_channels_need_https_or_the_stand_in(settings: dict[str, str], *, takes: bool):
    assert SOURCE.takes_channels(Settings.model_validate(settings)) is takes
