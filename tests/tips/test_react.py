"""What a person says about a tip, each counted once."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update
from sqlmodel import col

from oo_app import tips
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import Conflict, Invalid, NotFound
from oo_app.runtime import Runtime
from oo_app.signals.models import Closing, Item
from oo_app.tips.models import Reaction
from tests.people import a_person, a_tip, impression, reward, rows

BERLIN = ZoneInfo("Europe/Berlin")
WAKES = [
    ("later_today", datetime(2026, 11, 23, 13, 0, tzinfo=UTC)),
    (None, datetime(2026, 11, 23, 13, 0, tzinfo=UTC)),
    ("tomorrow", datetime(2026, 11, 24, 9, 0, tzinfo=BERLIN)),
    ("not_this_week", datetime(2026, 11, 30, 9, 0, tzinfo=BERLIN)),
    ("too_big", datetime(2026, 11, 24, 9, 0, tzinfo=UTC)),
]


async def only_item_wakes_at(rt: Runtime, clock: FakeClock, user_id: str, at: datetime) -> bool:
    """Whether nothing is suitable until then, and something is from then on."""
    clock.advance(at - clock.now() - timedelta(seconds=1))
    asleep = await tips.recommend(rt, user_id, "web")
    clock.advance(timedelta(seconds=1))
    awake = await tips.recommend(rt, user_id, "web")
    return asleep == tips.Nothing("nothing_suitable") and isinstance(awake, tips.Served)


@pytest.mark.parametrize(("snooze", "wakes"), WAKES)
async def test_a_snoozed_item_comes_back_when_the_table_says(
    rt: Runtime, clock: FakeClock, snooze: str | None, wakes: datetime
):
    ada = await a_person(rt, tasks=1, time_zone="Europe/Berlin")
    served = await a_tip(rt, ada.id)

    await tips.react(rt, ada.id, served.tip.impression_id, "snooze", snooze=snooze)

    assert await only_item_wakes_at(rt, clock, ada.id, wakes)


async def test_an_evening_snooze_comes_back_in_the_morning_of_the_persons_zone(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=1, time_zone="America/New_York")
    clock.advance(timedelta(hours=14, minutes=30))  # 18:30 in New York
    served = await a_tip(rt, ada.id)

    await tips.react(rt, ada.id, served.tip.impression_id, "snooze", snooze="later_today")

    morning = datetime(2026, 11, 24, 9, 0, tzinfo=ZoneInfo("America/New_York"))
    assert await only_item_wakes_at(rt, clock, ada.id, morning)


async def test_not_for_me_does_not_come_back(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=1)
    served = await a_tip(rt, ada.id)

    await tips.react(rt, ada.id, served.tip.impression_id, "snooze", snooze="not_for_me")
    clock.advance(timedelta(days=365))

    assert await tips.recommend(rt, ada.id, "web") == tips.Nothing("nothing_suitable")


async def test_a_dismissed_item_comes_back_after_seven_days(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=1)
    served = await a_tip(rt, ada.id)

    await tips.react(rt, ada.id, served.tip.impression_id, "dismiss")

    assert await only_item_wakes_at(rt, clock, ada.id, clock.now() + timedelta(days=7))


async def test_done_plans_the_completion_for_six_seconds_later(rt: Runtime):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)

    await tips.react(rt, ada.id, served.tip.impression_id, "done")

    (closing,) = await rows(rt, Closing)
    assert (closing.item_id, closing.next_at) == (served.tip.id, rt.clock.now() + timedelta(seconds=6))


@pytest.mark.parametrize("action", ["snooze", "dismiss"])
async def test_only_done_completes_anything(rt: Runtime, action: str):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)

    await tips.react(rt, ada.id, served.tip.impression_id, action)

    assert await rows(rt, Closing) == []


@pytest.mark.parametrize(
    ("action", "dwell_ms", "value"),
    [("done", 1_999, 0.6), ("done", 120_000, 1.0), ("snooze", None, 0.0), ("dismiss", 0, -1.0)],
)
async def test_a_reaction_is_rewarded_at_once(rt: Runtime, action: str, dwell_ms: int | None, value: float):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)

    outcome = await tips.react(rt, ada.id, served.tip.impression_id, action, dwell_ms=dwell_ms)

    assert outcome == tips.Outcome(reward=value)
    assert await reward(rt, served.tip.impression_id) == ("reaction", value)


@pytest.mark.parametrize("reaction_id", [None, "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
@pytest.mark.parametrize("action", ["done", "snooze", "dismiss"])
async def test_react_twice_answers_the_same_and_the_first_dwell_wins(rt: Runtime, action: str, reaction_id: str | None):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    first = await tips.react(rt, ada.id, served.tip.impression_id, action, dwell_ms=20_000, reaction_id=reaction_id)

    second = await tips.react(rt, ada.id, served.tip.impression_id, action, dwell_ms=500, reaction_id=reaction_id)

    assert second == first
    (kept,) = await rows(rt, Reaction)
    assert kept.dwell_ms == 20_000
    assert await reward(rt, served.tip.impression_id) == ("reaction", first.reward)


async def test_the_same_reaction_from_many_tabs_at_once_counts_once(rt: Runtime):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)

    answers = await asyncio.gather(
        *(tips.react(rt, ada.id, served.tip.impression_id, "done", dwell_ms=5_000) for _ in range(6))
    )

    assert answers == [tips.Outcome(reward=0.8)] * 6
    assert len(await rows(rt, Reaction)) == len(await rows(rt, Closing)) == 1


async def test_different_reactions_at_once_let_one_win(rt: Runtime):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)

    answers = await asyncio.gather(
        *(tips.react(rt, ada.id, served.tip.impression_id, action) for action in ("done", "snooze", "dismiss")),
        return_exceptions=True,
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Conflict", "Outcome"]
    assert len(await rows(rt, Reaction)) == 1


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ({"action": "done"}, {"action": "snooze"}),
        ({"action": "done"}, {"action": "dismiss"}),
        ({"action": "snooze"}, {"action": "done"}),
        ({"action": "snooze"}, {"action": "snooze", "snooze": "tomorrow"}),
        ({"action": "snooze", "snooze": "too_big"}, {"action": "snooze"}),
        ({"action": "dismiss"}, {"action": "snooze"}),
    ],
)
async def test_another_answer_is_a_conflict(rt: Runtime, first: dict[str, Any], other: dict[str, Any]):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, served.tip.impression_id, **first)

    with pytest.raises(Conflict):
        await tips.react(rt, ada.id, served.tip.impression_id, **other)

    assert len(await rows(rt, Reaction)) == 1


async def test_plain_snooze_and_later_today_are_the_same_answer(rt: Runtime):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    first = await tips.react(rt, ada.id, served.tip.impression_id, "snooze")

    assert await tips.react(rt, ada.id, served.tip.impression_id, "snooze", snooze="later_today") == first


async def test_a_reaction_id_belongs_to_one_tip(rt: Runtime):
    ada = await a_person(rt)
    reaction_id = str(uuid4())
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, "dismiss", reaction_id=reaction_id)
    second = await a_tip(rt, ada.id)

    with pytest.raises(Conflict):
        await tips.react(rt, ada.id, second.tip.impression_id, "dismiss", reaction_id=reaction_id)


async def test_two_people_may_use_the_same_reaction_id(rt: Runtime):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    reaction_id = str(uuid4())

    for person in (ada, ben):
        served = await a_tip(rt, person.id)
        await tips.react(rt, person.id, served.tip.impression_id, "done", reaction_id=reaction_id)

    assert len(await rows(rt, Reaction)) == 2


@pytest.mark.parametrize("action", ["done", "snooze", "dismiss", "undo"])
async def test_another_persons_tip_is_unknown(rt: Runtime, action: str):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    served = await a_tip(rt, ada.id)

    with pytest.raises(NotFound):
        await tips.react(rt, ben.id, served.tip.impression_id, action)

    assert (await impression(rt, served.tip.impression_id)).closed_at is None


@pytest.mark.parametrize(
    "impression_id", ["", "nothing", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "\ud800", "\x00", "'; drop"]
)
async def test_a_tip_that_never_was_is_unknown(rt: Runtime, impression_id: str):
    ada = await a_person(rt)

    with pytest.raises(NotFound):
        await tips.react(rt, ada.id, impression_id, "done")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"action": "like"}, "action"),
        ({"action": ""}, "action"),
        ({"dwell_ms": -1}, "dwell_ms"),
        ({"dwell_ms": 86_400_001}, "dwell_ms"),
        ({"dwell_ms": 1.5}, "dwell_ms"),
        ({"dwell_ms": True}, "dwell_ms"),
        ({"dwell_ms": "5000"}, "dwell_ms"),
        ({"action": "snooze", "snooze": "next_year"}, "snooze"),
        ({"action": "done", "snooze": "tomorrow"}, "snooze"),
        ({"action": "undo", "snooze": "tomorrow"}, "snooze"),
        ({"reaction_id": "not-a-uuid"}, "reaction_id"),
        ({"reacted_at": datetime(2026, 11, 23, 9, 0)}, "reacted_at"),  # noqa: DTZ001 -- without an offset on purpose
        ({"reacted_at": datetime(2026, 11, 23, 9, 6, tzinfo=UTC)}, "reacted_at"),
    ],
)
async def test_what_does_not_fit_is_named(rt: Runtime, fields: dict[str, Any], named: str):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)

    said: dict[str, Any] = {"action": "done"} | fields
    with pytest.raises(Invalid, match=f"^{named} "):
        await tips.react(rt, ada.id, served.tip.impression_id, **said)

    assert (await impression(rt, served.tip.impression_id)).closed_at is None


async def test_a_clock_that_runs_ahead_a_little_is_forgiven(rt: Runtime):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    ahead = rt.clock.now().astimezone(timezone(timedelta(hours=5, minutes=30))) + timedelta(minutes=4)

    await tips.react(rt, ada.id, served.tip.impression_id, "done", reacted_at=ahead)

    (kept,) = await rows(rt, Reaction)
    assert kept.reacted_at == rt.clock.now()


async def test_a_dwell_longer_than_the_tip_was_up_is_kept_as_told(rt: Runtime):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)

    outcome = await tips.react(rt, ada.id, served.tip.impression_id, "done", dwell_ms=86_400_000)

    assert outcome.reward == 0.7


async def test_an_item_that_is_gone_meanwhile_is_not_completed_again(rt: Runtime):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Item).where(col(Item.id) == served.tip.id).values(is_open=False))

    await tips.react(rt, ada.id, served.tip.impression_id, "done")

    assert await rows(rt, Closing) == []
