from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from oo_app.kit.clock import FakeClock
from tests.sandbox.conftest import client_of, mounted
from tests.sandbox.flows import TODOIST, Todoist, connect


@pytest.fixture
async def todoist(http: httpx.AsyncClient) -> Todoist:
    return await connect(http)


async def test_the_persona_looks_lived_in(todoist: Todoist):
    tasks = (await todoist.get("/tasks", limit=200)).json()["results"]
    dates = [task["due"]["date"] for task in tasks if task["due"]]

    assert 38 <= len(tasks) <= 45
    assert any(len(task["content"]) > 170 for task in tasks)
    assert {task["priority"] for task in tasks} == {1, 2, 3, 4}
    assert {len(date) for date in dates} == {len("2026-11-23"), len("2026-11-23T09:00:00"), len("2026-11-23T09:00:00Z")}
    assert min(dates) < "2026-11-23"
    assert sum(date.startswith("2026-11-23") for date in dates) >= 5
    assert sum(bool(task["due"] and task["due"]["is_recurring"]) for task in tasks) >= 8
    assert all(len(task["id"]) == 16 for task in tasks)


async def test_ids_survive_a_restart_and_differ_between_accounts(data_dir: Path, clock: FakeClock):
    seen = []
    for _ in range(2):
        async with client_of(mounted(data_dir, clock)) as http:
            ada, ben = await connect(http), await connect(http, "ben")
            seen.append([[task["id"] for task in (await each.get("/tasks")).json()["results"]] for each in (ada, ben)])

    assert seen[0] == seen[1]
    assert not set(seen[0][0]) & set(seen[0][1])


async def test_a_new_account_is_empty(http: httpx.AsyncClient):
    todoist = await connect(http, "new")

    assert (await todoist.get("/tasks")).json() == {"results": [], "next_cursor": None}
    assert [project["inbox_project"] for project in (await todoist.get("/projects")).json()["results"]] == [True]


async def test_pages_hold_every_task_once_even_when_tasks_vanish_meanwhile(todoist: Todoist):
    everything = [task["id"] for task in (await todoist.get("/tasks", limit=200)).json()["results"]]
    page = (await todoist.get("/tasks", limit=15)).json()
    seen = [task["id"] for task in page["results"]]
    await todoist.post(f"/tasks/{(await todoist.task('Descale the kettle'))['id']}/close")
    while page["next_cursor"]:
        page = (await todoist.get("/tasks", limit=15, cursor=page["next_cursor"])).json()
        seen += [task["id"] for task in page["results"]]

    assert len(seen) == len(set(seen))
    assert set(everything) - set(seen) <= {everything[15]}


@pytest.mark.parametrize("limit", ["0", "201", "-1", "ten", "²", ""])
async def test_a_bad_limit_is_refused(todoist: Todoist, limit: str):
    answer = await todoist.get("/tasks", limit=limit)

    assert answer.status_code == 400
    assert answer.json()["error_extra"]["argument"] == "limit"
    assert answer.json()["error_code"] == 20


async def test_a_bad_cursor_is_refused(http: httpx.AsyncClient, todoist: Todoist):
    cursor = (await todoist.get("/tasks", limit=5)).json()["next_cursor"]
    ben = await connect(http, "ben")
    answers = [
        await todoist.get("/tasks", cursor="made-up"),
        await todoist.get("/tasks", cursor=cursor, label="5min"),
        await todoist.get("/projects", cursor=cursor),
        await ben.get("/tasks", cursor=cursor),
    ]

    assert [answer.status_code for answer in answers] == [400] * 4
    assert {answer.json()["error_extra"]["argument"] for answer in answers} == {"cursor"}


async def test_tasks_can_be_chosen_by_project_label_and_id(todoist: Todoist):
    task = await todoist.task("Call Mum")
    by_project = (await todoist.get("/tasks", project_id=task["project_id"])).json()["results"]
    by_label = (await todoist.get("/tasks", label="phone")).json()["results"]
    by_id = (await todoist.get("/tasks", ids=f"{task['id']},unknown")).json()["results"]

    assert {each["project_id"] for each in by_project} == {task["project_id"]}
    assert all("phone" in each["labels"] for each in by_label)
    assert [each["id"] for each in by_id] == [task["id"]]


async def test_filters_select_today_and_overdue(todoist: Todoist):
    found = (await todoist.get("/tasks/filter", query="today | overdue", limit=200)).json()["results"]
    urgent = (await todoist.get("/tasks/filter", query="p1 & #Work")).json()["results"]

    assert {task["due"]["date"][:10] <= "2026-11-23" for task in found} == {True}
    assert {task["priority"] for task in urgent} == {4}
    assert (await todoist.get("/tasks/filter", query="sunny & warm")).status_code == 400


async def test_a_task_is_added_changed_and_deleted(todoist: Todoist):
    added = (await todoist.post("/tasks", {"content": "Mend the fence", "due_string": "tomorrow at 9"})).json()
    changed = (await todoist.post(f"/tasks/{added['id']}", {"priority": 4, "due_string": "no date"})).json()
    deleted = await todoist.delete(f"/tasks/{added['id']}")

    assert added["due"]["date"] == "2026-11-24T09:00:00"
    assert (changed["content"], changed["priority"], changed["due"]) == ("Mend the fence", 4, None)
    assert deleted.status_code == 204
    assert (await todoist.get(f"/tasks/{added['id']}")).json()["error_code"] == 478


