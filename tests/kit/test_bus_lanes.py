"""Each person's facts in order, several people side by side, and nobody kept waiting by somebody else's handler."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import OperationalError
from sqlmodel import col

from oo_app.accounts.models import User
from oo_app.kit.bus import FIRST_PAUSE, MOST_ATTEMPTS, RING_LENGTH, SIDE_BY_SIDE, Bus, Delivered
from oo_app.kit.clock import FakeClock
from oo_app.kit.db import Database
from oo_app.kit.metrics import Metrics
from oo_app.kit.outbox import KEPT, Mirrored, Outbox

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PEOPLE = tuple(f"person-{number}" for number in range(SIDE_BY_SIDE + 4))


@dataclass(frozen=True)
class Fact:
    """Something that happened to somebody."""

    user_id: str | None
    number: int
    subject: str = "test.fact"
    version: ClassVar[int] = 1

    def payload(self) -> dict[str, str | int | float | bool | None]:
        return {"user_id": self.user_id, "number": self.number}


class Handler:
    """Notes whom it hears of; waits for those it is told to, and fails for those it is told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.failing: set[tuple[str, int]] = set()
        self.turns: Callable[[str, int], int] = lambda _person, _number: 1
        self.at_once = self.most_at_once = 0

    async def __call__(self, fact: Delivered) -> None:
        person, number = fact.payload["user_id"], fact.payload["number"]
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            for _ in range(self.turns(person, number)):
                await asyncio.sleep(0)
            if person in self.gates:
                await self.gates[person].wait()
        finally:
            self.at_once -= 1
        if (person, number) in self.failing:
            msg = "a handler with a bug"
            raise ValueError(msg)
        self.heard.append((person, number))

    def of(self, person: str) -> list[int]:
        return [number for name, number in self.heard if name == person]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
async def db(db: Database) -> Database:
    """A migrated database with some people."""
    async with db.begin() as tx:
        for person in PEOPLE:
            row = {"id": person, "email": b"", "role": "user", "created_at": NOW}
            await tx.session.execute(insert(User).values(row))
    return db


def bus_of(db: Database, clock: FakeClock, handler: Handler, handler_s: float = 30) -> Bus:
    bus = Bus(db, clock, Metrics(), handler_s=handler_s)
    bus.bind({"test.fact": (handler,)}, None, lambda _: Fact(None, 0, "test.parked"))
    return bus


async def emit(db: Database, *facts: tuple[str | None, int], subject: str = "test.fact") -> None:
    async with db.begin() as tx:
        for person, number in facts:
            tx.emit(Fact(person, number, subject))


async def stored(db: Database) -> Sequence[Outbox]:
    async with db.read() as session:
        return (await session.execute(select(Outbox).order_by(col(Outbox.seq)))).scalars().all()


async def until(handler: Handler, count: int) -> None:
    async with asyncio.timeout(10):
        while len(handler.heard) < count:  # noqa: ASYNC110 -- the bus tells nobody how far it is
            await asyncio.sleep(0)


async def test_a_slow_handler_delays_nobody_else(db: Database, clock: FakeClock):
    handler = Handler()
    handler.gates["person-0"] = asyncio.Event()
    bus = bus_of(db, clock, handler)
    await bus.start()

    await emit(db, ("person-0", 1), ("person-1", 1))
    await until(handler, 1)
    await emit(db, ("person-0", 2), ("person-1", 2), ("person-2", 1))
    await until(handler, 3)
    before = [*handler.heard]
    handler.gates["person-0"].set()
    await until(handler, 5)
    await bus.stop()

    assert before == [("person-1", 1), ("person-1", 2), ("person-2", 1)]
    assert handler.of("person-0") == [1, 2]
    assert [row.done_at for row in await stored(db)] == [NOW] * 5


async def test_no_more_than_eight_people_are_served_at_once_and_each_in_order(db: Database, clock: FakeClock):
    handler = Handler()
    bus = bus_of(db, clock, handler)
    await emit(db, *((person, number) for number in range(30) for person in PEOPLE))

    assert await bus.drain() == 30 * len(PEOPLE)

    assert handler.most_at_once == SIDE_BY_SIDE
    assert [handler.of(person) for person in PEOPLE] == [[*range(30)]] * len(PEOPLE)


async def test_whenever_a_handler_ends_nothing_is_delivered_twice(db: Database, clock: FakeClock):
    handler = Handler()
    handler.turns = lambda person, number: (number * 7 + PEOPLE.index(person) * 3) % 11
    bus = bus_of(db, clock, handler)
    await bus.start()

    for number in range(40):
        await emit(db, *((person, number) for person in PEOPLE))
    await until(handler, 40 * len(PEOPLE))
    await bus.stop()

    assert [handler.of(person) for person in PEOPLE] == [[*range(40)]] * len(PEOPLE)


async def test_what_came_after_a_failure_waits_for_it_and_others_do_not(db: Database, clock: FakeClock):
    handler = Handler()
    handler.failing.add(("person-0", 1))
    bus = bus_of(db, clock, handler)

    await emit(db, ("person-0", 1), ("person-0", 2), ("person-1", 1))
    await bus.drain()
    await emit(db, ("person-0", 3), ("person-1", 2))
    await bus.drain()
    before = [*handler.heard]
    handler.failing.clear()
    clock.advance(FIRST_PAUSE)
    await bus.drain()

    assert before == [("person-1", 1), ("person-1", 2)]
    assert handler.of("person-0") == [1, 2, 3]


