"""The Todoist source by itself, against answers as the contract writes them."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from oo_app.kit.clock import FakeClock
from oo_app.kit.config import Settings
from oo_app.kit.errors import SourceDown
from oo_app.kit.http import Http
from oo_app.sources import SOURCES, CompletionRefused, Door, Due, Item, Pull, TokenRefused
from oo_app.sources.todoist import SOURCE

Answers = Callable[[dict[str, str]], httpx.Response]

# A task as the contract shows it.
TASK: dict[str, Any] = {
    "id": "6XR4GqQQCW6Gv9h4",
    "user_id": "2671355",
    "project_id": "p1",
    "labels": ["home"],
    "content": "Water plants",
    "description": "",
    "priority": 4,
    "due": {
        "date": "2026-11-23T09:00:00Z",
        "timezone": "Europe/Berlin",
        "string": "every day at 10",
        "lang": "en",
        "is_recurring": True,
    },
    "deadline": {"date": "2026-12-01", "lang": "en"},
    "duration": {"amount": 30, "unit": "minute"},
    "checked": False,
    "is_deleted": False,
    "added_at": "2026-11-01T08:00:00.000000Z",
    "updated_at": "2026-11-20T08:00:00.000000Z",
    "completed_at": None,
    "a key of next year": {"x": 1},
}


class Todoist(httpx.AsyncBaseTransport):
    """Answers the forms it gets, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Answers = lambda _: full()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(dict(httpx.QueryParams(request.content.decode())))


def full(*items: dict[str, Any], **more: Any) -> httpx.Response:
    projects = [{"id": "p1", "name": "Home"}]
    return sync(*items, full_sync=True, **{"projects": projects, **more})


def sync(*items: dict[str, Any], **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"sync_token": "next", "full_sync": False, "items": list(items), **more})


@pytest.fixture
def there() -> Todoist:
    return Todoist()


@pytest.fixture
async def door(there: Todoist, clock: FakeClock) -> AsyncIterator[Door]:
    settings = Settings.model_validate({"todoist_client_id": "our-id", "todoist_client_secret": "our-secret"})
    http = Http(clock, there)
    yield Door(http, settings, "a-token")
    await http.stop()


def in_turn(*answers: httpx.Response) -> Answers:
    waiting = list(answers)
    return lambda _: waiting.pop(0)


async def pulled(door: Door, there: Todoist, *rows: dict[str, Any]) -> Item:
    """Pull one task and return how it is read."""
    there.answer = in_turn(full(*rows), sync())
    pull = await SOURCE.pull(door, None)
    return pull.items[0]


def without_door(settings: Settings) -> Settings:
    return settings.model_copy(update={"todoist_client_id": ""})


async def test_without_credentials_there_is_nothing_to_connect(door: Door):
    assert SOURCE.oauth(without_door(door.settings)) is None


async def test_the_real_addresses_are_the_defaults(door: Door):
    auth = SOURCE.oauth(door.settings)

    assert auth is not None
    assert auth.authorize_url == "https://app.todoist.com/oauth/authorize"
    assert auth.token_url == "https://api.todoist.com/oauth/access_token"
    assert (auth.client_id, auth.client_secret, auth.scope) == ("our-id", "our-secret", "data:read_write")


async def test_the_source_is_listed_once_by_a_name_that_fits_its_column():
    assert [source.name for source in SOURCES].count("todoist") == 1
    assert all(len(source.name) <= 30 for source in SOURCES)


async def test_a_first_reading_asks_for_everything_then_for_what_came_since(door: Door, there: Todoist):
    there.answer = in_turn(full(TASK), sync({**TASK, "content": "Water all plants"}, sync_token="later"))

    pull = await SOURCE.pull(door, None)

    forms = [dict(httpx.QueryParams(call.content.decode())) for call in there.requests]
    assert [form["sync_token"] for form in forms] == ["*", "next"]
    assert json.loads(forms[0]["resource_types"]) == ["items", "projects", "user"]
    assert {call.headers["authorization"] for call in there.requests} == {"Bearer a-token"}
    assert str(there.requests[0].url) == "https://api.todoist.com/api/v1/sync"
    assert [(item.content, pull.is_full) for item in pull.items] == [("Water all plants", True)]
    assert json.loads(pull.cursor)[0] == "later"


