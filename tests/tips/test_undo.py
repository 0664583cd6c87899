"""Taking a reaction back: for six seconds, with everything it caused."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlmodel import col

from oo_app import tips
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import Conflict
from oo_app.runtime import Runtime
from oo_app.signals.models import Closing
from oo_app.tips.models import Hold, Impression, Reaction
from tests.people import a_person, a_tip, impression, reward, rows

UNDONE = tips.Outcome(reward=None)
every_reaction = pytest.mark.parametrize("action", ["done", "snooze", "dismiss"])


async def open_impressions(rt: Runtime) -> list[str]:
    return [row.id for row in await rows(rt, Impression) if row.closed_at is None]


@every_reaction
async def test_undo_cancels_everything_the_reaction_caused(rt: Runtime, action: str):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, action, dwell_ms=5_000)

    assert await tips.react(rt, ada.id, first.tip.impression_id, "undo") == UNDONE

    assert await rows(rt, Closing) == []
    assert await rows(rt, Hold) == []
    assert await reward(rt, first.tip.impression_id) is None
    assert await a_tip(rt, ada.id) == first


@every_reaction
async def test_undo_withdraws_the_tip_opened_since(rt: Runtime, action: str):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, action, dwell_ms=5_000)
    since = await a_tip(rt, ada.id)

    await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    assert await open_impressions(rt) == [first.tip.impression_id]
    assert (await impression(rt, since.tip.impression_id)).outcome == "withdrawn"
    assert await reward(rt, since.tip.impression_id) is None


async def test_undo_out_of_order_leaves_the_tip_that_was_opened_before(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    clock.advance(timedelta(seconds=1))
    await tips.react(rt, ada.id, first.tip.impression_id, "dismiss")
    second = await a_tip(rt, ada.id)
    clock.advance(timedelta(seconds=1))
    await tips.react(rt, ada.id, second.tip.impression_id, "done")
    await a_tip(rt, ada.id)

    await tips.react(rt, ada.id, first.tip.impression_id, "undo")
    await tips.react(rt, ada.id, second.tip.impression_id, "undo")

    assert await open_impressions(rt) == [first.tip.impression_id]
    assert (await impression(rt, second.tip.impression_id)).outcome == "withdrawn"
    assert await rows(rt, Closing) == []


async def test_a_withdrawn_tip_is_never_rewarded(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, "done")
    since = await a_tip(rt, ada.id)
    await tips.mark_seen(rt, ada.id, since.tip.impression_id)
    await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    with pytest.raises(Conflict):
        await tips.react(rt, ada.id, since.tip.impression_id, "done", reacted_at=clock.now())
    await tips.credit(rt, ada.id, since.tip.id, clock.now())
    clock.advance(timedelta(days=2))
    await tips.settle(rt)

    assert await reward(rt, since.tip.impression_id) is None


async def test_what_was_answered_in_between_stays_answered(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, "done")
    second = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, second.tip.impression_id, "dismiss", dwell_ms=5_000)
    third = await a_tip(rt, ada.id)

    await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    assert await reward(rt, second.tip.impression_id) == ("reaction", -0.6)
    assert (await impression(rt, third.tip.impression_id)).outcome == "withdrawn"
    assert await open_impressions(rt) == [first.tip.impression_id]


@every_reaction
async def test_undo_works_until_just_before_six_seconds(rt: Runtime, clock: FakeClock, action: str):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, action)

    clock.advance(timedelta(milliseconds=5_999))

    assert await tips.react(rt, ada.id, first.tip.impression_id, "undo") == UNDONE


@every_reaction
async def test_undo_is_refused_at_six_seconds(rt: Runtime, clock: FakeClock, action: str):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    outcome = await tips.react(rt, ada.id, first.tip.impression_id, action, dwell_ms=5_000)

    clock.advance(timedelta(seconds=6))
    with pytest.raises(Conflict):
        await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    assert await reward(rt, first.tip.impression_id) == ("reaction", outcome.reward)
    assert (await impression(rt, first.tip.impression_id)).outcome == "reacted"


async def test_undo_is_refused_once_the_completion_has_left(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, "done")
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Closing).where(col(Closing.item_id) == first.tip.id).values(is_claimed=True))

    with pytest.raises(Conflict):
        await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    assert len(await rows(rt, Closing)) == 1
    assert (await reward(rt, first.tip.impression_id)) is not None


@every_reaction
async def test_undo_twice_answers_the_same(rt: Runtime, clock: FakeClock, action: str):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, action)
    await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    clock.advance(timedelta(seconds=30))

    assert await tips.react(rt, ada.id, first.tip.impression_id, "undo") == UNDONE
    assert await open_impressions(rt) == [first.tip.impression_id]


async def test_undo_from_two_tabs_at_once_undoes_once(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, "done")

    answers = await asyncio.gather(*(tips.react(rt, ada.id, first.tip.impression_id, "undo") for _ in range(4)))

    assert answers == [UNDONE] * 4
    assert await open_impressions(rt) == [first.tip.impression_id]


async def test_without_a_reaction_there_is_nothing_to_undo(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)

    with pytest.raises(Conflict):
        await tips.react(rt, ada.id, first.tip.impression_id, "undo")


async def test_a_tip_can_be_answered_anew_after_an_undo(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, "dismiss", dwell_ms=500)
    await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    outcome = await tips.react(rt, ada.id, first.tip.impression_id, "done", dwell_ms=20_000)

    assert outcome == tips.Outcome(reward=1.0)
    assert await reward(rt, first.tip.impression_id) == ("reaction", 1.0)


async def test_a_late_duplicate_of_an_undone_reaction_is_ignored(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    reaction_id = str(uuid4())
    said = await tips.react(rt, ada.id, first.tip.impression_id, "done", dwell_ms=5_000, reaction_id=reaction_id)
    await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    again = await tips.react(
        rt, ada.id, first.tip.impression_id, "done", dwell_ms=5_000, reaction_id=reaction_id.upper()
    )

    assert again == said
    assert await open_impressions(rt) == [first.tip.impression_id]
    assert await rows(rt, Closing) == []
    assert await reward(rt, first.tip.impression_id) is None


async def test_a_late_duplicate_of_an_undo_does_not_undo_the_next_reaction(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    undone, kept = str(uuid4()), str(uuid4())
    await tips.react(rt, ada.id, first.tip.impression_id, "dismiss", reaction_id=undone)
    await tips.react(rt, ada.id, first.tip.impression_id, "undo", reaction_id=undone)
    await tips.react(rt, ada.id, first.tip.impression_id, "done", dwell_ms=5_000, reaction_id=kept)

    assert await tips.react(rt, ada.id, first.tip.impression_id, "undo", reaction_id=undone) == UNDONE

    assert await reward(rt, first.tip.impression_id) == ("reaction", 0.8)


async def test_a_reopened_tip_ends_at_its_own_24_hours(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    clock.advance(timedelta(hours=23, minutes=59, seconds=58))
    await tips.react(rt, ada.id, first.tip.impression_id, "snooze")
    await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    clock.advance(timedelta(seconds=2))

    assert (await a_tip(rt, ada.id)).tip.impression_id != first.tip.impression_id
    assert await reward(rt, first.tip.impression_id) == ("silence", -0.05)


async def test_undo_after_the_24_hours_leaves_silence_and_the_tip_opened_since(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    clock.advance(timedelta(hours=23, minutes=59, seconds=58))
    await tips.react(rt, ada.id, first.tip.impression_id, "snooze", dwell_ms=5_000)
    since = await a_tip(rt, ada.id)

    clock.advance(timedelta(seconds=3))
    await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    assert await open_impressions(rt) == [since.tip.impression_id]
    assert await reward(rt, first.tip.impression_id) == ("silence", -0.05)
    assert await rows(rt, Hold) == []


async def test_a_completion_elsewhere_before_the_undo_stands(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, "snooze")
    await tips.credit(rt, ada.id, first.tip.id, clock.now())

    await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    assert await reward(rt, first.tip.impression_id) == ("completed", 0.7)
    assert (await impression(rt, first.tip.impression_id)).outcome == "completed"


async def test_what_was_undone_is_kept_as_undone(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, "done")
    clock.advance(timedelta(seconds=2))

    await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    (kept,) = await rows(rt, Reaction)
    assert kept.undone_at == clock.now()
