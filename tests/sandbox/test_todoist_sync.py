import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from oo_app.kit.clock import FakeClock
from tests.sandbox.conftest import client_of, mounted
from tests.sandbox.flows import TODOIST, Todoist, connect


@pytest.fixture
async def todoist(http: httpx.AsyncClient) -> Todoist:
    return await connect(http)


async def test_a_full_sync_holds_everything_and_the_next_one_nothing(todoist: Todoist):
    full = (await todoist.sync("*", '["items","projects","labels","user"]')).json()
    nothing = (await todoist.sync(full["sync_token"], '["items","projects"]')).json()

    assert full["full_sync"] is True
    assert "full_sync_date_utc" in full
    assert len(full["items"]) == len((await todoist.get("/tasks", limit=200)).json()["results"])
    assert (len(full["projects"]), len(full["labels"])) == (6, 6)
    assert full["user"]["full_name"] == "Ada Brandt"
    assert (nothing["full_sync"], nothing["items"], nothing["projects"]) == (False, [], [])


async def test_a_cursor_that_was_forgotten_is_answered_with_everything(todoist: Todoist, http: httpx.AsyncClient):
    token = (await todoist.sync()).json()["sync_token"]

    await http.post(f"{TODOIST}/control/forget")

    assert (await todoist.sync(token)).json()["full_sync"] is True


async def test_an_incremental_sync_tells_what_was_added_done_and_deleted(todoist: Todoist):
    token = (await todoist.sync()).json()["sync_token"]
    done, gone = await todoist.task("Descale the kettle"), await todoist.task("Sell the old bicycle")
    await todoist.post(f"/tasks/{done['id']}/close")
    await todoist.delete(f"/tasks/{gone['id']}")
    added = (await todoist.post("/tasks", {"content": "Mend the fence"})).json()

    changed = {item["id"]: item for item in (await todoist.sync(token)).json()["items"]}

    assert set(changed) == {done["id"], gone["id"], added["id"]}
    assert changed[done["id"]]["checked"] is True
    assert changed[gone["id"]]["is_deleted"] is True


async def test_commands_run_once_for_a_uuid(todoist: Todoist):
    before = await todoist.task("Take the vitamin D")
    commands = [command("item_close", "u1", id=before["id"])]
    first = await run(todoist, commands)
    second = await run(todoist, commands)
    after = await todoist.task("Take the vitamin D")

    assert first["sync_status"] == second["sync_status"] == {"u1": "ok"}
    assert after["completed_count"] == before["completed_count"] + 1
    assert [item["id"] for item in first["items"]] == [before["id"]]


async def test_commands_add_change_complete_reopen_and_delete(todoist: Todoist):
    add = command("item_add", "u1", content="Mend the fence", due={"string": "tomorrow"}) | {"temp_id": "t1"}
    answer = await run(todoist, [add, command("item_update", "u2", id="t1", priority=3)])
    task_id = answer["temp_id_mapping"]["t1"]
    states = [(await run(todoist, [command(kind, kind, id=task_id)]))["items"][0] for kind in KINDS]

    assert answer["items"][0]["due"]["date"] == "2026-11-24"
    assert answer["items"][0]["priority"] == 3
    assert [(state["checked"], state["is_deleted"]) for state in states] == [
        (True, False),
        (False, False),
        (False, True),
    ]


KINDS = ("item_close", "item_uncomplete", "item_delete")


async def test_a_command_that_fails_is_told_and_the_others_run(todoist: Todoist):
    task = await todoist.task("Descale the kettle")
    commands = [
        command("item_close", "u1", id="unknown"),
        command("item_paint", "u2", id=task["id"]),
        command("item_close", "u3", id=task["id"]),
    ]
    status = (await run(todoist, commands))["sync_status"]

    assert status["u1"]["http_code"] == 404
    assert status["u2"]["error_tag"] == "INVALID_ARGUMENT_VALUE"
    assert status["u3"] == "ok"


async def test_a_command_needs_its_scope(http: httpx.AsyncClient):
    reader = await connect(http, scope="data:read")
    task = await reader.task("Descale the kettle")

    assert (await run(reader, [command("item_close", "u1", id=task["id"])]))["sync_status"]["u1"]["http_code"] == 403


@pytest.mark.parametrize(
    ("fields", "argument"),
    [
        ({"token": "made-up"}, "sync_token"),
        ({"token": ""}, "sync_token"),
        ({"resources": "items"}, "resource_types"),
        ({"commands": "{}"}, "commands"),
        ({"commands": '[{"type":"item_close"}]'}, "commands"),
        (
            {"commands": json.dumps([{"type": "item_close", "uuid": str(n), "args": {}} for n in range(101)])},
            "commands",
        ),
    ],
)
async def test_a_wrong_sync_is_refused(todoist: Todoist, fields: dict[str, str], argument: str):
    answer = await todoist.sync(**fields)

    assert answer.status_code == 400
    assert answer.json()["error_extra"]["argument"] == argument


async def test_the_token_of_another_account_is_refused(http: httpx.AsyncClient, todoist: Todoist):
    token = (await todoist.sync()).json()["sync_token"]

    assert (await (await connect(http, "ben")).sync(token)).status_code == 400


async def test_after_a_restart_everything_is_sent_again(data_dir: Path, clock: FakeClock):
    async with client_of(mounted(data_dir, clock)) as http:
        before = await connect(http)
        token = (await before.sync()).json()["sync_token"]
    async with client_of(mounted(data_dir, clock)) as http:
        answer = (await Todoist(http, before.tokens).sync(token)).json()

    assert answer["full_sync"] is True
    assert len(answer["items"]) > 30


def command(kind: str, uuid: str, **args: Any) -> dict[str, Any]:
    return {"type": kind, "uuid": uuid, "args": args}


async def run(todoist: Todoist, commands: list[dict[str, Any]]) -> dict[str, Any]:
    token = (await todoist.sync()).json()["sync_token"]
    return (await todoist.sync(token, commands=json.dumps(commands))).json()