async def test_what_is_given_up_holds_nothing_up_and_is_told(db: Database, clock: FakeClock):
    handler = Handler()
    handler.failing.add(("person-0", 1))
    bus = bus_of(db, clock, handler)
    await emit(db, ("person-0", 1), ("person-0", 2))

    for _ in range(MOST_ATTEMPTS):
        await bus.drain()
        clock.advance(timedelta(minutes=1))

    assert handler.of("person-0") == [2]
    assert [row.subject for row in await stored(db)] == ["test.fact", "test.fact", "test.parked"]


async def test_a_handler_that_takes_too_long_has_failed(db: Database, clock: FakeClock):
    handler = Handler()
    handler.gates["person-0"] = asyncio.Event()
    bus = bus_of(db, clock, handler, handler_s=0.01)
    await emit(db, ("person-0", 1))

    await bus.drain()

    assert [(row.attempts, row.done_at) for row in await stored(db)] == [(1, None)]


async def test_who_is_not_the_owner_delivers_nothing_until_it_is(db: Database, clock: FakeClock):
    handler, is_owner = Handler(), [False]
    bus = bus_of(db, clock, handler)
    await bus.start(lambda: is_owner[0])
    await emit(db, ("person-0", 1))
    for _ in range(100):
        await asyncio.sleep(0)
    before = [*handler.heard]

    is_owner[0] = True
    await until(handler, 1)
    await bus.stop()

    assert before == []


async def test_what_was_handled_is_noted_when_the_bus_stops_beside_a_slow_handler(db: Database, clock: FakeClock):
    handler = Handler()
    handler.gates["person-0"] = asyncio.Event()
    bus = bus_of(db, clock, handler)
    await bus.start()
    await emit(db, ("person-0", 1), ("person-1", 1))
    await until(handler, 1)

    await bus.stop()

    assert [row.done_at for row in await stored(db)] == [None, NOW]


async def test_a_fact_that_cannot_be_committed_is_not_in_the_ring(db: Database, clock: FakeClock):
    bus = bus_of(db, clock, Handler())
    store = db.outbox

    async def store_and_lose(tx: object):
        assert store
        await store(tx)  # pyright: ignore[reportArgumentType] -- passed on as it came
        msg = "disk full"
        raise OperationalError(msg, None, ValueError())

    db.outbox = store_and_lose
    with suppress(OperationalError):
        await emit(db, ("person-0", 1))
    db.outbox = store
    await emit(db, ("person-0", 2))

    assert [fact.payload["number"] for fact in bus.ring] == [2]


async def test_facts_of_several_writers_stand_in_the_ring_as_they_are_stored(db: Database, clock: FakeClock):
    bus = bus_of(db, clock, Handler())

    await asyncio.gather(*(emit(db, (person, 1), (person, 2)) for person in PEOPLE * 5))

    assert [fact.id for fact in bus.ring] == [row.id for row in await stored(db)]


async def test_a_tail_begins_with_the_last_and_goes_on(db: Database, clock: FakeClock):
    bus = bus_of(db, clock, Handler())
    await emit(db, *(("person-0", number) for number in range(5)))

    with bus.tail(2) as tail:
        await emit(db, ("person-0", 5))
        read = [(await tail.next()).payload["number"] for _ in range(3)]
    await emit(db, ("person-0", 6))

    assert read == [3, 4, 5]
    with bus.tail(0) as none, pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await none.next()


async def test_a_tail_that_is_not_read_misses_the_oldest(db: Database, clock: FakeClock):
    bus = bus_of(db, clock, Handler())

    with bus.tail(0) as tail:
        await emit(db, *(("person-0", number) for number in range(RING_LENGTH + 3)))
        first = (await tail.next()).payload["number"]

    assert (first, tail.missed) == (3, 3)


async def mark(db: Database, seq: int) -> None:
    async with db.begin() as tx:
        await tx.session.execute(insert(Mirrored).values(id=1, seq=seq, at=tx.now))


async def test_what_is_not_mirrored_is_not_purged_while_there_is_a_mirror(db: Database, clock: FakeClock):
    bus = bus_of(db, clock, Handler())
    await emit(db, *(("person-0", number) for number in range(4)), subject="test.unheard")
    await mark(db, 2)
    clock.advance(KEPT + timedelta(days=60))

    with_mirror = await bus.purge(has_mirror=True)
    left = [row.seq for row in await stored(db)]
    without = await bus.purge(has_mirror=False)

    assert (with_mirror.facts, with_mirror.unmirrored, left) == (2, 0, [3, 4])
    assert (without.facts, without.unmirrored) == (2, 0)


async def test_beyond_its_size_the_outbox_drops_the_oldest_and_says_how_many_no_mirror_had(
    db: Database, clock: FakeClock
):
    bus = Bus(db, clock, Metrics(), most_rows=6)
    bus.bind({"test.fact": (Handler(),)})
    await emit(db, ("person-0", 0))  # heard, and not handled yet
    await emit(db, *(("person-0", number) for number in range(1, 10)), subject="test.unheard")
    await mark(db, 3)

    purged = await bus.purge(has_mirror=True)

    assert (purged.facts, purged.unmirrored) == (4, 2)
    assert [row.seq for row in await stored(db)] == [1, 6, 7, 8, 9, 10]
    assert (await bus.backlog()).waiting == 1
