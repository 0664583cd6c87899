"""The sandbox's calendar held against the contract of API v3: lists, sync tokens, refusals, channels, page and feed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from icalendar import Calendar

from oo_app.kit.clock import FakeClock
from oo_app.sandbox.oidc_request import CONSENTS, PREFIX
from tests.sandbox.conftest import APP, Inbox
from tests.sandbox.flows import google_request, google_token, sign_in

AUTHORIZE = "/sandbox/google/authorize"
CALENDAR = "/sandbox/calendar"
EVENTS = f"{CALENDAR}/v3/calendars/primary/events"
SCOPE = f"{PREFIX}calendar.events.owned.readonly"
CONNECT = f"{APP}/connect/google_calendar/callback"
WEEK = {"singleEvents": "true", "timeMin": "2026-11-22T00:00:00Z", "timeMax": "2026-11-30T00:00:00Z"}
ASKED: Mapping[str, str | None] = {"scope": SCOPE, "redirect_uri": CONNECT, "nonce": None, "access_type": "offline"}


async def grant(http: httpx.AsyncClient, email: str = "ada@sandbox.test", **form: str) -> dict[str, Any]:
    fields = {"email": email, "scope": SCOPE, "agree": "1"} | form
    answer = await http.post(AUTHORIZE, params=google_request(**ASKED), data=fields)
    code = httpx.URL(answer.headers["location"]).params["code"]
    return (await google_token(http, code, redirect_uri=CONNECT)).json()


async def bearer(http: httpx.AsyncClient, email: str = "ada@sandbox.test") -> dict[str, str]:
    return {"Authorization": f"Bearer {(await grant(http, email))['access_token']}"}


async def listed(http: httpx.AsyncClient, headers: dict[str, str], **params: str) -> dict[str, Any]:
    answer = await http.get(EVENTS, params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


def named(found: dict[str, Any], summary: str) -> dict[str, Any]:
    return next(item for item in found["items"] if item.get("summary") == summary)


async def add(http: httpx.AsyncClient, summary: str, start: str = "2026-11-24T10:00") -> None:
    form = {"summary": summary, "start": start, "minutes": "30"}
    assert (await http.post(f"{CALENDAR}/", data=form)).status_code == 303


async def watch(http: httpx.AsyncClient, headers: dict[str, str], **changes: Any) -> httpx.Response:
    body = {"id": "c1", "type": "web_hook", "address": f"{APP}/webhooks/google_calendar", "token": "secret"} | changes
    return await http.post(f"{EVENTS}/watch", json=body, headers=headers)


async def test_the_consent_page_has_a_box_for_what_is_asked(http: httpx.AsyncClient):
    page = (await http.get(AUTHORIZE, params=google_request(**ASKED))).text

    assert '<p class="sandbox">Sandbox</p>' in page
    assert f'name="scope" value="{SCOPE}" checked' in page
    assert CONSENTS[SCOPE] in page
    assert ">Agree</button>" in page
    assert ">Cancel</button>" in page


async def test_signing_in_is_asked_as_before(http: httpx.AsyncClient):
    assert ">Agree</button>" not in (await http.get(AUTHORIZE, params=google_request())).text


async def test_a_grant_is_told_with_its_scope_and_no_identity(http: httpx.AsyncClient):
    tokens = await grant(http)

    assert tokens["scope"] == SCOPE
    assert tokens["refresh_token"]
    assert "id_token" not in tokens


async def test_what_is_unticked_is_not_granted(http: httpx.AsyncClient):
    headers = {"Authorization": f"Bearer {(await grant(http, scope=''))['access_token']}"}

    assert reason(await http.get(EVENTS, headers=headers)) == (403, "insufficientPermissions")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"redirect_uri": f"{APP}/connect/todoist/callback"}, "redirect_uri_mismatch"),
        ({"code_challenge": None}, "invalid_request"),
        ({"state": None}, "invalid_request"),
    ],
)
async def test_a_wrong_request_is_refused_on_the_page(
    http: httpx.AsyncClient, changes: dict[str, str | None], error: str
):
    answer = await http.get(AUTHORIZE, params=google_request(**{**ASKED, **changes}))

    assert answer.status_code == 400
    assert error in answer.text


async def test_a_refresh_brings_no_other_refresh_token_and_ends_with_the_grant(http: httpx.AsyncClient):
    tokens = await grant(http)
    form = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": "oo-sandbox-google",
        "client_secret": "oo-sandbox-google-secret",
    }
    renewed = await http.post("/sandbox/google/token", data=form)
    await http.post("/sandbox/google/revoke", data={"token": tokens["access_token"]})
    after = await http.post("/sandbox/google/token", data=form)

    assert "refresh_token" not in renewed.json()
    assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("token", ["", "Bearer made-up", "Basic x"])
async def test_nobody_reads_without_a_token(http: httpx.AsyncClient, token: str):
    assert reason(await http.get(EVENTS, headers={"Authorization": token})) == (401, "authError")


async def test_who_signed_in_only_reads_no_calendar(http: httpx.AsyncClient):
    callback = await sign_in(http, "google", "ada@sandbox.test")
    token = (await google_token(http, callback["code"])).json()["access_token"]

    answer = await http.get(EVENTS, headers={"Authorization": f"Bearer {token}"})

    assert reason(answer) == (403, "insufficientPermissions")


async def test_a_week_holds_what_the_contract_knows(http: httpx.AsyncClient):
    found = await listed(http, await bearer(http), **WEEK)

    standup = [item for item in found["items"] if item["summary"] == "Stand-up"]
    assert (found["summary"], found["timeZone"], found["accessRole"]) == ("ada@sandbox.test", "Europe/Berlin", "owner")
    assert [item["start"]["dateTime"][:16] for item in standup] == [f"2026-11-{day}T09:30" for day in range(23, 28)]
    assert standup[0]["id"] == f"{standup[0]['recurringEventId']}_20261123T083000Z"
    assert named(found, "Company all-hands")["attendees"][1] == {"self": True, "responseStatus": "declined"}
    assert named(found, "Studio")["eventType"] == "workingLocation"
    assert named(found, "Studio")["end"] == {"date": "2026-11-24"}
    assert named(found, "Market, if it does not rain")["status"] == "tentative"
    assert "nextSyncToken" in found


async def test_bounds_leave_out_what_only_touches_them(http: httpx.AsyncClient):
    window = {"singleEvents": "true", "timeMin": "2026-11-23T08:45:00Z", "timeMax": "2026-11-23T13:00:00Z"}

    names = [item["summary"] for item in (await listed(http, await bearer(http), **window))["items"]]

    assert "Stand-up" not in names  # ends as the window begins
    assert "Planning" not in names  # begins as the window ends
    assert "Coffee with Priya" in names


async def test_without_expanding_an_entry_comes_with_its_rule(http: httpx.AsyncClient):
    found = await listed(http, await bearer(http), **(WEEK | {"singleEvents": "false"}))

    standup = [item for item in found["items"] if item["summary"] == "Stand-up"]
    assert [item["recurrence"] for item in standup] == [["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"]]


async def test_pages_together_are_the_whole(http: httpx.AsyncClient):
    headers = await bearer(http)
    whole = await listed(http, headers, **WEEK)
    found: list[Any] = []
    page = await listed(http, headers, **WEEK, maxResults="5")
    while token := page.get("nextPageToken"):
        assert "nextSyncToken" not in page
        found += page["items"]
        page = await listed(http, headers, **WEEK, maxResults="5", pageToken=token)

    assert [*found, *page["items"]] == whole["items"]
    assert page["nextSyncToken"] == whole["nextSyncToken"]


async def test_a_page_may_come_empty_with_a_token(http: httpx.AsyncClient):
    headers = await bearer(http)
    await http.post(f"{CALENDAR}/control/empty-page")

    first = await listed(http, headers, **WEEK)
    second = await listed(http, headers, **WEEK, pageToken=first["nextPageToken"])

    assert first["items"] == []
    assert len(second["items"]) > 10


async def test_a_sync_token_tells_what_changed_since_and_stubs_of_what_is_gone(http: httpx.AsyncClient):
    headers = await bearer(http)
    before = await listed(http, headers, **WEEK)
    dentist, standup = named(before, "Usability review"), named(before, "Stand-up")
    await add(http, "New")
    await http.post(f"{CALENDAR}/", data={"cancel": dentist["id"]})
    await http.post(f"{CALENDAR}/", data={"cancel": standup["id"]})

    after = await listed(http, headers, singleEvents="true", syncToken=before["nextSyncToken"])
    again = await listed(http, headers, singleEvents="true", syncToken=after["nextSyncToken"])

    new, *gone = after["items"]
    assert new["summary"] == "New"
    assert gone == [
        {"kind": "calendar#event", "status": "cancelled", "id": dentist["id"]},
        {
            "kind": "calendar#event",
            "status": "cancelled",
            "id": standup["id"],
            "recurringEventId": standup["recurringEventId"],
            "originalStartTime": standup["start"],
        },
    ]
    assert again["items"] == []


@pytest.mark.parametrize(
    "more",
    [
        {"timeMin": "2026-11-22T00:00:00Z"},
        {"timeMax": "2026-11-22T00:00:00Z"},
        {"orderBy": "updated"},
        {"q": "x"},
        {"iCalUID": "x"},
        {"updatedMin": "2026-11-22T00:00:00Z"},
        {"showDeleted": "false"},
        {"singleEvents": "false"},
    ],
)
async def test_a_sync_token_refuses_company(http: httpx.AsyncClient, more: dict[str, str]):
    headers = await bearer(http)
    token = (await listed(http, headers, **WEEK))["nextSyncToken"]

    answer = await http.get(EVENTS, params={"singleEvents": "true", "syncToken": token} | more, headers=headers)

    assert reason(answer) == (400, "badRequest")


@pytest.mark.parametrize(
    "params",
    [
        {"timeMin": "2026-11-22T00:00:00"},
        {"timeMax": "soon"},
        {"maxResults": "0"},
        {"orderBy": "startTime"},
        {"pageToken": "made up"},
        {"unheardOf": "1"},
        {"fields": "items(id"},
        {"fields": ""},
    ],
)
async def test_what_does_not_fit_is_refused(http: httpx.AsyncClient, params: dict[str, str]):
    assert reason(await http.get(EVENTS, params=params, headers=await bearer(http))) == (400, "badRequest")


async def test_a_sync_token_of_before_a_reset_is_gone(http: httpx.AsyncClient):
    headers = await bearer(http)
    token = (await listed(http, headers, **WEEK))["nextSyncToken"]
    await http.post(f"{CALENDAR}/control/reset")

    answer = await http.get(EVENTS, params={"singleEvents": "true", "syncToken": token}, headers=headers)

    assert reason(answer) == (410, "fullSyncRequired")


async def test_partial_answers_hold_what_was_asked_for(http: httpx.AsyncClient):
    fields = "summary,items(id,start(dateTime),attendees(self))"
    found = await listed(http, await bearer(http), **WEEK, fields=fields, maxAttendees="1")

    assert set(found) == {"summary", "items"}
    assert {name for item in found["items"] for name in item} == {"id", "start", "attendees"}
    assert next(item["attendees"] for item in found["items"] if "attendees" in item) == [{"self": True}]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 403}, (403, "rateLimitExceeded")),
        ({"status": 403, "reason": "dailyLimitExceeded"}, (403, "dailyLimitExceeded")),
        ({"status": 410}, (410, "fullSyncRequired")),
        ({"status": 503}, (503, "backendError")),
    ],
)
async def test_it_fails_on_demand(http: httpx.AsyncClient, fault: dict[str, Any], expected: tuple[int, str]):
    headers = await bearer(http)
    await http.post(f"{CALENDAR}/control/fault", json=fault)

    assert reason(await http.get(EVENTS, headers=headers)) == expected
    assert (await http.get(EVENTS, headers=headers)).status_code == 200


async def test_a_reader_of_busy_times_sees_no_titles(http: httpx.AsyncClient):
    await http.post(f"{CALENDAR}/control/rights", json={"account": "ada", "role": "freeBusyReader"})

    found = await listed(http, await bearer(http), **WEEK)

    assert found["accessRole"] == "freeBusyReader"
    assert all("summary" not in item for item in found["items"])


async def test_a_channel_says_first_that_it_is_open_then_that_something_changed(http: httpx.AsyncClient, inbox: Inbox):
    opened = (await watch(http, await bearer(http))).json()
    await add(http, "New")

    said = [
        (request.headers["x-goog-resource-state"], request.headers["x-goog-message-number"])
        for request in inbox.requests
    ]
    assert said == [("sync", "1"), ("exists", "2")]
    for request in inbox.requests:
        assert request.content == b""
        assert request.headers["x-goog-channel-id"] == "c1"
        assert request.headers["x-goog-channel-token"] == "secret"
        assert request.headers["x-goog-resource-id"] == opened["resourceId"]


async def test_a_channel_hears_nothing_of_others_nor_after_its_end(
    http: httpx.AsyncClient, inbox: Inbox, clock: FakeClock
):
    opened = (await watch(http, await bearer(http, "ben@sandbox.test"))).json()
    await add(http, "In Ada's calendar")
    clock.advance(timedelta(days=7))
    await http.post(f"{CALENDAR}/?account=ben", data={"summary": "x", "start": "2026-11-24T10:00", "minutes": "5"})

    assert [request.headers["x-goog-resource-state"] for request in inbox.requests] == ["sync"]
    assert int(opened["expiration"]) == int(clock.now().timestamp() * 1000)


async def test_a_stopped_channel_is_silent_and_cannot_be_stopped_again(http: httpx.AsyncClient, inbox: Inbox):
    headers = await bearer(http)
    opened = (await watch(http, headers)).json()
    stop = {"id": "c1", "resourceId": opened["resourceId"]}
    foreign = await http.post(f"{CALENDAR}/v3/channels/stop", json=stop, headers=await bearer(http, "ben@sandbox.test"))
    first = await http.post(f"{CALENDAR}/v3/channels/stop", json=stop, headers=headers)
    second = await http.post(f"{CALENDAR}/v3/channels/stop", json=stop, headers=headers)
    await add(http, "New")

    assert (foreign.status_code, first.status_code, second.status_code) == (404, 204, 404)
    assert len(inbox.requests) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "carrier pigeon"},
        {"id": "x" * 65},
        {"token": "x" * 257},
        {"address": "https://oo.example/webhooks/google_calendar"},
    ],
)
async def test_a_channel_that_does_not_fit_is_refused(http: httpx.AsyncClient, changes: dict[str, str]):
    assert (await watch(http, await bearer(http), **changes)).status_code == 400


async def test_a_channels_id_is_used_once(http: httpx.AsyncClient):
    headers = await bearer(http)
    await watch(http, headers)

    assert reason(await watch(http, headers)) == (400, "channelIdNotUnique")


async def test_the_page_shows_adds_moves_and_cancels(http: httpx.AsyncClient):
    headers = await bearer(http)
    await add(http, "<b>Mend</b>", "2026-11-23T15:00")
    mend = named(await listed(http, headers, **WEEK), "<b>Mend</b>")
    shown = (await http.get(f"{CALENDAR}/")).text
    await http.post(f"{CALENDAR}/", data={"day": mend["id"]})
    moved = named(await listed(http, headers, **WEEK), "<b>Mend</b>")

    assert '<p class="sandbox">Sandbox</p>' in shown
    assert "&lt;b&gt;Mend&lt;/b&gt;" in shown
    assert "<b>Mend" not in shown
    assert "/sandbox/calendar/ada/basic.ics" in shown
    assert moved["start"]["dateTime"] == "2026-11-24T15:00:00+01:00"


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"summary": "x", "start": "soon", "minutes": "5"},
        {"summary": "x", "start": "2026-11-24T10:00", "minutes": "-5"},
        {"summary": " ", "start": "2026-11-24T10:00", "minutes": "5"},
    ],
)
async def test_an_entry_that_is_none_is_refused(http: httpx.AsyncClient, form: dict[str, str]):
    assert (await http.post(f"{CALENDAR}/", data=form)).status_code == 400


async def test_an_empty_account_says_so(http: httpx.AsyncClient):
    assert "<p>No entries.</p>" in (await http.get(f"{CALENDAR}/?account=new")).text


async def test_an_account_that_cannot_be_is_not_found(http: httpx.AsyncClient):
    assert (await http.get(f"{CALENDAR}/?account=../x")).status_code == 404


async def test_the_feed_holds_the_same_and_says_when_nothing_changed(http: httpx.AsyncClient):
    headers = await bearer(http)
    before = await listed(http, headers, **WEEK)
    await http.post(f"{CALENDAR}/", data={"cancel": named(before, "Dentist")["id"]})
    await http.post(f"{CALENDAR}/", data={"hour": named(before, "Planning")["id"]})
    await http.post(f"{CALENDAR}/", data={"cancel": named(before, "Choir")["id"]})
    answer = await http.get(f"{CALENDAR}/ada/basic.ics")
    same = await http.get(f"{CALENDAR}/ada/basic.ics", headers={"If-None-Match": answer.headers["etag"]})
    await add(http, "New")
    other = await http.get(f"{CALENDAR}/ada/basic.ics", headers={"If-None-Match": answer.headers["etag"]})

    calendar: Any = Calendar.from_ical(answer.content)
    entries: list[Any] = calendar.walk("VEVENT")
    by_name = {str(entry["SUMMARY"]): entry for entry in entries}
    assert answer.headers["content-type"].startswith("text/calendar")
    assert "Dentist" not in by_name
    assert by_name["Stand-up"]["RRULE"].to_ical() == b"FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
    assert "EXDATE" in by_name["Choir"]
    assert [entry["DTSTART"].dt.hour for entry in entries if entry["SUMMARY"] == "Planning"] == [14, 15]
    assert (same.status_code, same.content) == (304, b"")
    assert other.status_code == 200
