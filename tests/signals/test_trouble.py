"""Reading a source while something is wrong with it, or with what it says: nothing is lost, nobody else suffers."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from oo_app import signals
from oo_app.connections import held
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.conftest import Faults
from tests.outside import behind_gate, sent, turn
from tests.signals.elsewhere import (
    Fault,
    Trouble,
    answering,
    change,
    connection,
    content,
    full,
    open_names,
    opened,
    read,
    stored,
)

pytestmark = pytest.mark.long


async def next_read_in(rt: Runtime) -> float:
    return ((await connection(rt)).next_read_at - rt.clock.now()).total_seconds()


def unreachable() -> httpx.Response:
    msg = "nobody there"
    raise httpx.ReadTimeout(msg)


TROUBLE = pytest.mark.parametrize(
    "trouble",
    [
        unreachable,
        lambda: httpx.Response(503),
        lambda: httpx.Response(429),
        lambda: httpx.Response(200, text='{"sync_to'),
    ],
    ids=["time-out", "503", "429", "torn"],
)


@TROUBLE
async def test_trouble_loses_nothing_and_is_tried_again_later(ada: Browser, faults: Faults, trouble: Trouble):
    there = await opened(ada)
    before = await open_names(ada.rt)
    task_id = await there.add("Added while in trouble")
    faults.fault = lambda request: trouble() if request.url.path.endswith("/sync") else None

    failed = await read(ada.rt)
    meanwhile, pause = await open_names(ada.rt), await next_read_in(ada.rt)
    faults.fault = None
    healed = await read(ada.rt)

    assert (failed, healed) == (False, True)
    assert meanwhile == before
    assert 30 <= pause < 33
    assert await open_names(ada.rt) == before | {task_id}


@TROUBLE
async def test_trouble_at_the_second_half_of_a_full_reading_loses_nothing(
    ada: Browser, faults: Faults, trouble: Trouble
):
    before = await open_names(ada.rt)
    faults.fault = answering_full_then(trouble)

    assert not await read(ada.rt)
    faults.fault = None
    assert await read(ada.rt)

    assert await open_names(ada.rt) == before


def answering_full_then(trouble: Trouble) -> Fault:
    """Send everything again, which is little, and be in trouble afterwards."""
    waiting = [full(items=[{"id": "t1", "content": "x"}])]

    def fault(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/sync"):
            return None
        return waiting.pop() if waiting else trouble()

    return fault


async def test_a_limit_is_respected_as_long_as_the_source_asks(ada: Browser, clock: FakeClock, faults: Faults):
    asked = len(sent(ada.rt, "/sync"))
    faults.fault = lambda _: httpx.Response(429, headers={"Retry-After": "300"})

    await read(ada.rt)
    pause = await next_read_in(ada.rt)
    clock.advance(timedelta(seconds=299))
    await signals.sync_due(ada.rt)
    await ada.rt.jobs.settle()

    assert pause == 300
    assert len(sent(ada.rt, "/sync")) == asked + 1, "asking again at once would make it worse"


async def test_a_limit_told_only_in_the_body_is_respected_too(ada: Browser, faults: Faults):
    body = {"error_tag": "LIMITS_REACHED", "error_extra": {"retry_after": 120}}
    faults.fault = lambda _: httpx.Response(429, json=body)

    await read(ada.rt)

    assert await next_read_in(ada.rt) == 120


async def test_the_sandboxs_own_limit_ends_and_reading_goes_on(ada: Browser, clock: FakeClock):
    await turn(ada, "fault", status=429, path="/sync")
    await read(ada.rt)
    pause = await next_read_in(ada.rt)

    clock.advance(timedelta(seconds=pause))
    await signals.sync_due(ada.rt)
    await ada.rt.jobs.settle()

    assert (await connection(ada.rt)).last_read_at == clock.now()


STRANGE: list[dict[str, Any]] = [
    {"id": "ok", "content": "Fine"},
    {"id": 5},
    {"content": "no id"},
    {"id": ""},
    {"id": "half", "content": "\ud83d cut", "description": "\udc00"},
    {"id": "\udfff", "content": "half a name"},
    {"id": "null", "content": None, "due": None, "deadline": None, "duration": None, "priority": None},
    {"id": "text", "due": "tomorrow", "deadline": "soon", "duration": 5, "priority": "high", "labels": "a"},
    {"id": "dates", "due": {"date": "someday"}, "deadline": {"date": "2026-13-45"}, "added_at": "long ago"},
    {"id": "early", "due": {"date": "0001-01-01T00:00:00+14:00"}, "added_at": "0001-01-01T00:00:00+14:00"},
    {"id": "late", "due": {"date": "9999-12-31T23:59:59-12:00"}, "completed_at": "9999-12-31T23:59:59-12:00"},
    {"id": "huge", "duration": {"amount": 10**30, "unit": "minute"}, "priority": 10**30},
    {"id": "minus", "duration": {"amount": -5, "unit": "minute"}, "priority": -1},
    {"id": "nul", "content": "a\x00b"},
    {"id": "x" * 1000, "content": "y" * 20_000, "description": "z" * 20_000},
]


async def test_strange_tasks_spoil_nobody_elses_reading(ada: Browser, faults: Faults):
    answer = '{"sync_token":"x","full_sync":true,"projects":[null,5,{"id":null}],"user":"who?","items":%s}'
    body = answer % json.dumps([None, 5, "task", [], *STRANGE])
    faults.fault = answering(httpx.Response(200, text=body), change(projects=5, user=[]))

    assert await read(ada.rt)

    names = await open_names(ada.rt)
    assert {"ok", "half", "null", "text", "dates", "early", "late", "huge", "minus", "nul"} <= names
    assert "5" not in names
    huge, minus = await stored(ada.rt, "huge"), await stored(ada.rt, "minus")
    assert (huge.minutes, huge.priority, minus.minutes, minus.priority) == (1440, 4, None, 1)
    assert await content(ada.rt, await stored(ada.rt, "half")) == "? cut"


async def test_a_slow_source_delays_nobody_else(ada: Browser, rt: Runtime, app: httpx.ASGITransport, clock: FakeClock):
    async with Browser(rt, app) as ben:
        await ben.sign_in("ben@sandbox.test")
        await ben.open("/connect/todoist/start")
        await ben.press("Agree", account="ben")
        await rt.jobs.settle()
        bens = await connection(rt, (await ben.get("/api/v1/me")).json()["id"])
    adas = await connection(rt, (await ada.get("/api/v1/me")).json()["id"])
    token = (await held(rt, adas.id)).access_token
    gated, gate = behind_gate(rt, lambda request: token in request.headers["authorization"])
    clock.advance(timedelta(minutes=10))

    await signals.sync_due(gated)
    await gate.reached.wait()
    await gated.jobs.wait([f"sync:{bens.id}"], timeout_s=5)

    assert (await connection(gated, bens.user_id)).last_read_at == clock.now()
    assert (await connection(gated, adas.user_id)).last_read_at == adas.last_read_at
    gate.opened.set()
    await gated.jobs.settle()
    await gated.http.stop()


async def test_ten_thousand_items_are_read_without_holding_others_up(ada: Browser, faults: Faults, clock: FakeClock):
    rows = [{"id": f"t{number}", "content": f"Task {number}", "project_id": "p"} for number in range(10_000)]
    faults.fault = answering(full(items=rows, projects=[{"id": "p", "name": "P"}]), change())
    waits: list[float] = []
    loop = asyncio.get_running_loop()

    async def watch() -> None:
        while True:
            before = loop.time()
            await asyncio.sleep(0.01)
            waits.append(loop.time() - before)

    watching = asyncio.create_task(watch())
    before = loop.time()
    assert await read(ada.rt)
    took = loop.time() - before
    watching.cancel()

    assert len(await open_names(ada.rt)) == 10_000
    assert took < 10, "about one second"
    assert max(waits) < 2, "about a quarter of a second"
