"""A completion in the item's own app is credited to the tip that came before it, once."""

from datetime import timedelta

import pytest

from oo_app import tips
from oo_app.events import FeedbackDelayed, TaskCompleted
from oo_app.kit.clock import FakeClock
from oo_app.kit.outbox import Outbox
from oo_app.runtime import Runtime
from oo_app.tips.models import Reward
from tests.people import a_person, a_tip, impression, reward, rows

DAY = timedelta(hours=24)


async def test_a_completion_elsewhere_closes_the_open_tip_and_is_rewarded(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    clock.advance(timedelta(hours=12))
    completed_at = clock.now()
    clock.advance(timedelta(minutes=7))

    await tips.credit(rt, ada.id, served.tip.id, completed_at)

    assert await reward(rt, served.tip.impression_id) == ("completed", pytest.approx(0.5))
    ended = await impression(rt, served.tip.impression_id)
    assert (ended.outcome, ended.closed_at) == ("completed", completed_at)


async def test_the_event_of_a_completion_is_credited(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    clock.advance(timedelta(hours=6))

    async with rt.db.begin() as tx:
        tx.emit(TaskCompleted(ada.id, served.tip.id, clock.now().isoformat()))
    await rt.bus.drain()

    assert await reward(rt, served.tip.impression_id) == ("completed", pytest.approx(0.6))


async def test_a_completion_heard_of_twice_is_counted_once(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    await tips.credit(rt, ada.id, served.tip.id, clock.now())

    clock.advance(timedelta(hours=3))
    await tips.credit(rt, ada.id, served.tip.id, clock.now())

    assert await reward(rt, served.tip.impression_id) == ("completed", 0.7)
    assert [fact.subject for fact in await rows(rt, Outbox)].count(FeedbackDelayed.subject) == 1


@pytest.mark.parametrize(("hours", "value"), [(0, 0.7), (12, 0.5), (24, 0.3)])
async def test_the_reward_falls_until_24_hours(rt: Runtime, clock: FakeClock, hours: int, value: float):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    clock.advance(timedelta(hours=hours))

    await tips.credit(rt, ada.id, served.tip.id, clock.now())

    assert await reward(rt, served.tip.impression_id) == ("completed", pytest.approx(value))


@pytest.mark.parametrize("after", [-timedelta(seconds=1), DAY + timedelta(seconds=1)])
async def test_a_completion_outside_the_24_hours_is_not_credited(rt: Runtime, clock: FakeClock, after: timedelta):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    completed_at = clock.now() + after
    clock.advance(timedelta(days=2))

    await tips.credit(rt, ada.id, served.tip.id, completed_at)

    assert await reward(rt, served.tip.impression_id) is None


async def test_a_delayed_reward_replaces_a_snoozes(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, served.tip.impression_id, "snooze", dwell_ms=500)

    clock.advance(timedelta(hours=6))
    await tips.credit(rt, ada.id, served.tip.id, clock.now())

    assert await reward(rt, served.tip.impression_id) == ("completed", pytest.approx(0.6))


@pytest.mark.parametrize("is_seen", [True, False])
async def test_a_delayed_reward_replaces_silence(rt: Runtime, clock: FakeClock, *, is_seen: bool):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    if is_seen:
        await tips.mark_seen(rt, ada.id, served.tip.impression_id)
    completed_at = clock.now() + timedelta(hours=18)
    clock.advance(timedelta(hours=30))
    await tips.settle(rt)

    await tips.credit(rt, ada.id, served.tip.id, completed_at)

    assert await reward(rt, served.tip.impression_id) == ("completed", pytest.approx(0.4))


@pytest.mark.parametrize(("action", "value"), [("done", 0.8), ("dismiss", -0.6)])
async def test_a_delayed_reward_never_replaces_a_dones_or_a_dismisss(
    rt: Runtime, clock: FakeClock, action: str, value: float
):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, served.tip.impression_id, action, dwell_ms=5_000)

    clock.advance(timedelta(minutes=1))
    await tips.credit(rt, ada.id, served.tip.id, clock.now())

    assert await reward(rt, served.tip.impression_id) == ("reaction", value)


async def test_a_snooze_delivered_after_the_completion_does_not_replace_its_reward(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    clock.advance(timedelta(hours=6))
    await tips.credit(rt, ada.id, served.tip.id, clock.now())

    reacted_at = clock.now() - timedelta(hours=5)
    outcome = await tips.react(rt, ada.id, served.tip.impression_id, "snooze", dwell_ms=500, reacted_at=reacted_at)

    assert outcome == tips.Outcome(reward=-0.2)
    assert await reward(rt, served.tip.impression_id) == ("completed", pytest.approx(0.6))


async def test_a_done_said_before_the_completion_counts_in_whatever_order_they_arrive(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    clock.advance(timedelta(hours=6))
    await tips.credit(rt, ada.id, served.tip.id, clock.now())

    reacted_at = clock.now() - timedelta(hours=5)
    await tips.react(rt, ada.id, served.tip.impression_id, "done", dwell_ms=20_000, reacted_at=reacted_at)

    assert await reward(rt, served.tip.impression_id) == ("reaction", 1.0)


async def test_taking_back_a_late_done_gives_the_delayed_reward_again(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    clock.advance(timedelta(hours=6))
    await tips.credit(rt, ada.id, served.tip.id, clock.now())
    reacted_at = clock.now() - timedelta(hours=5)
    await tips.react(rt, ada.id, served.tip.impression_id, "done", dwell_ms=20_000, reacted_at=reacted_at)

    await tips.react(rt, ada.id, served.tip.impression_id, "undo")

    assert await reward(rt, served.tip.impression_id) == ("completed", pytest.approx(0.6))


async def test_the_tip_shown_last_is_credited(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=1)
    first = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, first.tip.impression_id, "snooze", dwell_ms=5_000)
    clock.advance(timedelta(hours=5))
    second = await a_tip(rt, ada.id)

    await tips.credit(rt, ada.id, second.tip.id, clock.now())

    assert await reward(rt, first.tip.impression_id) == ("reaction", 0.0)
    assert await reward(rt, second.tip.impression_id) == ("completed", 0.7)


async def test_each_occurrence_of_a_recurring_item_is_credited_to_its_own_tip(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=1)
    first = await a_tip(rt, ada.id)
    await tips.credit(rt, ada.id, first.tip.id, clock.now())
    clock.advance(timedelta(hours=1))
    await tips.credit(rt, ada.id, first.tip.id, clock.now())  # the next occurrence, for which nothing was shown
    second = await a_tip(rt, ada.id)
    clock.advance(timedelta(hours=12))

    await tips.credit(rt, ada.id, second.tip.id, clock.now())

    assert await reward(rt, first.tip.impression_id) == ("completed", 0.7)
    assert await reward(rt, second.tip.impression_id) == ("completed", pytest.approx(0.5))


async def test_nobody_else_is_credited(rt: Runtime, clock: FakeClock):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    served = await a_tip(rt, ada.id)

    await tips.credit(rt, ben.id, served.tip.id, clock.now())
    await tips.credit(rt, ada.id, "nothing", clock.now())

    assert await rows(rt, Reward) == []
