"""Late, doubled, swapped, replayed and missing deliveries all end where one clean full reading ends."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update
from sqlmodel import col

from oo_app import signals, tips
from oo_app.connections.models import Connection
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from oo_app.signals.models import Completion, Item
from oo_app.tips.models import Impression, Reward
from tests.browser import Browser
from tests.deliveries import deliver, of_change, signed
from tests.people import rows
from tests.signals.elsewhere import Elsewhere, connection, content, opened, read

pytestmark = pytest.mark.long

SEEDS = range(24)
STEPS = 25


@dataclass
class Story:
    """Somebody working in Todoist's own app, and the deliveries that tell of it: none has arrived yet."""

    there: Elsewhere
    clock: FakeClock
    rng: np.random.Generator
    open_tasks: list[str] = field(default_factory=list)
    done_tasks: list[str] = field(default_factory=list)
    routines: list[str] = field(default_factory=list)
    waiting: list[bytes] = field(default_factory=list)
    told: list[bytes] = field(default_factory=list)
    occurrences: int = 0

    def one_of(self, tasks: list[str]) -> str:
        return tasks[int(self.rng.integers(len(tasks)))]

    async def tell(self, event: str, task_id: str, before: dict[str, Any] | None, intent: str | None) -> None:
        after = await self.there.task(task_id)
        self.waiting.append(of_change(event, before, after, at=self.clock.now(), intent=intent))

    async def add(self) -> None:
        fields = {"due_string": "every day"} if self.rng.random() < 0.4 else {"labels": ["a", "b"]}
        task_id = await self.there.add(f"Task {self.rng.integers(1000)}", **fields)
        (self.routines if "due_string" in fields else self.open_tasks).append(task_id)
        await self.tell("item:added", task_id, None, None)

    async def change(self) -> None:
        task_id = self.one_of(self.open_tasks)
        before = await self.there.task(task_id)
        await self.there.change(
            task_id, content=f"Changed {self.rng.integers(1000)}", priority=int(self.rng.integers(1, 5))
        )
        await self.tell("item:updated", task_id, before, "item_updated")

    async def postpone(self) -> None:
        task_id = self.one_of(self.open_tasks)
        before = await self.there.task(task_id)
        await self.there.change(task_id, due_date=f"2026-12-{self.rng.integers(10, 29)}")
        await self.tell("item:updated", task_id, before, "item_updated")

    async def complete(self) -> None:
        task_id = self.one_of(self.open_tasks)
        before = await self.there.task(task_id)
        await self.there.close(task_id)
        self.open_tasks.remove(task_id)
        self.done_tasks.append(task_id)
        await self.tell("item:completed", task_id, before, None)

    async def complete_an_occurrence(self) -> None:
        task_id = self.one_of(self.routines)
        before = await self.there.task(task_id)
        await self.there.close(task_id)
        self.occurrences += 1
        await self.tell("item:updated", task_id, before, "item_completed")

    async def reopen(self) -> None:
        task_id = self.one_of(self.done_tasks)
        before = await self.there.task(task_id)
        await self.there.reopen(task_id)
        self.done_tasks.remove(task_id)
        self.open_tasks.append(task_id)
        await self.tell("item:uncompleted", task_id, before, "item_uncompleted")

    async def delete(self) -> None:
        task_id = self.one_of(self.open_tasks)
        before = await self.there.task(task_id)
        await self.there.delete(task_id)
        self.open_tasks.remove(task_id)
        self.waiting.append(of_change("item:deleted", None, before, at=self.clock.now()))

    async def let_one_arrive(self) -> None:
        """Deliver one of those that wait, whichever; it may arrive once more later, or be lost."""
        fate = self.rng.random()
        body = self.waiting.pop(int(self.rng.integers(len(self.waiting))))
        if fate < 0.25:
            return
        if fate < 0.5:
            self.waiting.append(body)
        await self.arrive(body)

    async def replay(self) -> None:
        await self.arrive(self.told[int(self.rng.integers(len(self.told)))])

    async def arrive(self, body: bytes) -> None:
        self.told.append(body)
        answer = await deliver(self.there.browser, body, f"{self.rng.integers(2**40)}", signed(body))
        assert answer.status_code == 200
        await self.there.browser.rt.jobs.settle()
        await self.there.browser.rt.bus.drain()

    def steps(self) -> list[Callable[[], Awaitable[None]]]:
        """Return what can happen next."""
        always = [self.add]
        on_open = [self.change, self.postpone, self.complete, self.complete, self.delete] if self.open_tasks else []
        on_done = [self.reopen] if self.done_tasks else []
        on_routines = [self.complete_an_occurrence] * 2 if self.routines else []
        arriving = [self.let_one_arrive] * 3 if self.waiting else []
        return [*always, *on_open, *on_done, *on_routines, *arriving, *([self.replay] if self.told else [])]


