"""Silence after 24 hours, and reactions made in time but delivered later."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from oo_app import tips
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import Conflict
from oo_app.runtime import Runtime
from oo_app.signals.models import Closing, Item
from oo_app.tips.models import Hold, Impression
from tests.people import a_person, a_tip, impression, reward, rows

DAY = timedelta(hours=24)


async def another_tip(rt: Runtime, user_id: str, *, than: tips.Served) -> tips.Served:
    """Ask for the tip, which is of another item."""
    this = update(Item).where(col(Item.id) == than.tip.id)
    async with rt.db.begin() as tx:
        await tx.session.execute(this.values(is_completable=False))
    served = await a_tip(rt, user_id)
    async with rt.db.begin() as tx:
        await tx.session.execute(this.values(is_completable=True))
    return served


async def test_silence_on_a_page_that_was_seen_costs_a_little(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    await tips.mark_seen(rt, ada.id, served.tip.impression_id)

    clock.advance(DAY)
    await tips.settle(rt)

    assert await reward(rt, served.tip.impression_id) == ("silence", -0.05)


async def test_a_tip_nobody_saw_is_void(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)

    clock.advance(DAY)
    await tips.settle(rt)

    assert await reward(rt, served.tip.impression_id) is None
    assert (await impression(rt, served.tip.impression_id)).outcome == "expired"


async def test_nothing_is_silent_before_24_hours(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    await tips.mark_seen(rt, ada.id, served.tip.impression_id)

    clock.advance(DAY - timedelta(microseconds=1))
    await tips.settle(rt)

    assert (await impression(rt, served.tip.impression_id)).closed_at is None


async def test_settling_twice_changes_nothing(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    await tips.mark_seen(rt, ada.id, served.tip.impression_id)
    clock.advance(DAY)
    await tips.settle(rt)
    before = await impression(rt, served.tip.impression_id)

    clock.advance(timedelta(hours=1))
    await tips.settle(rt)

    assert (await impression(rt, served.tip.impression_id)).closed_at == before.closed_at


async def test_settling_one_person_leaves_the_others(rt: Runtime, clock: FakeClock):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    await a_tip(rt, ada.id)
    of_ben = await a_tip(rt, ben.id)

    clock.advance(DAY)
    await tips.settle(rt, ada.id)

    assert [row.id for row in await rows(rt, Impression) if row.closed_at is None] == [of_ben.tip.impression_id]


async def test_only_the_person_themselves_can_have_seen_a_tip(rt: Runtime):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    served = await a_tip(rt, ada.id)

    await tips.mark_seen(rt, ben.id, served.tip.impression_id)
    await tips.mark_seen(rt, ben.id, "nothing")

    assert (await impression(rt, served.tip.impression_id)).seen_at is None


async def test_a_tip_is_first_seen_once(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    await tips.mark_seen(rt, ada.id, served.tip.impression_id)
    first = rt.clock.now()

    clock.advance(timedelta(minutes=5))
    await tips.mark_seen(rt, ada.id, served.tip.impression_id)

    assert (await impression(rt, served.tip.impression_id)).seen_at == first


@pytest.mark.parametrize("is_settled", [False, True])
@pytest.mark.parametrize(("action", "value"), [("done", 0.8), ("snooze", 0.0), ("dismiss", -0.6)])
async def test_a_reaction_made_in_time_replaces_silence(
    rt: Runtime, clock: FakeClock, action: str, value: float, *, is_settled: bool
):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    await tips.mark_seen(rt, ada.id, served.tip.impression_id)
    reacted_at = clock.now() + timedelta(hours=3)
    clock.advance(timedelta(days=3))
    if is_settled:
        await tips.settle(rt)

    outcome = await tips.react(rt, ada.id, served.tip.impression_id, action, dwell_ms=5_000, reacted_at=reacted_at)

    assert outcome == tips.Outcome(reward=value)
    assert await reward(rt, served.tip.impression_id) == ("reaction", value)


@pytest.mark.parametrize(
    ("delivered_after", "is_accepted"),
    [(DAY, True), (DAY + timedelta(days=7) - timedelta(seconds=1), True), (DAY + timedelta(days=7), False)],
)
async def test_a_late_delivery_is_taken_for_seven_days(
    rt: Runtime, clock: FakeClock, delivered_after: timedelta, *, is_accepted: bool
):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    reacted_at = clock.now() + timedelta(hours=3)
    clock.advance(delivered_after)
    await tips.settle(rt)

    try:
        await tips.react(rt, ada.id, served.tip.impression_id, "done", reacted_at=reacted_at)
        was_accepted = True
    except Conflict:
        was_accepted = False

    assert was_accepted is is_accepted


@pytest.mark.parametrize("made_after", [None, DAY, DAY + timedelta(hours=1)])
async def test_a_reaction_made_too_late_is_refused(rt: Runtime, clock: FakeClock, made_after: timedelta | None):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    await tips.mark_seen(rt, ada.id, served.tip.impression_id)
    reacted_at = None if made_after is None else clock.now() + made_after
    clock.advance(timedelta(days=2))
    await tips.settle(rt)

    with pytest.raises(Conflict):
        await tips.react(rt, ada.id, served.tip.impression_id, "done", reacted_at=reacted_at)

    assert await reward(rt, served.tip.impression_id) == ("silence", -0.05)


async def test_a_reaction_to_a_tip_that_is_over_but_not_settled_yet_is_refused(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    clock.advance(DAY)

    with pytest.raises(Conflict):
        await tips.react(rt, ada.id, served.tip.impression_id, "done")


async def test_a_late_delivery_leaves_the_tip_that_is_open_now(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    reacted_at = clock.now() + timedelta(hours=3)
    clock.advance(timedelta(days=2))
    now_open = await another_tip(rt, ada.id, than=first)

    await tips.react(rt, ada.id, first.tip.impression_id, "dismiss", reacted_at=reacted_at)

    assert (await impression(rt, now_open.tip.impression_id)).closed_at is None


@pytest.mark.parametrize("action", ["done", "snooze", "dismiss"])
async def test_a_late_delivery_about_the_item_that_is_shown_again_withdraws_it(
    rt: Runtime, clock: FakeClock, action: str
):
    ada = await a_person(rt, tasks=1)
    first = await a_tip(rt, ada.id)
    clock.advance(timedelta(days=2))
    again = await a_tip(rt, ada.id)

    await tips.react(
        rt, ada.id, first.tip.impression_id, action, reacted_at=first.served_at + timedelta(hours=23, minutes=59)
    )

    assert again.tip.id == first.tip.id
    assert (await impression(rt, again.tip.impression_id)).outcome == "withdrawn"
    assert await reward(rt, again.tip.impression_id) is None
    with pytest.raises(Conflict):
        await tips.react(rt, ada.id, again.tip.impression_id, "done")
    assert len(await rows(rt, Closing)) == (1 if action == "done" else 0)


async def test_a_late_delivery_twice_answers_the_same(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    reacted_at = clock.now() + timedelta(hours=3)
    clock.advance(timedelta(days=2))
    first = await tips.react(rt, ada.id, served.tip.impression_id, "done", dwell_ms=5_000, reacted_at=reacted_at)

    clock.advance(timedelta(days=9))

    assert await tips.react(rt, ada.id, served.tip.impression_id, "done", reacted_at=reacted_at) == first


async def test_a_late_done_completes_the_item_after_six_more_seconds(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    reacted_at = clock.now() + timedelta(hours=3)
    clock.advance(timedelta(days=2))

    await tips.react(rt, ada.id, served.tip.impression_id, "done", reacted_at=reacted_at)

    (closing,) = await rows(rt, Closing)
    assert closing.next_at == clock.now() + timedelta(seconds=6)


async def test_a_late_snooze_counts_from_when_it_was_said(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, time_zone="UTC")
    served = await a_tip(rt, ada.id)
    reacted_at = clock.now() + timedelta(hours=1)
    clock.advance(timedelta(hours=3))

    await tips.react(rt, ada.id, served.tip.impression_id, "snooze", snooze="later_today", reacted_at=reacted_at)

    (hold,) = await rows(rt, Hold)
    assert hold.until == reacted_at + timedelta(hours=4)


async def test_a_late_snooze_does_not_wake_what_was_dismissed_since(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=1)
    first = await a_tip(rt, ada.id)
    reacted_at = clock.now() + timedelta(hours=1)
    clock.advance(timedelta(days=2))
    second = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, second.tip.impression_id, "dismiss")

    await tips.react(rt, ada.id, first.tip.impression_id, "snooze", reacted_at=reacted_at)

    (hold,) = await rows(rt, Hold)
    assert hold.until == clock.now() + timedelta(days=7)


async def test_a_late_reaction_can_be_undone_back_to_silence(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)
    await tips.mark_seen(rt, ada.id, first.tip.impression_id)
    reacted_at = clock.now() + timedelta(hours=1)
    clock.advance(timedelta(days=2))
    now_open = await another_tip(rt, ada.id, than=first)
    await tips.react(rt, ada.id, first.tip.impression_id, "done", reacted_at=reacted_at)

    await tips.react(rt, ada.id, first.tip.impression_id, "undo")

    assert await reward(rt, first.tip.impression_id) == ("silence", -0.05)
    assert await a_tip(rt, ada.id) == now_open
    assert await rows(rt, Closing) == []
