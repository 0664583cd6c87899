"""A person's profile: counted as completions come, equal to a recount at any time, and gone with what it rests on."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import delete, update
from sqlmodel import col

from oo_app import accounts, connections, features, signals
from oo_app.events import SourceDisconnected, TaskCompleted, TasksSynced
from oo_app.features.models import Profile
from oo_app.features.profile import WINDOW, counted
from oo_app.kit.clock import FakeClock
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.signals.deliveries import NONE
from oo_app.signals.models import Completion
from oo_app.signals.store import store
from oo_app.sources import facts
from tests.browser import Browser
from tests.people import Somebody, a_person, a_tip, exported, rows

pytestmark = pytest.mark.long

BERLIN = "Europe/Berlin"
ZONES = (BERLIN, "UTC", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe")
DAY = timedelta(days=1)


async def a_completion(rt: Runtime, person: Somebody, at: datetime, **fields: Any) -> str:
    """Note that a task was done."""
    completion_id = fields.pop("id", None) or new_id(rt.clock.now())
    async with rt.db.begin() as tx:
        tx.session.add(
            Completion(
                id=completion_id,
                user_id=person.id,
                connection_id=person.connection_id,
                external_id=completion_id,
                occurrence="t",
                found_by="reading",
                at=at,
            )
        )
    return completion_id


async def profile(rt: Runtime) -> Profile:
    (row,) = await rows(rt, Profile)
    return row


def told(row: Profile) -> tuple[object, ...]:
    """What a profile says, but for when it was counted."""
    return row.version, row.time_zone, row.counts, row.total, row.since, row.folded_to


@dataclass
class Life:
    """Somebody who completes, disconnects, moves and sleeps, while deliveries of events are doubled, late or mixed."""

    rt: Runtime
    clock: FakeClock
    person: Somebody
    rng: np.random.Generator
    waiting: list[object] = field(default_factory=list)

    async def complete(self) -> None:
        """Complete something lately, or have a completion from long ago come to light."""
        age = timedelta(minutes=int(self.rng.integers(0, 130 * 24 * 60) * self.rng.random() ** 3))
        at = self.clock.now() - age
        await a_completion(self.rt, self.person, at)
        self.waiting.append(TaskCompleted(self.person.id, "an-item", at.isoformat()))

    async def complete_out_of_order(self) -> None:
        """Commit something whose id is older than what was counted already."""
        before = self.clock.now() - timedelta(seconds=int(self.rng.integers(1, 600)))
        await a_completion(self.rt, self.person, before, id=new_id(before))
        self.waiting.append(TasksSynced(self.person.id, self.person.connection_id, 1, is_full=False))

    async def forget(self) -> None:
        """Lose what was completed, as with a disconnect."""
        async with self.rt.db.begin() as tx:
            await tx.session.execute(delete(Completion).where(col(Completion.user_id) == self.person.id))
        self.waiting.append(SourceDisconnected(self.person.id, "todoist"))

    async def forget_one_and_find_another(self) -> None:
        """Read another account in full: as many as before, but not the same."""
        known = await rows(self.rt, Completion)
        if known:
            async with self.rt.db.begin() as tx:
                await tx.session.execute(delete(Completion).where(col(Completion.id) == known[0].id))
        await self.complete_out_of_order()
        self.waiting[-1] = TasksSynced(self.person.id, self.person.connection_id, 1, is_full=True)

    async def move(self) -> None:
        await accounts.choose(self.rt, self.person.id, time_zone=str(self.rng.choice(ZONES)))

    async def sleep(self) -> None:
        self.clock.advance(timedelta(minutes=int(self.rng.integers(1, 3 * 24 * 60))))
        await features.recount_due(self.rt)

    async def hear(self) -> None:
        """Deliver some of what waits, in any order, some of it twice."""
        self.rng.shuffle(self.waiting)  # pyright: ignore[reportArgumentType] -- numpy types it for arrays only
        heard, self.waiting = self.waiting[:3], self.waiting[3:]
        await self.tell(heard + heard[: int(self.rng.integers(0, 2))])

    async def tell(self, facts: list[Any]) -> None:
        for fact in facts:
            async with self.rt.db.begin() as tx:
                tx.emit(fact)
            await self.rt.bus.drain()


@pytest.mark.parametrize("seed", range(12))
async def test_counted_as_it_comes_is_what_a_recount_says(rt: Runtime, clock: FakeClock, seed: int):
    rng = np.random.default_rng(seed)
    life = Life(rt, clock, await a_person(rt, time_zone=BERLIN), rng)
    steps = [life.complete] * 6 + [life.complete_out_of_order, life.hear, life.hear, life.move, life.sleep]
    steps += [life.forget, life.forget_one_and_find_another]
    for _ in range(40):
        await steps[int(rng.integers(len(steps)))]()
    await life.tell(life.waiting)
    await features.fold(rt, life.person.id)
    as_it_came = told(await profile(rt))

    row = await profile(rt)
    zone = ZoneInfo(row.time_zone)
    times = [each.at for each in await rows(rt, Completion) if each.at >= row.since]
    assert json.loads(row.counts) == counted(times, zone)
    assert row.total == len(times)
    await features.recount(rt, life.person.id)
    assert told(await profile(rt))[:4] == as_it_came[:4]


async def test_a_completion_counts_once_however_often_it_is_told(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, time_zone=BERLIN)
    await features.fold(rt, ada.id)
    await a_completion(rt, ada, clock.now())

    for _ in range(3):
        async with rt.db.begin() as tx:
            tx.emit(TaskCompleted(ada.id, ada.item_ids[0], clock.now().isoformat()))
            tx.emit(TasksSynced(ada.id, ada.connection_id, 1, is_full=False))
        await rt.bus.drain()

    row = await profile(rt)
    assert row.total == 1
    assert json.loads(row.counts)[10] == 1  # Monday at ten in Berlin


async def test_what_is_counted_on_top_is_not_counted_anew(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    await features.fold(rt, ada.id)
    first = await a_completion(rt, ada, clock.now())
    await features.fold(rt, ada.id)
    async with rt.db.begin() as tx:  # moved behind its back: only a recount would see it
        await tx.session.execute(update(Completion).where(col(Completion.id) == first).values(at=tx.now - DAY))
    clock.advance(timedelta(minutes=1))
    await a_completion(rt, ada, clock.now())

    await features.fold(rt, ada.id)

    assert json.loads((await profile(rt)).counts)[9] == 2


async def test_what_was_noted_with_an_older_id_is_counted_too(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    await a_completion(rt, ada, clock.now())
    await features.fold(rt, ada.id)
    earlier = clock.now() - timedelta(seconds=1)  # begun before the other, and committed after it
    await a_completion(rt, ada, earlier, id=new_id(earlier))

    await features.fold(rt, ada.id)

    assert (await profile(rt)).total == 2


async def test_a_full_reading_counts_anew_though_the_number_is_the_same(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    mine = await a_completion(rt, ada, clock.now())
    await features.fold(rt, ada.id)
    async with rt.db.begin() as tx:  # another account's instead: one fewer, one more, and its id is older
        await tx.session.execute(delete(Completion).where(col(Completion.id) == mine))
    clock.advance(timedelta(hours=2))
    await a_completion(rt, ada, clock.now(), id=new_id(clock.now() - timedelta(hours=3)))
    async with rt.db.begin() as tx:
        tx.emit(TasksSynced(ada.id, ada.connection_id, 1, is_full=True))

    await rt.bus.drain()

    assert json.loads((await profile(rt)).counts)[11] == 1


async def test_three_months_of_history_count_from_the_first_reading_on(rt: Runtime, ada: Browser):
    found = await rows(rt, Completion)
    assert {each.found_by for each in found} >= {"history"}

    await rt.bus.drain()

    row = await profile(rt)
    assert row.total == len([each for each in found if each.at >= row.since]) > 0
    assert row.time_zone == BERLIN  # as Todoist told with the same reading


async def test_a_history_without_an_open_task_counts_too(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=0)
    history = (facts.Completion("done-long-ago", clock.now() - 30 * DAY),)
    pull = facts.Pull(items=(), cursor="c", is_full=True, owner=None, history=history)

    await store(rt, await connections.held(rt, ada.connection_id), pull, NONE)
    await rt.bus.drain()

    assert (await profile(rt)).total == 1


async def test_what_is_older_than_three_months_leaves(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    await a_completion(rt, ada, clock.now())
    await features.fold(rt, ada.id)

    clock.advance(WINDOW)
    assert await features.recount_due(rt) == 1
    assert (await profile(rt)).total == 1
    clock.advance(DAY)
    assert await features.recount_due(rt) == 1

    assert (await profile(rt)).total == 0


async def test_every_profile_is_recounted_once_a_day(rt: Runtime, clock: FakeClock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("oo_app.features.profile.BATCH", 2)
    people = [await a_person(rt, name) for name in ("ada", "ben", "cleo")]
    for person in people:
        await features.fold(rt, person.id)

    assert await features.recount_due(rt) == 0
    clock.advance(DAY)
    assert await features.recount_due(rt) == 3
    assert await features.recount_due(rt) == 0


async def test_another_time_zone_counts_anew(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, time_zone=BERLIN)
    await a_completion(rt, ada, clock.now())
    await a_tip(rt, ada.id)
    assert json.loads((await profile(rt)).counts)[10] == 1

    await accounts.choose(rt, ada.id, time_zone="America/New_York")
    await a_tip(rt, ada.id)  # the open one
    await features.fold(rt, ada.id)

    row = await profile(rt)
    assert (row.time_zone, json.loads(row.counts)[4], row.total) == ("America/New_York", 1, 1)


async def test_disconnecting_takes_what_was_counted(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    await a_completion(rt, ada, clock.now())
    await features.fold(rt, ada.id)

    await signals.leave(rt, ada.id, "todoist")
    await rt.bus.drain()

    assert (await profile(rt)).total == 0


async def test_who_is_gone_is_not_counted(rt: Runtime):
    await features.fold(rt, "nobody")
    await features.recount(rt, "nobody")

    assert await rows(rt, Profile) == []


async def test_a_profile_is_taken_along_by_weekday_and_hour(rt: Runtime):
    ada = await a_person(rt, time_zone=BERLIN)
    for at in (datetime(2026, 11, 16, 9, 30, tzinfo=UTC), datetime(2026, 11, 22, 22, 59, tzinfo=UTC)):
        await a_completion(rt, ada, at)
    await features.fold(rt, ada.id)

    (taken,) = (await exported(rt, ada.id))["profile"]

    assert (taken["counts"]["Monday"], taken["counts"]["Sunday"]) == ({"10:00": 1}, {"23:00": 1})
    assert not any(taken["counts"][day] for day in ("Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"))
    assert (taken["total"], taken["time_zone"]) == (2, BERLIN)
