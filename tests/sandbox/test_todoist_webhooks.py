import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from oo_app.kit.clock import FakeClock
from oo_app.sandbox.todoist_webhooks import sign
from tests.sandbox.conftest import APP, Inbox
from tests.sandbox.flows import TODOIST, Todoist, connect

SECRET = "oo-sandbox-todoist-secret"


@pytest.fixture
async def todoist(http: httpx.AsyncClient) -> Todoist:
    return await connect(http)


def test_the_signature_is_the_documented_one():
    body = b'{"event_name":"item:completed","user_id":"2671355"}'

    assert sign(body, "test-client-secret") == "6/fEcxpdsW1xTXeYvZixHQXLc4SAptILaFI6coeB3+g="


async def test_nothing_is_sent_until_it_is_turned_on(todoist: Todoist, inbox: Inbox):
    await close(todoist, "Descale the kettle")

    assert inbox.requests == []


async def test_a_completion_is_told_with_a_signature_over_the_raw_body(todoist: Todoist, inbox: Inbox):
    await turn(todoist.http, enabled=True)
    task_id = await close(todoist, "Descale the kettle")
    request, body = inbox.requests[0], json.loads(inbox.requests[0].content)

    assert str(request.url) == f"{APP}/webhooks/todoist"
    assert request.headers["X-Todoist-Hmac-SHA256"] == sign(request.content, SECRET)
    assert len(request.headers["X-Todoist-Delivery-ID"]) == 32
    assert body["event_name"] == "item:completed"
    assert body["event_data"]["id"] == task_id
    assert body["user_id"] == (await todoist.get("/user")).json()["id"]


async def test_a_recurring_completion_is_told_as_an_update_with_its_intent(todoist: Todoist, inbox: Inbox):
    await turn(todoist.http, enabled=True)
    await close(todoist, "Take the vitamin D")
    body = json.loads(inbox.requests[0].content)

    assert body["event_name"] == "item:updated"
    assert body["event_data_extra"]["update_intent"] == "item_completed"
    assert body["event_data_extra"]["old_item"]["due"]["date"] == "2026-11-23T08:00:00"
    assert body["event_data"]["due"]["date"] == "2026-11-24T08:00:00"


async def test_what_is_done_on_the_page_is_told_too(todoist: Todoist, inbox: Inbox):
    await turn(todoist.http, enabled=True)
    await todoist.http.post(f"{TODOIST}/", data={"content": "Mend the fence"})

    assert json.loads(inbox.requests[0].content)["event_name"] == "item:added"


async def test_the_author_and_people_who_never_connected_stay_silent(http: httpx.AsyncClient, inbox: Inbox):
    author = await connect(http, "author")
    await turn(http, enabled=True)
    await close(author, "Descale the kettle")
    await http.post(f"{TODOIST}/?account=ben", data={"content": "Mend the fence"})

    assert inbox.requests == []


async def test_a_failed_delivery_is_repeated_three_times_with_the_same_id(
    todoist: Todoist, inbox: Inbox, clock: FakeClock
):
    inbox.status = 500
    await turn(todoist.http, enabled=True)
    await close(todoist, "Descale the kettle")
    for _ in range(6):
        clock.advance(timedelta(minutes=15))
        await todoist.http.post(f"{TODOIST}/control/expire")
        await todoist.http.post(f"{TODOIST}/?account=ben", data={"content": "An occasion"})

    assert len(inbox.requests) == 4
    assert len({request.headers["X-Todoist-Delivery-ID"] for request in inbox.requests}) == 1


@pytest.mark.parametrize(("mode", "signatures"), [("bad_signature", 1), ("no_signature", 0)])
async def test_signatures_can_be_wrong_or_missing(todoist: Todoist, inbox: Inbox, mode: str, signatures: int):
    await turn(todoist.http, enabled=True, mode=mode)
    await close(todoist, "Descale the kettle")
    given = inbox.requests[0].headers.get_list("X-Todoist-Hmac-SHA256")

    assert len(given) == signatures
    assert sign(inbox.requests[0].content, SECRET) not in given


async def test_deliveries_can_be_doubled(todoist: Todoist, inbox: Inbox):
    await turn(todoist.http, enabled=True, mode="duplicate")
    await close(todoist, "Descale the kettle")
    ids = [request.headers["X-Todoist-Delivery-ID"] for request in inbox.requests]

    assert len(ids) == 2
    assert len(set(ids)) == 1


async def test_deliveries_can_be_held_back_and_come_in_reverse(todoist: Todoist, inbox: Inbox):
    await turn(todoist.http, enabled=True, mode="late")
    first, second = await close(todoist, "Descale the kettle"), await close(todoist, "Dentist")
    held = list(inbox.requests)
    await todoist.http.post(f"{TODOIST}/control/webhooks/flush", json={"order": "reversed"})

    assert held == []
    assert [json.loads(request.content)["event_data"]["id"] for request in inbox.requests] == [second, first]


async def test_an_unknown_mode_is_refused(http: httpx.AsyncClient):
    assert (await http.post(f"{TODOIST}/control/webhooks", json={"mode": "loud"})).status_code == 400


async def close(todoist: Todoist, content: str) -> str:
    task = await todoist.task(content)
    await todoist.post(f"/tasks/{task['id']}/close")
    return task["id"]


async def turn(http: httpx.AsyncClient, **settings: Any) -> None:
    await http.post(f"{TODOIST}/control/webhooks", json=settings)
