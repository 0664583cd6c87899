"""The Todoist source by itself: its registration, refusals, completions, and taking the grant back."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from oo_app.kit.config import Settings
from oo_app.kit.errors import SourceDown
from oo_app.sources import SOURCES, Call, CompletionRefused, Door, NotPermitted, TokenRefused
from oo_app.sources.todoist import SOURCE, _due
from tests.sources.todoist import Todoist


def without_door(settings: Settings) -> Settings:
    return settings.model_copy(update={"todoist_client_id": ""})


async def test_without_credentials_there_is_nothing_to_connect(door: Door):
    assert await SOURCE.oauth(door.http, without_door(door.settings)) is None


async def test_the_real_addresses_are_the_defaults(door: Door):
    auth = await SOURCE.oauth(door.http, door.settings)

    assert auth is not None
    assert auth.authorize_url == "https://app.todoist.com/oauth/authorize"
    assert auth.token_url == "https://api.todoist.com/oauth/access_token"
    assert (auth.client_id, auth.client_secret, auth.scope) == ("our-id", "our-secret", "data:read_write")


async def test_the_source_is_listed_once_by_a_name_that_fits_its_column():
    assert [source.name for source in SOURCES].count("todoist") == 1
    assert all(len(source.name) <= 30 for source in SOURCES)


@pytest.mark.parametrize(("status", "error"), [(401, TokenRefused), (403, NotPermitted)])
async def test_a_refusal_is_told_from_an_outage(door: Door, there: Todoist, status: int, error: type[Exception]):
    there.answer = lambda _: httpx.Response(status)

    with pytest.raises(error):
        await SOURCE.pull(door, None)
    with pytest.raises(error):
        await SOURCE.complete(door, "t1", "c1")


@pytest.mark.parametrize(
    ("headers", "body", "pause"),
    [
        ({"Retry-After": "30"}, {}, 30),
        ({}, {"error_extra": {"retry_after": 7}}, 7),
        ({"Retry-After": "30"}, {"error_extra": {"retry_after": 7}}, 30),
        ({}, {}, 0),
        ({"Retry-After": "soon"}, {"error_extra": None}, 0),
    ],
)
async def test_a_limit_tells_how_long_to_wait(
    door: Door, there: Todoist, headers: dict[str, str], body: dict[str, Any], pause: float
):
    there.answer = lambda _: httpx.Response(429, headers=headers, json=body)

    with pytest.raises(SourceDown) as raised:
        await SOURCE.pull(door, None)

    assert raised.value.retry_after == pause


async def test_a_completion_is_one_command_with_our_own_id(door: Door, there: Todoist):
    there.answer = lambda _: httpx.Response(200, json={"sync_status": {"c1": "ok"}})

    await SOURCE.complete(door, "t1", "c1")

    form = dict(httpx.QueryParams(there.requests[0].content.decode()))
    assert json.loads(form["commands"]) == [{"type": "item_close", "uuid": "c1", "args": {"id": "t1"}}]
    assert set(form) == {"commands"}


@pytest.mark.parametrize("error", [{"error_code": 478}, {"error_code": 22}, {"http_code": 404}])
async def test_completing_what_is_gone_is_fine(door: Door, there: Todoist, error: dict[str, Any]):
    there.answer = lambda _: httpx.Response(200, json={"sync_status": {"c1": error}})

    await SOURCE.complete(door, "t1", "c1")


@pytest.mark.parametrize("status", [400, 403])
async def test_a_completion_refused_for_good_says_so(door: Door, there: Todoist, status: int):
    there.answer = lambda _: httpx.Response(200, json={"sync_status": {"c1": {"http_code": status}}})

    with pytest.raises(CompletionRefused):
        await SOURCE.complete(door, "t1", "c1")


@pytest.mark.parametrize("status", [{"http_code": 503}, {}, None, "busy", []])
async def test_a_completion_of_any_other_answer_is_tried_again(door: Door, there: Todoist, status: object):
    there.answer = lambda _: httpx.Response(200, json={"sync_status": {"c1": status}})

    with pytest.raises(SourceDown):
        await SOURCE.complete(door, "t1", "c1")


@pytest.mark.parametrize("body", [{}, {"sync_status": None}, {"sync_status": {"another": "ok"}}, []])
async def test_a_completion_without_its_own_status_is_tried_again(door: Door, there: Todoist, body: object):
    there.answer = lambda _: httpx.Response(200, json=body)

    with pytest.raises(SourceDown):
        await SOURCE.complete(door, "t1", "c1")


async def test_an_outage_is_asked_three_times_with_the_same_command(door: Door, there: Todoist):
    there.answer = lambda _: httpx.Response(503)

    with pytest.raises(SourceDown):
        await SOURCE.complete(door, "t1", "c1")

    assert len({call.content for call in there.requests}) == 1
    assert len(there.requests) == 3


async def test_revoking_names_the_token_and_proves_who_asks(door: Door, there: Todoist):
    there.answer = lambda _: httpx.Response(200, json=None)

    await SOURCE.revoke(door)

    request = there.requests[0]
    assert (request.method, request.url.path) == ("DELETE", "/api/v1/access_tokens")
    assert dict(request.url.params) == {
        "client_id": "our-id",
        "client_secret": "our-secret",
        "access_token": "a-token",
    }


@pytest.mark.parametrize("status", [302, 400, 403, 404, 429, 500, 503])
async def test_a_revocation_counts_only_when_it_was_taken(door: Door, there: Todoist, status: int):
    there.answer = lambda _: httpx.Response(status)

    with pytest.raises(SourceDown):
        await SOURCE.revoke(door)


async def test_without_credentials_there_is_nothing_to_revoke_with(door: Door, there: Todoist):
    await SOURCE.revoke(replace(door, settings=without_door(door.settings)))

    assert there.requests == []


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("2026-11-23", "2026-11-23"),
        ("2026-11-23T09:00:00", "2026-11-23T09:00:00"),
        ("2026-11-23T09:00:00Z", "2026-11-23T09:00:00+00:00"),
        ("2026-11-23T09:00:00.000000Z", "2026-11-23T09:00:00+00:00"),
        ("rubbish", None),
    ],
)
def test_an_occurrence_heard_of_has_the_name_that_a_reading_gives_it(told: str, name: str | None):
    due = {"date": told, "is_recurring": True}
    body = {
        "event_name": "item:updated",
        "triggered_at": "2026-11-23T09:00:00Z",
        "event_data": {"id": "t1"},
        "event_data_extra": {"old_item": {"id": "t1", "due": due}, "update_intent": "item_completed"},
    }

    (heard,) = SOURCE.hear(Call({}, json.dumps(body).encode())).completions

    assert heard.occurrence == name
    assert name is None or _due(due).name == name