@pytest.mark.parametrize(
    ("body", "argument"),
    [
        ({}, "content"),
        ({"content": ""}, "content"),
        ({"content": 5}, "content"),
        ({"content": "x", "priority": 5}, "priority"),
        ({"content": "x", "due_string": "when pigs fly"}, "due_string"),
        ({"content": "x", "due_date": "2026-13-01"}, "due_date"),
        ({"content": "x", "due_date": "2026-12-01", "due_string": "today"}, "due_date"),
        ({"content": "x", "duration": 5}, "duration"),
        ({"content": "x", "project_id": "unknown"}, "project_id"),
        ({"content": "x", "labels": "home"}, "labels"),
        (["content"], "body"),
    ],
)
async def test_a_wrong_argument_is_named(todoist: Todoist, body: object, argument: str):
    answer = await todoist.post("/tasks", body)

    assert answer.status_code == 400
    assert answer.json()["error_extra"]["argument"] == argument


async def test_an_exact_time_keeps_its_zone(todoist: Todoist):
    fixed = (await todoist.post("/tasks", {"content": "a", "due_datetime": "2026-11-25T10:00:00Z"})).json()["due"]
    floating = (await todoist.post("/tasks", {"content": "b", "due_datetime": "2026-11-25T10:00:00"})).json()["due"]

    assert (fixed["date"], fixed["timezone"]) == ("2026-11-25T10:00:00Z", "Europe/Berlin")
    assert (floating["date"], floating["timezone"]) == ("2026-11-25T10:00:00", None)


async def test_closing_completes_and_reopening_brings_back(todoist: Todoist, clock: FakeClock):
    task = await todoist.task("Descale the kettle")
    clock.advance(timedelta(minutes=1))
    closed = [(await todoist.post(f"/tasks/{task['id']}/close")).status_code for _ in range(2)]
    done = (await todoist.get(f"/tasks/{task['id']}")).json()
    completed = await completed_ids(todoist)
    await todoist.post(f"/tasks/{task['id']}/reopen")

    assert closed == [204, 204]
    assert done["checked"] is True
    assert done["completed_at"] == "2026-11-23T09:01:00.000000Z"
    assert completed[0] == task["id"]
    assert task["id"] not in await completed_ids(todoist)
    assert (await todoist.task("Descale the kettle"))["completed_at"] is None


async def test_closing_a_recurring_task_moves_it_and_completes_nothing(todoist: Todoist):
    before = await todoist.task("Take the vitamin D")
    await todoist.post(f"/tasks/{before['id']}/close")
    after = await todoist.task("Take the vitamin D")
    log = (await todoist.get("/activities", object_event_types='["item:completed"]')).json()["results"]

    assert before["due"]["date"] == "2026-11-23T08:00:00"
    assert after["due"]["date"] == "2026-11-24T08:00:00"
    assert (after["checked"], after["completed_at"]) == (False, None)
    assert after["completed_count"] == before["completed_count"] + 1
    assert before["id"] not in await completed_ids(todoist)
    assert log[0]["object_id"] == before["id"]


async def test_what_was_done_before_is_told(todoist: Todoist):
    window = {"since": "2026-10-24T00:00:00Z", "until": "2026-11-23T23:59:59Z"}
    page = (await todoist.get("/tasks/completed/by_completion_date", limit=10, **window)).json()
    rest = (await todoist.get("/tasks/completed/by_completion_date", cursor=page["next_cursor"], **window)).json()
    dates = [task["completed_at"] for task in page["items"] + rest["items"]]

    assert len(dates) == 22
    assert dates == sorted(dates, reverse=True)


@pytest.mark.parametrize(
    "window",
    [{}, {"since": "2026-01-01T00:00:00Z"}, {"since": "2026-01-01T00:00:00Z", "until": "2026-06-01T00:00:00Z"}],
)
async def test_the_window_of_completed_tasks_is_needed_and_limited(todoist: Todoist, window: dict[str, str]):
    assert (await todoist.get("/tasks/completed/by_completion_date", **window)).status_code == 400


async def test_the_user_has_a_zone(todoist: Todoist):
    user = (await todoist.get("/user")).json()

    assert user["tz_info"]["timezone"] == "Europe/Berlin"
    assert user["tz_info"]["gmt_string"] == "+01:00"


async def test_too_many_calls_are_refused_until_there_is_room(todoist: Todoist, clock: FakeClock):
    statuses = {(await todoist.sync()).status_code for _ in range(100)}
    refused = await todoist.sync()
    clock.advance(timedelta(seconds=int(refused.headers["Retry-After"])))

    assert statuses == {200}
    assert refused.status_code == 429
    assert refused.json()["error_extra"]["retry_after"] == int(refused.headers["Retry-After"])
    assert (await Todoist(todoist.http, todoist.tokens).get("/user")).status_code == 200
    assert (await todoist.sync()).status_code == 200


async def test_planned_faults_are_met_once_each(todoist: Todoist, clock: FakeClock):
    before = clock.now()
    fault = {"status": 503, "count": 2, "delay_ms": 1500, "path": "/tasks"}
    await todoist.http.post(f"{TODOIST}/control/fault", json=fault)
    untouched = (await todoist.get("/user")).status_code
    statuses = [(await todoist.get("/tasks")).status_code for _ in range(3)]

    assert untouched == 200
    assert statuses == [503, 503, 200]
    assert clock.now() - before == timedelta(seconds=3)


async def test_a_planned_limit_says_how_long_to_wait(todoist: Todoist):
    await todoist.http.post(f"{TODOIST}/control/fault", json={"status": 429, "count": 1, "path": None})

    assert (await todoist.get("/user")).headers["Retry-After"] == "3"


async def completed_ids(todoist: Todoist) -> list[str]:
    window = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-30T00:00:00Z"}
    answer = await todoist.get("/tasks/completed/by_completion_date", **window)
    return [task["id"] for task in answer.json()["items"]]