async def test_a_task_is_read_with_all_it_says(door: Door, there: Todoist):
    item = await pulled(door, there, TASK)

    assert item == Item(
        external_id="6XR4GqQQCW6Gv9h4",
        is_open=True,
        content="Water plants",
        detail="Home",
        url="https://app.todoist.com/app/task/6XR4GqQQCW6Gv9h4",
        due=Due(at=datetime(2026, 11, 23, 9, 0, tzinfo=UTC)),
        deadline_on=date(2026, 12, 1),
        priority=4,
        is_recurring=True,
        is_completable=True,
        minutes=30,
        created_at=datetime(2026, 11, 1, 8, 0, tzinfo=UTC),
        completed_at=None,
    )


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("2026-11-23", Due(on=date(2026, 11, 23))),
        ("2026-11-23T09:00:00", Due(floating=datetime.fromisoformat("2026-11-23T09:00:00"))),
        ("2026-11-23T09:00:00.000000", Due(floating=datetime.fromisoformat("2026-11-23T09:00:00"))),
        ("2026-11-23T09:00:00Z", Due(at=datetime(2026, 11, 23, 9, 0, tzinfo=UTC))),
        ("2026-11-23T09:00:00.500000Z", Due(at=datetime(2026, 11, 23, 9, 0, 0, 500_000, tzinfo=UTC))),
        ("someday", Due()),
        ("", Due()),
        (None, Due()),
        (20261123, Due()),
    ],
)
async def test_due_dates_come_in_three_forms(door: Door, there: Todoist, text: object, due: Due):
    assert (await pulled(door, there, {**TASK, "due": {"date": text}})).due == due


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"description": "  The cactus only\n"}, "The cactus only"),
        ({"description": "x" * 600}, "x" * 500),
        ({"description": None}, "Home"),
        ({"project_id": "unknown"}, ""),
    ],
)
async def test_the_detail_is_the_description_or_the_projects_name(
    door: Door, there: Todoist, change: dict[str, Any], detail: str
):
    assert (await pulled(door, there, {**TASK, **change})).detail == detail


@pytest.mark.parametrize(
    ("duration", "minutes"),
    [
        ({"amount": 45, "unit": "minute"}, 45),
        ({"amount": 2, "unit": "day"}, None),
        ({"amount": 0, "unit": "minute"}, None),
        (None, None),
    ],
)
async def test_only_minutes_are_a_duration(door: Door, there: Todoist, duration: object, minutes: int | None):
    assert (await pulled(door, there, {**TASK, "duration": duration})).minutes == minutes


async def test_a_title_with_a_star_cannot_be_completed(door: Door, there: Todoist):
    assert not (await pulled(door, there, {**TASK, "content": "* A heading"})).is_completable


@pytest.mark.parametrize("change", [{"checked": True}, {"is_deleted": True}, {"checked": 1}])
async def test_what_is_done_or_deleted_is_not_open(door: Door, there: Todoist, change: dict[str, Any]):
    assert not (await pulled(door, there, {**TASK, **change})).is_open


