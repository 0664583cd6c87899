"""How fresh a decision's features were: said with the tip, counted, noted by the hour; missing is not late."""

import json
from datetime import timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import insert, update
from sqlmodel import col

from oo_app import connections, features, ops, tips
from oo_app.connections.models import Connection
from oo_app.features import Late, Tally
from oo_app.features.models import Freshness
from oo_app.kit.clock import FakeClock
from oo_app.kit.ids import new_id
from oo_app.ops.health import examine
from oo_app.runtime import Runtime
from oo_app.tips.models import Decision
from tests.browser import Browser
from tests.conftest import START, Faults
from tests.metrics import value
from tests.people import Somebody, a_calendar, a_person, a_tip, decision, rows

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OF_CALENDARS = {"free_minutes", "busy_minutes", "meetings_today", "meetings_left_today"}


async def read_at(rt: Runtime, connection_id: str, **values: Any) -> None:
    """Set when a connection was read."""
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Connection).where(col(Connection.id) == connection_id).values(**values))


async def context(rt: Runtime, served: tips.Served) -> dict[str, float]:
    """Return the context a tip was chosen in."""
    numbers = np.frombuffer((await decision(rt, served.tip.impression_id)).context)
    return dict(zip((feature.name for feature in features.CONTEXT_FEATURES), numbers.tolist(), strict=True))


async def answer(rt: Runtime, person: Somebody, served: tips.Served, action: str = "dismiss") -> None:
    await tips.react(rt, person.id, served.tip.impression_id, action)


async def noted(rt: Runtime) -> dict[str, Tally]:
    """Note what has passed; return the last hour by name."""
    await tips.note_freshness(rt)
    tallies = await features.freshness(rt, rt.clock.now() - 2 * HOUR)
    return {tally.name: tally for tally in tallies}


async def test_a_decision_made_while_the_source_is_down_says_so(
    rt: Runtime, clock: FakeClock, ada: Browser, faults: Faults
):
    faults.fault = lambda request: httpx.Response(503) if request.url.path.endswith("/api/v1/sync") else None
    clock.advance(3 * HOUR)

    told = await ada.recommend()

    (kept,) = await rows(rt, Decision)
    assert json.loads(kept.stale) == {"todoist": pytest.approx(3 * 3600, abs=5)}
    served = await a_tip(rt, kept.user_id)
    assert served.tip.impression_id == told["tip"]["impression_id"]
    assert [each.source for each in served.stale] == ["todoist"]
    assert value(rt.metrics, "oo_feature_breaches_total", feature="priority") == 1
    assert value(rt.metrics, "oo_feature_breaches_total", feature="hour_of_day") is None


async def test_a_decision_made_from_what_was_just_read_is_not_late(rt: Runtime, clock: FakeClock, ada: Browser):
    clock.advance(3 * HOUR)  # and then the source answers

    await ada.recommend()

    (kept,) = await rows(rt, Decision)
    assert kept.stale == "{}"


@pytest.mark.parametrize(("age", "is_late"), [(20 * MINUTE, False), (20 * MINUTE + timedelta(seconds=1), True)])
async def test_a_source_is_late_past_twice_its_interval(
    rt: Runtime, clock: FakeClock, age: timedelta, *, is_late: bool
):
    ada = await a_person(rt)
    await read_at(rt, ada.connection_id, last_read_at=clock.now() - age, needs_attention=True)

    served = await a_tip(rt, ada.id)

    assert served.stale == ((Late("todoist", age),) if is_late else ())


async def test_no_calendar_is_missing_and_not_late(rt: Runtime):
    ada = await a_person(rt)

    served = await a_tip(rt, ada.id)

    kept = await decision(rt, served.tip.impression_id)
    assert set(json.loads(kept.missing)) >= OF_CALENDARS
    assert (served.stale, (await context(rt, served))["has_calendar"]) == ((), 0.0)


async def test_an_empty_day_is_known(rt: Runtime):
    ada = await a_person(rt)
    await a_calendar(rt, ada)

    served = await a_tip(rt, ada.id)

    kept = await decision(rt, served.tip.impression_id)
    assert OF_CALENDARS.isdisjoint(json.loads(kept.missing))
    known = await context(rt, served)
    assert (known["has_calendar"], known["free_minutes"], known["meetings_today"]) == (1.0, 480.0, 0.0)


