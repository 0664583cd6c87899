"""One open impression a person: everywhere the same, until something ends it."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from sqlmodel import col

from oo_app import accounts, tips
from oo_app.connections.models import Connection
from oo_app.events import SourceDisconnected, TasksSynced
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from oo_app.signals.models import Item
from oo_app.tips.models import Decision, Impression
from tests.people import a_person, a_task, a_tip, impression, rows


async def close_at_source(rt: Runtime, item_id: str) -> None:
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Item).where(col(Item.id) == item_id).values(is_open=False))


async def test_asking_twice_gives_the_same_tip_and_burns_no_decision(rt: Runtime):
    ada = await a_person(rt)

    first, second = await a_tip(rt, ada.id), await a_tip(rt, ada.id)

    assert second == first
    assert len(await rows(rt, Decision)) == 1


@pytest.mark.parametrize("surface", ["web", "push", "api"])
async def test_every_surface_is_served_the_open_tip(rt: Runtime, surface: tips.Surface):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)

    assert await tips.recommend(rt, ada.id, surface) == first


async def test_two_tabs_at_once_are_served_the_same_tip(rt: Runtime):
    ada = await a_person(rt, tasks=20)

    answers = await asyncio.gather(*(tips.recommend(rt, ada.id, "web") for _ in range(8)))

    assert len({answer.tip.impression_id for answer in answers if isinstance(answer, tips.Served)}) == 1
    assert all(isinstance(answer, tips.Served) for answer in answers)
    assert len(await rows(rt, Impression)) == len(await rows(rt, Decision)) == 1


async def test_two_people_have_an_open_tip_each(rt: Runtime):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")

    of_ada, of_ben = await a_tip(rt, ada.id), await a_tip(rt, ben.id)

    assert of_ada.tip.id in ada.item_ids
    assert of_ben.tip.id in ben.item_ids


@pytest.mark.parametrize("action", ["done", "snooze", "dismiss"])
async def test_a_reaction_ends_it(rt: Runtime, action: str):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)

    await tips.react(rt, ada.id, first.tip.impression_id, action, dwell_ms=5_000)

    ended = await impression(rt, first.tip.impression_id)
    assert (ended.outcome, ended.closed_at) == ("reacted", rt.clock.now())
    assert (await a_tip(rt, ada.id)).tip.id != first.tip.id


async def test_24_hours_end_it(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)

    clock.advance(timedelta(hours=23, minutes=59, seconds=59))
    still = await a_tip(rt, ada.id)
    clock.advance(timedelta(seconds=1))
    following = await a_tip(rt, ada.id)

    assert still.tip.impression_id == first.tip.impression_id
    assert following.tip.impression_id != first.tip.impression_id
    assert (await impression(rt, first.tip.impression_id)).outcome == "expired"


async def test_an_item_that_is_gone_at_its_source_ends_it_when_asked(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)

    await close_at_source(rt, first.tip.id)

    assert (await a_tip(rt, ada.id)).tip.id != first.tip.id
    assert (await impression(rt, first.tip.impression_id)).outcome == "gone"


async def test_an_item_that_is_gone_at_its_source_ends_it_without_being_asked(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)

    await close_at_source(rt, first.tip.id)
    async with rt.db.begin() as tx:
        tx.emit(TasksSynced(ada.id, ada.connection_id, 1, is_full=False))
    await rt.bus.drain()

    assert (await impression(rt, first.tip.impression_id)).outcome == "gone"


async def test_news_of_other_items_leaves_it_open(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)

    async with rt.db.begin() as tx:
        tx.emit(TasksSynced(ada.id, ada.connection_id, 1, is_full=False))
    await rt.bus.drain()

    assert (await impression(rt, first.tip.impression_id)).closed_at is None


async def test_disconnecting_ends_it(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)

    async with rt.db.begin() as tx:
        await tx.session.execute(delete(Connection).where(col(Connection.id) == ada.connection_id))
        tx.emit(SourceDisconnected(ada.id, "todoist"))
    await rt.bus.drain()

    ended = await impression(rt, first.tip.impression_id)
    assert (ended.outcome, ended.item_id) == ("gone", None)
    assert await tips.recommend(rt, ada.id, "web") == tips.Nothing("no_source")


async def test_pausing_rests_and_waking_shows_the_same_tip(rt: Runtime):
    ada = await a_person(rt)
    first = await a_tip(rt, ada.id)

    await accounts.choose(rt, ada.id, paused=True)
    resting = await tips.recommend(rt, ada.id, "web")
    await accounts.choose(rt, ada.id, paused=False)

    assert resting == tips.Nothing("resting")
    assert await a_tip(rt, ada.id) == first


async def test_without_a_source_there_is_nothing_to_say(rt: Runtime):
    ada = await a_person(rt, tasks=0)
    async with rt.db.begin() as tx:
        await tx.session.execute(delete(Connection))

    assert await tips.recommend(rt, ada.id, "web") == tips.Nothing("no_source")


async def test_without_an_open_item_nothing_is_suitable(rt: Runtime):
    ada = await a_person(rt, tasks=0)

    assert await tips.recommend(rt, ada.id, "web") == tips.Nothing("nothing_suitable")
    assert await rows(rt, Decision) == []


async def test_when_all_is_answered_nothing_is_suitable(rt: Runtime):
    ada = await a_person(rt, tasks=3)
    for action in ("done", "snooze", "dismiss"):
        served = await a_tip(rt, ada.id)
        await tips.react(rt, ada.id, served.tip.impression_id, action, dwell_ms=5_000)

    assert await tips.recommend(rt, ada.id, "web") == tips.Nothing("nothing_suitable")


async def test_an_item_nobody_can_complete_is_not_suggested(rt: Runtime):
    ada = await a_person(rt, tasks=0)
    await a_task(rt, ada, is_completable=False)

    assert await tips.recommend(rt, ada.id, "web") == tips.Nothing("nothing_suitable")