@pytest.mark.parametrize(
    ("change", "completed_at"),
    [
        ({"checked": True, "completed_at": "2026-11-22T10:00:00Z"}, datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ({"checked": True, "completed_at": None}, datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ({"checked": False, "completed_at": "2026-11-22T10:00:00Z"}, None),
        ({"is_deleted": True}, None),
    ],
)
async def test_a_completion_has_a_time(
    door: Door, there: Todoist, change: dict[str, Any], completed_at: datetime | None
):
    assert (await pulled(door, there, {**TASK, **change})).completed_at == completed_at


async def test_the_cursor_carries_the_projects_names_on(door: Door, there: Todoist):
    there.answer = in_turn(full(), sync())
    first = await SOURCE.pull(door, None)

    there.answer = in_turn(
        sync(TASK, {**TASK, "id": "t2", "project_id": "p2"}, projects=[{"id": "p2", "name": "Work"}])
    )
    second = await SOURCE.pull(door, first.cursor)

    assert [item.detail for item in second.items] == ["Home", "Work"]
    assert (second.is_full, json.loads(second.cursor)[1]) == (False, {"p1": "Home", "p2": "Work"})


async def test_an_unknown_cursor_is_answered_by_reading_everything(door: Door, there: Todoist):
    there.answer = in_turn(httpx.Response(400, json={"error_tag": "INVALID_ARGUMENT_VALUE"}), full(TASK), sync())

    pull = await SOURCE.pull(door, json.dumps(["stale", {}]))

    assert (pull.is_full, len(pull.items)) == (True, 1)


async def test_an_answer_that_refuses_even_to_start_is_an_outage(door: Door, there: Todoist):
    there.answer = lambda _: httpx.Response(400, json={})

    with pytest.raises(SourceDown):
        await SOURCE.pull(door, json.dumps(["stale", {}]))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b'{"sync_token":"x","items":[{"id":"t1","cont'),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"sync_token": 5, "items": []}),
        httpx.Response(200, json={"sync_token": "x", "items": None}),
        httpx.Response(200, json={"sync_token": "x", "items": {}}),
        httpx.Response(302, headers={"Location": "https://status.example"}),
        httpx.Response(404, json={}),
        httpx.Response(500, text="<h1>Sorry</h1>"),
    ],
)
async def test_an_answer_that_makes_no_sense_is_an_outage(door: Door, there: Todoist, answer: httpx.Response):
    there.answer = lambda _: answer

    with pytest.raises(SourceDown):
        await SOURCE.pull(door, None)


@pytest.mark.parametrize("flag", ["is_archived", "is_deleted"])
async def test_a_project_that_goes_takes_a_full_reading(door: Door, there: Todoist, flag: str):
    there.answer = in_turn(sync(projects=[{"id": "p1", flag: True}]), full(projects=[]), sync())

    pull: Pull = await SOURCE.pull(door, json.dumps(["known", {"p1": "Home"}]))

    assert (pull.is_full, json.loads(pull.cursor)) == (True, ["next", {}])


@pytest.mark.parametrize(
    ("user", "owner"),
    [
        ({"id": "7", "tz_info": {"timezone": "Europe/Berlin"}}, ("7", "Europe/Berlin")),
        ({"id": 7}, ("7", None)),
        ({"id": "7", "tz_info": None}, ("7", None)),
        ({"id": "7", "tz_info": {"timezone": 2}}, ("7", None)),
    ],
)
async def test_the_owner_is_told_by_a_full_reading(
    door: Door, there: Todoist, user: dict[str, Any], owner: tuple[str, str | None]
):
    there.answer = in_turn(full(user=user), sync())

    told = (await SOURCE.pull(door, None)).owner

    assert told is not None
    assert (told.external_id, told.time_zone) == owner


@pytest.mark.parametrize("user", [None, {}, "who?", []])
async def test_an_owner_who_is_not_told_is_nobody(door: Door, there: Todoist, user: object):
    there.answer = in_turn(full(user=user), sync())

    assert (await SOURCE.pull(door, None)).owner is None


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_that_is_refused_is_told_from_an_outage(door: Door, there: Todoist, status: int):
    there.answer = lambda _: httpx.Response(status)

    with pytest.raises(TokenRefused):
        await SOURCE.pull(door, None)
    with pytest.raises(TokenRefused):
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
    await SOURCE.revoke(Door(door.http, without_door(door.settings), door.access_token))

    assert there.requests == []
