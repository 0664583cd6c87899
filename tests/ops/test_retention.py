"""What is kept for a time only: dropped when its time is over and not before, in bounded steps, unseen by learning."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlmodel import SQLModel

from oo_app import ops, tips
from oo_app.kit.clock import FakeClock
from oo_app.kit.db import DROPPED_AT_ONCE
from oo_app.kit.ids import new_id
from oo_app.kit.jobs import Run
from oo_app.ops.retention import MOST_A_RUN
from oo_app.runtime import Runtime
from oo_app.signals.models import CalendarEvent, Completion, Delivery
from oo_app.tips.models import Impression, Reaction, Reward
from tests.people import Somebody, a_person, a_tip, rows

LEARNT_FROM = (Impression, Reaction, Reward)


def a_row(rt: Runtime, person: Somebody, table: type[SQLModel], number: int) -> dict[str, Any]:
    """Make a row that is as old as now."""
    now = rt.clock.now()
    whose = {"id": new_id(now), "user_id": person.id, "connection_id": person.connection_id}
    match table.__name__:
        case "Delivery":
            return whose | {"delivery_hash": f"{number}", "body_hash": f"{number}", "body": b"", "received_at": now}
        case "CalendarEvent":
            return whose | {"external_id": f"{number}", "starts_at": now, "ends_at": now, "title": b""}
        case "Completion":
            return whose | {"external_id": f"{number}", "occurrence": "t", "found_by": "reading", "at": now}
        case _:
            fields = {"job": "j", "holder": "h", "outcome": "succeeded", "counts": "{}"}
            return {"id": new_id(now), "started_at": now, "ended_at": now, **fields}


async def fill(rt: Runtime, person: Somebody, table: type[SQLModel], count: int) -> None:
    async with rt.db.begin() as tx:
        await tx.session.execute(insert(table), [a_row(rt, person, table, number) for number in range(count)])


async def count(rt: Runtime, table: type[SQLModel]) -> int:
    async with rt.db.read() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


@pytest.mark.parametrize(
    ("table", "rule", "kept"),
    [
        (Delivery, "deliveries", timedelta(days=7)),
        (CalendarEvent, "past_events", timedelta(days=7)),
        (Completion, "completions", timedelta(days=100)),
        (Run, "runs", timedelta(days=30)),
    ],
)
async def test_a_row_goes_when_its_time_is_over(
    rt: Runtime, clock: FakeClock, table: type[SQLModel], rule: str, kept: timedelta
):
    ada = await a_person(rt)
    await fill(rt, ada, table, 3)

    clock.advance(kept)
    assert (await ops.purge(rt))[rule] == 0
    clock.advance(timedelta(seconds=1))

    assert (await ops.purge(rt))[rule] == 3
    assert await count(rt, table) == 0


async def test_a_run_drops_no_more_than_it_may_and_the_next_goes_on(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    await fill(rt, ada, Completion, MOST_A_RUN + 700)
    clock.advance(timedelta(days=101))

    first = (await ops.purge(rt))["completions"]
    second = (await ops.purge(rt))["completions"]

    assert (first, second) == (MOST_A_RUN, 700)


async def test_whoever_writes_meanwhile_waits_for_a_batch_at_most(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=1)
    await fill(rt, ada, Completion, 20 * DROPPED_AT_ONCE)
    clock.advance(timedelta(days=101))
    overtaken: list[int] = []

    async def write() -> None:
        while (before := await count(rt, Completion)) > 0:
            async with rt.db.begin() as tx:
                query = select(func.count()).select_from(Completion)
                overtaken.append(before - (await tx.session.execute(query)).scalar_one())

    await asyncio.gather(ops.purge(rt), write())

    # One batch is under way when somebody comes to write, and one may begin while they look.
    assert max(overtaken) <= 2 * DROPPED_AT_ONCE
    assert len(overtaken) >= 5


async def test_learning_sees_nothing_of_a_purge(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=6)
    for action in ("done", "snooze", "dismiss", "done"):
        served = await a_tip(rt, ada.id)
        await tips.react(rt, ada.id, served.tip.impression_id, action, dwell_ms=20_000)
        clock.advance(timedelta(hours=2))
    before = [[row.model_dump() for row in await rows(rt, table)] for table in LEARNT_FROM]
    clock.advance(timedelta(days=400))

    dropped = await ops.purge(rt)

    assert dropped["decision_details"] == 4
    assert [[row.model_dump() for row in await rows(rt, table)] for table in LEARNT_FROM] == before
