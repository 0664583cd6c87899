"""Webhooks: proven before anything is parsed, kept before they are answered, worked by the next reading."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, update

from oo_app import signals, wiring
from oo_app.connections.models import Connection
from oo_app.kit.clock import FakeClock
from oo_app.kit.crypto import Place
from oo_app.kit.http import Http
from oo_app.kit.limits import Limits
from oo_app.runtime import Runtime, use
from oo_app.signals.models import Delivery, Item
from tests.browser import Browser
from tests.conftest import Faults, transport
from tests.deliveries import a_delivery, deliver, of_change, signed
from tests.outside import behind_gate, outside, sent, with_settings
from tests.people import rows
from tests.signals.elsewhere import Elsewhere, completions, connection, opened, read, stored, told
from tests.web.api import problem_of


async def readings(rt: Runtime) -> int:
    """Count the readings that left."""
    return len([call for call in sent(rt, "/sync") if b"commands" not in call.content])


async def owner(browser: Browser, there: Elsewhere) -> str:
    """Return Ada's id at Todoist."""
    return str((await there.ask("GET", "/user"))["id"])


async def test_a_change_told_is_read_at_once(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    clock.advance(timedelta(minutes=1))
    task_id = await there.add("Told by a webhook")
    body = of_change("item:added", None, await there.task(task_id), at=clock.now())

    answer = await deliver(ada, body, "d1", signed(body))
    await ada.rt.jobs.settle()

    assert (answer.status_code, answer.content) == (200, b"")
    assert (await stored(ada.rt, task_id)).is_open
    (kept,) = await rows(ada.rt, Delivery)
    assert kept.worked_at == clock.now()


async def test_a_body_is_kept_sealed(ada: Browser):
    there = await opened(ada)
    await a_delivery(ada, user_id=await owner(ada, there), event_data={"content": "Buy a ring"})

    (kept,) = await rows(ada.rt, Delivery)

    assert b"ring" not in kept.body
    vault = await ada.rt.vault.for_user(kept.user_id)
    assert (
        json.loads(vault.open(kept.body, Place("delivery", kept.id, "body")))["event_data"]["content"] == "Buy a ring"
    )


@pytest.mark.parametrize("signature", [None, "", "bad", signed(b"another body"), "é" * 44])
async def test_what_proves_nothing_is_answered_401_and_read_by_nobody(ada: Browser, signature: str | None):
    before = await readings(ada.rt)
    body = b'{"event_name":"item:completed","user_id":"2671355"}'
    headers = {} if signature is None else {b"X-Todoist-Hmac-SHA256": signature.encode("latin-1")}

    answer = await ada.client.post("/webhooks/todoist", content=body, headers=headers)

    problem_of(answer, 401)
    assert await rows(ada.rt, Delivery) == []
    assert await readings(ada.rt) == before


async def test_a_signature_is_checked_before_the_body_is_read(ada: Browser):
    body = b"\xff not json at all \x00"

    assert (await deliver(ada, body, "d1", "bad")).status_code == 401
    assert (await deliver(ada, body, "d1", signed(body))).status_code == 200


async def test_the_signature_of_the_contract_is_taken():
    body = b'{"event_name":"item:completed","user_id":"2671355"}'

    assert signed(body, "test-client-secret") == "6/fEcxpdsW1xTXeYvZixHQXLc4SAptILaFI6coeB3+g="


@pytest.mark.parametrize("source", ["gone", "ical", "..%2f"])
async def test_a_source_without_webhooks_has_no_door(ada: Browser, source: str):
    assert (await ada.client.post(f"/webhooks/{source}", content=b"{}")).status_code == 404


async def test_a_delivery_for_nobody_here_is_taken_and_forgotten(ada: Browser):
    answer = await a_delivery(ada, user_id="somebody else", event_data={"content": "Not ours"})

    assert answer.status_code == 200
    assert await rows(ada.rt, Delivery) == []


@pytest.mark.parametrize(
    ("second_id", "second_body"),
    [("d1", {"again": True}), ("d2", {}), (None, {})],
    ids=["same delivery id", "same body", "same body without an id"],
)
async def test_a_repeated_delivery_changes_nothing(
    ada: Browser, clock: FakeClock, second_id: str | None, second_body: dict[str, Any]
):
    there = await opened(ada)
    who = await owner(ada, there)
    clock.advance(timedelta(minutes=1))
    await a_delivery(ada, delivery_id="d1", user_id=who)
    await ada.rt.jobs.settle()
    before = await readings(ada.rt)
    clock.advance(timedelta(minutes=1))

    body = json.dumps(
        {"event_name": "item:updated", "triggered_at": "2026-11-23T09:00:00Z", "user_id": who, **second_body}
    ).encode()
    answer = await deliver(ada, body, second_id, signed(body))
    await ada.rt.jobs.settle()

    assert answer.status_code == 200
    assert len(await rows(ada.rt, Delivery)) == 1
    assert await readings(ada.rt) == before


async def test_a_delivery_survives_a_crash_before_it_was_worked(ada: Browser, clock: FakeClock, faults: Faults):
    there = await opened(ada)
    clock.advance(timedelta(minutes=1))
    await there.add("Told just before the crash")
    faults.fault = lambda request: httpx.Response(503) if request.url.path.endswith("/sync") else None
    await a_delivery(ada, user_id=await owner(ada, there))
    await ada.rt.jobs.settle()
    faults.fault = None

    assert [kept.worked_at for kept in await rows(ada.rt, Delivery)] == [None]
    clock.advance(timedelta(minutes=1))
    await signals.sync_due(ada.rt)
    await ada.rt.jobs.settle()

    assert [kept.worked_at for kept in await rows(ada.rt, Delivery)] == [clock.now()]


async def test_what_comes_while_a_reading_is_under_way_causes_another(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    who = await owner(ada, there)
    clock.advance(timedelta(minutes=1))
    held, gate = behind_gate(ada.rt, lambda request: request.url.path.endswith("/sync"))
    ada.rt = held
    await a_delivery(ada, delivery_id="first", user_id=who)
    await gate.reached.wait()
    await a_delivery(ada, delivery_id="second", user_id=who, more=1)
    gate.opened.set()
    await held.jobs.settle()

    worked = {kept.worked_at is not None for kept in await rows(held, Delivery)}
    assert worked == {True, False}
    assert (await connection(held)).next_read_at <= clock.now() + timedelta(seconds=2)
    clock.advance(timedelta(seconds=2))
    await signals.sync_due(held)
    await held.jobs.settle()
    assert all(kept.worked_at for kept in await rows(held, Delivery))


async def test_many_deliveries_cause_few_readings(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    who = await owner(ada, there)
    clock.advance(timedelta(minutes=1))
    before = await readings(ada.rt)

    for number in range(20):
        await a_delivery(ada, delivery_id=f"d{number}", user_id=who, number=number)
    await ada.rt.jobs.settle()
    clock.advance(timedelta(seconds=3))
    await signals.sync_due(ada.rt)
    await ada.rt.jobs.settle()

    assert await readings(ada.rt) - before <= 2
    assert all(kept.worked_at for kept in await rows(ada.rt, Delivery))


async def test_a_resting_connection_is_not_hastened(ada: Browser, clock: FakeClock, faults: Faults):
    there = await opened(ada)
    who = await owner(ada, there)
    clock.advance(timedelta(minutes=1))
    faults.fault = lambda request: (
        httpx.Response(429, headers={"Retry-After": "600"}) if request.url.path.endswith("/sync") else None
    )
    assert not await read(ada.rt)
    due = (await connection(ada.rt)).next_read_at

    await a_delivery(ada, user_id=who)
    await ada.rt.jobs.settle()

    assert (await connection(ada.rt)).next_read_at >= due


async def test_a_refused_connection_hears_nothing(ada: Browser):
    there = await opened(ada)
    who = await owner(ada, there)
    async with ada.rt.db.begin() as tx:
        await tx.session.execute(update(Connection).values(needs_attention=True))

    answer = await a_delivery(ada, user_id=who)

    assert answer.status_code == 200
    assert await rows(ada.rt, Delivery) == []


async def test_deliveries_go_after_seven_days(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    who = await owner(ada, there)
    for number in range(3):
        await a_delivery(ada, delivery_id=f"d{number}", user_id=who, number=number)
    clock.advance(timedelta(days=7, seconds=-1))
    assert await signals.purge_deliveries(ada.rt, 100) == 0
    await a_delivery(ada, delivery_id="young", user_id=who, number=9)
    clock.advance(timedelta(seconds=2))

    assert await signals.purge_deliveries(ada.rt, 100) == 3
    assert len(await rows(ada.rt, Delivery)) == 1


async def test_who_proves_nothing_too_often_is_not_read_any_more(ada: Browser):
    rt = with_settings(ada.rt)
    ada.rt = rt = replace(rt, limits=Limits(rt.clock, 1))
    use(rt)
    body = b"{}"

    async with Browser(rt, transport(rt)) as stranger:
        answers = [(await deliver(stranger, body, None, "bad")).status_code for _ in range(601)]

        assert answers == [401] * 600 + [429]
        assert (await deliver(stranger, body, None, signed(body))).status_code == 429


async def test_a_sources_servers_are_not_held_to_an_addresss_limit(ada: Browser):
    there = await opened(ada)
    who = await owner(ada, there)
    rt = replace(ada.rt, limits=Limits(ada.rt.clock, 1))
    use(rt)

    answers = {(await a_delivery(ada, delivery_id="d", user_id=who)).status_code for _ in range(650)}

    assert answers == {200}


class Uncounted(httpx.AsyncBaseTransport):
    """A Todoist that does not tell how often a task was completed, nor perhaps keeps a log of it."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, has_log: bool) -> None:
        self._inner = inner
        self._has_log = has_log

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if request.url.path.endswith("/activities") and not self._has_log:
            return httpx.Response(403)
        if not request.url.path.endswith("/sync"):
            return response
        answer = json.loads(await response.aread())
        for item in answer.get("items", []):
            item.pop("completed_count", None)
        return httpx.Response(response.status_code, json=answer)


async def uncounted(ada: Browser, *, has_log: bool) -> tuple[Elsewhere, str]:
    """Let Ada's Todoist not count, and add a routine there."""
    rt = replace(ada.rt, http=Http(ada.rt.clock, Uncounted(outside(ada.rt), has_log=has_log)))
    use(rt)
    wiring.bind(rt)
    ada.rt = rt
    there = await opened(ada)
    task_id = await there.add("Water the cactus", due_string="every day")
    async with rt.db.begin() as tx:  # what was read while it still counted
        await tx.session.execute(delete(Item))
        await tx.session.execute(update(Connection).values(cursor=None))
    await read(rt)
    return there, task_id


@pytest.mark.parametrize("has_log", [False, True])
async def test_an_occurrence_that_is_not_counted_is_told_by_its_webhook(
    ada: Browser, clock: FakeClock, *, has_log: bool
):
    there, task_id = await uncounted(ada, has_log=has_log)
    before = await there.task(task_id)
    clock.advance(timedelta(hours=1))
    await there.close(task_id)
    done_at = clock.now()
    body = of_change("item:updated", before, await there.task(task_id), at=done_at, intent="item_completed")

    for number in range(3):
        clock.advance(timedelta(minutes=1))
        await deliver(ada, body + b" " * number, f"d{number}", signed(body + b" " * number))
        await ada.rt.jobs.settle()

    assert [each["completed_at"] for each in await told(ada.rt, "signals.task.completed")] == [done_at.isoformat()]


async def test_an_occurrence_that_is_not_counted_is_found_in_the_log_without_a_webhook(ada: Browser, clock: FakeClock):
    there, task_id = await uncounted(ada, has_log=True)
    clock.advance(timedelta(hours=1))
    await there.close(task_id)
    done_at = clock.now()

    for _ in range(3):
        clock.advance(timedelta(minutes=1))
        await read(ada.rt)

    assert [each["completed_at"] for each in await told(ada.rt, "signals.task.completed")] == [done_at.isoformat()]


async def test_an_occurrence_put_off_is_not_completed_however_it_is_told(ada: Browser, clock: FakeClock):
    there, task_id = await uncounted(ada, has_log=True)
    before = await there.task(task_id)
    clock.advance(timedelta(hours=1))
    await there.change(task_id, due_string="every monday")
    body = of_change("item:updated", before, await there.task(task_id), at=clock.now(), intent="item_updated")

    await deliver(ada, body, "d1", signed(body))
    await ada.rt.jobs.settle()

    assert await completions(ada.rt) == []


async def test_an_occurrence_that_was_not_left_is_not_believed(ada: Browser, clock: FakeClock):
    there, task_id = await uncounted(ada, has_log=False)
    task = await there.task(task_id)
    clock.advance(timedelta(minutes=1))
    body = of_change("item:updated", task, task, at=clock.now(), intent="item_completed")

    await deliver(ada, body, "d1", signed(body))
    await ada.rt.jobs.settle()

    assert await completions(ada.rt) == []


async def test_a_delivery_older_than_a_day_only_has_the_source_read(ada: Browser, clock: FakeClock):
    there, task_id = await uncounted(ada, has_log=False)
    before = await there.task(task_id)
    await there.close(task_id)
    body = of_change("item:updated", before, await there.task(task_id), at=clock.now(), intent="item_completed")
    clock.advance(timedelta(hours=24, seconds=1))

    await deliver(ada, body, "late", signed(body))
    await ada.rt.jobs.settle()

    assert await completions(ada.rt) == []
    assert (await connection(ada.rt)).last_read_at == clock.now()