async def test_a_broken_calendar_is_late_and_what_it_told_still_counts(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    now = clock.now()
    await a_calendar(
        rt, ada, (now - HOUR, now + HOUR), last_read_at=now - 5 * HOUR, failures=3, next_read_at=now + HOUR
    )

    served = await a_tip(rt, ada.id)

    kept = await decision(rt, served.tip.impression_id)
    assert served.stale == (Late("ical", 5 * HOUR),)
    assert OF_CALENDARS.isdisjoint(json.loads(kept.missing))
    known = await context(rt, served)
    assert (known["free_minutes"], known["busy_minutes"], known["stalest_source_minutes"]) == (0.0, 60.0, 300.0)


async def test_a_calendar_that_was_never_read_is_missing_and_late(rt: Runtime):
    ada = await a_person(rt)
    await a_calendar(rt, ada, last_read_at=None, needs_attention=True)

    served = await a_tip(rt, ada.id)

    kept = await decision(rt, served.tip.impression_id)
    assert served.stale == (Late("ical", None),)
    assert {"stalest_source_minutes", *OF_CALENDARS} <= set(json.loads(kept.missing))


async def test_the_same_meeting_in_two_calendars_is_one(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    lunch = (clock.now() + HOUR, clock.now() + 2 * HOUR)
    await a_calendar(rt, ada, lunch, lunch)

    assert (await context(rt, await a_tip(rt, ada.id)))["meetings_today"] == 1.0


async def test_the_dose_counts_what_stands(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=9, time_zone="Europe/Berlin")
    for action in ("done", "snooze", "dismiss"):
        await answer(rt, ada, await a_tip(rt, ada.id), action)
        clock.advance(10 * MINUTE)
    undone = await a_tip(rt, ada.id)
    await answer(rt, ada, undone)
    await answer(rt, ada, undone, "undo")
    clock.advance(timedelta(seconds=1))
    await answer(rt, ada, undone, "done")  # otherwise three refusals would stand in a row
    await answer(rt, ada, await a_tip(rt, ada.id), "snooze")
    clock.advance(MINUTE)

    known = await context(rt, await a_tip(rt, ada.id))

    assert (known["tips_today"], known["minutes_since_tip"], known["refusals_in_a_row"]) == (5.0, 1.0, 1.0)


async def test_a_new_day_begins_at_the_persons_midnight(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=9, time_zone="Europe/Berlin")
    clock.advance(13 * HOUR + 50 * MINUTE)  # ten minutes before midnight in Berlin
    await answer(rt, ada, await a_tip(rt, ada.id))
    clock.advance(20 * MINUTE)

    known = await context(rt, await a_tip(rt, ada.id))

    assert (known["tips_today"], known["minutes_since_tip"], known["refusals_in_a_row"]) == (0.0, 20.0, 1.0)


async def test_an_hour_is_noted_once_by_feature_and_source(rt: Runtime, clock: FakeClock):
    ada, ben = await a_person(rt, tasks=3), await a_person(rt, "ben", tasks=2)
    await read_at(rt, ada.connection_id, last_read_at=clock.now() - 2 * HOUR, needs_attention=True)
    await a_tip(rt, ada.id)
    await a_tip(rt, ben.id)

    clock.advance(HOUR)
    hour = await noted(rt)

    assert hour["priority"] == Tally(START, "feature", "priority", 5, 3, 0, 7200.0)
    assert hour["open_items"] == Tally(START, "feature", "open_items", 2, 1, 0, 7200.0)
    assert hour["hour_of_day"] == Tally(START, "feature", "hour_of_day", 2, 0, 0, None)
    assert hour["estimated_minutes"] == Tally(START, "feature", "estimated_minutes", 5, 3, 5, 7200.0)
    assert (hour["free_minutes"].checked, hour["free_minutes"].missing, hour["free_minutes"].breaches) == (2, 2, 0)
    assert (hour["todoist"].checked, hour["todoist"].breaches) == (1, 0)  # Ada's only she can mend
    assert await tips.note_freshness(rt) == 0
    await features.note(rt, START, [], has_slept=False)
    assert {tally.name for tally in await features.freshness(rt, START)} == {"todoist"}


async def test_hours_that_were_slept_through_are_made_up_for(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    await a_tip(rt, ada.id)
    clock.advance(HOUR)
    await noted(rt)
    await answer(rt, ada, await a_tip(rt, ada.id))
    clock.advance(5 * HOUR)

    assert await tips.note_freshness(rt) == 5

    kept = [tally for tally in await features.freshness(rt, START) if tally.kind == "feature"]
    assert {tally.hour for tally in kept} == {START}
    sources = [tally for tally in await features.freshness(rt, START) if tally.kind == "source"]
    assert {tally.hour for tally in sources if tally.checked} == {START}  # while asleep nothing could be read


async def test_sources_are_noted_again_an_hour_after_a_pause(rt: Runtime, clock: FakeClock):
    await a_person(rt)
    await tips.note_freshness(rt)
    clock.advance(5 * HOUR)
    await tips.note_freshness(rt)
    clock.advance(HOUR)

    assert (await noted(rt))["todoist"].checked == 1


async def test_how_fresh_sources_are_leaves_out_what_only_people_mend(rt: Runtime, clock: FakeClock):
    ada, ben, cleo = [await a_person(rt, name) for name in ("ada", "ben", "cleo")]
    await read_at(rt, ada.connection_id, last_read_at=clock.now() - 10 * MINUTE)
    await read_at(rt, ben.connection_id, last_read_at=clock.now() - DAY, needs_attention=True)
    await read_at(rt, cleo.connection_id, last_read_at=None, connected_at=clock.now() - 40 * MINUTE)

    assert await connections.ages(rt) == [connections.SourceAge("todoist", 2, 1, 40 * MINUTE)]


async def test_what_was_noted_goes_after_ninety_days(rt: Runtime, clock: FakeClock):
    row = {"kind": "source", "name": "todoist", "checked": 1, "breaches": 0, "missing": 0}
    async with rt.db.begin() as tx:
        hours = [START - 90 * DAY - HOUR, START - 90 * DAY]
        await tx.session.execute(insert(Freshness), [row | {"id": new_id(hour), "hour": hour} for hour in hours])

    assert (await ops.purge(rt))["freshness"] == 1

    assert [each.hour for each in await rows(rt, Freshness)] == [START - 90 * DAY]


@pytest.mark.parametrize(
    ("ages", "is_ok", "said"),
    [
        ([5, 5, 90], True, "Todoist: 1 of 3 read too late"),
        ([5, 90, 90], False, "Todoist: 2 of 3 read too late"),
        ([], True, "nothing noted lately"),
    ],
)
async def test_the_doctor_tells_when_most_of_a_source_is_late(
    rt: Runtime, clock: FakeClock, ages: list[int], *, is_ok: bool, said: str
):
    for number, age in enumerate(ages):
        person = await a_person(rt, f"p{number}")
        await read_at(rt, person.connection_id, last_read_at=clock.now() - age * MINUTE)
    await tips.note_freshness(rt)

    found = {each.name: each for each in await examine(rt)}["sources"]

    assert (found.is_ok, found.said) == (is_ok, said)
