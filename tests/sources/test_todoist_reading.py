"""Reading Todoist, against answers as the contract writes them."""

import json
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from oo_app.kit.errors import SourceDown
from oo_app.sources import Door, Due, Item, Pull
from oo_app.sources.todoist import SOURCE
from tests.sources.todoist import STALE, TASK, Todoist, full, in_turn, pulled, sync


async def test_a_first_reading_asks_for_everything_then_for_what_came_since(door: Door, there: Todoist):
    there.answer = in_turn(full(TASK), sync({**TASK, "content": "Water all plants"}, sync_token="later"))

    pull = await SOURCE.pull(door, None)

    forms = [dict(httpx.QueryParams(call.content.decode())) for call in there.requests if call.method == "POST"]
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
        labels=("home",),
        created_at=datetime(2026, 11, 1, 8, 0, tzinfo=UTC),
        changed_at=datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
        completed_at=datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("2026-11-23", Due(on=date(2026, 11, 23))),
        ("2026-11-23T09:00:00", Due(floating=datetime.fromisoformat("2026-11-23T09:00:00"))),
        ("9999-12-31", Due()),
        ("0001-01-01", Due()),
        ("9999-12-31T23:59:59Z", Due()),
        ("0001-01-01T00:00:00", Due()),
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
        ({"is_deleted": True}, None),
        ({"checked": False, "due": {"date": "2026-11-23", "is_recurring": False}}, None),
    ],
)
async def test_a_completion_has_a_time(
    door: Door, there: Todoist, change: dict[str, Any], completed_at: datetime | None
):
    assert (await pulled(door, there, {**TASK, **change})).completed_at == completed_at


async def test_of_what_recurs_the_completions_are_counted(door: Door, there: Todoist):
    item = await pulled(door, there, {**TASK, "completed_count": 4})

    assert (item.is_open, item.completed_count) == (True, 4)
    assert item.completed_at == datetime(2026, 11, 20, 8, tzinfo=UTC), "the last change is when it was completed"


@pytest.mark.parametrize("count", [None, -1, "4", 2**40])
async def test_a_count_that_is_none_is_left_out(door: Door, there: Todoist, count: object):
    assert (await pulled(door, there, {**TASK, "completed_count": count})).completed_count is None


async def test_a_full_reading_learns_what_was_completed_in_the_last_day(door: Door, there: Todoist):
    asked: list[dict[str, str]] = []
    pages = [
        {"items": [{**TASK, "id": "d1", "checked": True, "completed_at": "2026-11-23T08:00:00Z"}], "next_cursor": "2"},
        {"items": [{**TASK, "id": "d2", "checked": True}, {**TASK, "id": "d3"}], "next_cursor": None},
    ]

    def completed(params: dict[str, str]) -> httpx.Response:
        asked.append(params)
        return httpx.Response(200, json=pages[len(asked) - 1])

    there.answer, there.completed = in_turn(full(TASK), sync()), completed

    pull = await SOURCE.pull(door, None)

    assert {item.external_id: item.is_open for item in pull.items} == {TASK["id"]: True, "d1": False}
    assert (asked[0]["since"], asked[0]["until"]) == ("2026-08-26T09:00:00Z", "2026-11-23T09:00:00Z")
    assert sorted(each.external_id for each in pull.history) == ["d1", "d2"]
    assert [params.get("cursor") for params in asked] == [None, "2"]


async def test_what_was_reopened_since_is_open(door: Door, there: Todoist):
    there.answer = in_turn(full(TASK), sync())
    there.completed = lambda _: httpx.Response(200, json={"items": [{**TASK, "checked": True}]})

    assert [item.is_open for item in (await SOURCE.pull(door, None)).items] == [True]


@pytest.mark.parametrize("status", [403, 404, 429, 500])
async def test_without_the_list_of_completions_the_open_tasks_are_read(door: Door, there: Todoist, status: int):
    there.answer = in_turn(full(TASK), sync())
    there.completed = lambda _: httpx.Response(status, json={})

    assert len((await SOURCE.pull(door, None)).items) == 1


@pytest.mark.parametrize(("responsible", "is_mine"), [(None, True), ("7", True), (7, True), ("8", False)])
async def test_what_somebody_else_is_to_do_is_not_suggested(
    door: Door, there: Todoist, responsible: object, *, is_mine: bool
):
    row = {**TASK, "responsible_uid": responsible}
    there.answer = in_turn(full(row, user={"id": "7"}), sync())
    first = await SOURCE.pull(door, None)

    there.answer = in_turn(sync(row))
    second = await SOURCE.pull(door, first.cursor)

    assert [item.is_completable for item in (*first.items, *second.items)] == [is_mine, is_mine]


async def test_a_cursor_of_an_earlier_version_takes_a_full_reading(door: Door, there: Todoist):
    there.answer = in_turn(full(TASK), sync())

    pull = await SOURCE.pull(door, json.dumps(["known", {"p1": "Home"}]))

    assert dict(httpx.QueryParams(there.requests[0].content.decode()))["sync_token"] == "*"
    assert pull.is_full


async def test_the_cursor_carries_the_projects_names_on(door: Door, there: Todoist):
    there.answer = in_turn(full(), sync())
    first = await SOURCE.pull(door, None)

    there.answer = in_turn(
        sync(TASK, {**TASK, "id": "t2", "project_id": "p2"}, projects=[{"id": "p2", "name": "Work"}])
    )
    second = await SOURCE.pull(door, first.cursor)

    assert [item.detail for item in second.items] == ["Home", "Work"]
    assert (second.is_full, json.loads(second.cursor)[1]["projects"]) == (False, {"p1": "Home", "p2": "Work"})


async def test_an_unknown_cursor_is_answered_by_reading_everything(door: Door, there: Todoist):
    there.answer = in_turn(httpx.Response(400, json={"error_tag": "INVALID_ARGUMENT_VALUE"}), full(TASK), sync())

    pull = await SOURCE.pull(door, STALE)

    assert (pull.is_full, len(pull.items)) == (True, 1)


async def test_an_answer_that_refuses_even_to_start_is_an_outage(door: Door, there: Todoist):
    there.answer = lambda _: httpx.Response(400, json={})

    with pytest.raises(SourceDown):
        await SOURCE.pull(door, STALE)


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

    pull: Pull = await SOURCE.pull(door, json.dumps(["known", {"projects": {"p1": "Home"}, "owner": "7"}]))

    assert (pull.is_full, json.loads(pull.cursor)) == (True, ["next", {"projects": {}, "owner": "7"}])


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