async def told_story(ada: Browser, clock: FakeClock, seed: int) -> Story:
    """Let a story happen, tips being asked for meanwhile."""
    story = Story(await opened(ada), clock, np.random.default_rng(seed))
    for _ in range(STEPS):
        clock.advance(timedelta(seconds=int(story.rng.integers(1, 400))))
        steps = story.steps()
        await steps[int(story.rng.integers(len(steps)))]()
        if story.rng.random() < 0.2:
            await tips.recommend(ada.rt, (await connection(ada.rt)).user_id, "web")
            await ada.rt.jobs.settle()
        if story.rng.random() < 0.15:
            await signals.sync_due(ada.rt)
            await ada.rt.jobs.settle()
    return story


async def items(rt: Runtime) -> dict[str, dict[str, Any]]:
    """Return what is stored of every open item, its words opened."""
    async with rt.db.read() as session:
        found = (await session.execute(select(Item).where(col(Item.is_open).is_(True)))).scalars().all()
    # How often a task was put off, only the readings in between can tell.
    hidden = {"id", "content", "detail", "labels", "created_at", "postponed"}
    return {row.external_id: row.model_dump(exclude=hidden) | {"content": await content(rt, row)} for row in found}


async def read_from_the_start(rt: Runtime) -> None:
    """Forget where the last reading ended, and read."""
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Connection).values(cursor=None))
    assert await read(rt)


async def found(rt: Runtime) -> list[Completion]:
    """Return the completions that were found since the first reading."""
    return [fact for fact in await rows(rt, Completion) if fact.found_by != "history"]


async def tasks(story: Story) -> dict[str, dict[str, Any]]:
    """Return the open tasks as Todoist has them."""
    answer = await story.there.ask("GET", "/tasks", params={"limit": 200})
    return {task["id"]: task for task in answer["results"]}


async def log(story: Story) -> set[str]:
    """Return the tasks that were completed, as Todoist's own log tells it."""
    asked = {"limit": 100, "object_event_types": '["item:completed"]'}
    answer = await story.there.ask("GET", "/activities", params=asked)
    return {line["object_id"] for line in answer["results"]}


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_order_of_deliveries_ends_as_a_clean_full_reading(ada: Browser, clock: FakeClock, seed: int):
    story = await told_story(ada, clock, seed)
    clock.advance(timedelta(minutes=11))
    assert await read(ada.rt)
    arrived = await items(ada.rt)

    await read_from_the_start(ada.rt)

    assert await items(ada.rt) == arrived
    theirs = {name: task["content"] for name, task in (await tasks(story)).items()}
    assert {name: row["content"] for name, row in arrived.items()} == theirs


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_completion_is_a_fact_once_and_rewarded_once(ada: Browser, clock: FakeClock, seed: int):
    story = await told_story(ada, clock, seed)
    clock.advance(timedelta(minutes=11))
    assert await read(ada.rt)
    await ada.rt.bus.drain()

    facts = await found(ada.rt)
    await read_from_the_start(ada.rt)
    assert {fact.id for fact in facts} == {fact.id for fact in await found(ada.rt)}
    assert {fact.external_id for fact in facts} <= await log(story)
    counts = {task["id"]: task["completed_count"] for task in (await tasks(story)).values() if task["due"]}
    for name in story.routines:
        told = sorted(fact.occurrence for fact in facts if fact.external_id == name)
        assert len(told) <= counts[name], "no occurrence is counted that was not done"
        assert told == sorted(f"n{count}" for count in range(counts[name] - len(told) + 1, counts[name] + 1))
    shown = {each.id: each.item_id for each in await rows(ada.rt, Impression)}
    rewarded = Counter(shown[each.impression_id] for each in await rows(ada.rt, Reward) if each.cause == "completed")
    done = Counter(fact.item_id for fact in facts)
    assert rewarded <= done
