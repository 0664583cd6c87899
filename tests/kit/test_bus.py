"""Facts are delivered after what caused them is stored, also after a crash; a failing handler is tried five times."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from sqlalchemy import select
from sqlmodel import col

from oo_app.kit.bus import FIRST_PAUSE, MOST_ATTEMPTS, RING_LENGTH, Bus, Delivered
from oo_app.kit.clock import FakeClock
from oo_app.kit.db import Database
from oo_app.kit.metrics import Metrics
from oo_app.kit.outbox import KEPT, Outbox

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Fact:
    """Something that happened."""

    number: int
    subject: str = "test.fact"
    version: ClassVar[int] = 1

    def payload(self) -> dict[str, str | int | float | bool | None]:
        return {"number": self.number}


@dataclass
class Heard:
    """A handler that notes what it hears, and fails while it is told to."""

    numbers: list[int] = field(default_factory=list[int])
    ids: list[str] = field(default_factory=list[str])
    failing: set[int] = field(default_factory=set[int])

    async def __call__(self, fact: Delivered) -> None:
        self.numbers.append(fact.payload["number"])
        self.ids.append(fact.id)
        if fact.payload["number"] in self.failing:
            msg = "a handler with a bug"
            raise ValueError(msg)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


def bus_of(db: Database, clock: FakeClock, *handlers: Heard) -> Bus:
    bus = Bus(db, clock, Metrics())
    bus.bind({"test.fact": handlers})
    return bus


async def emit(db: Database, *numbers: int, subject: str = "test.fact") -> None:
    async with db.begin() as tx:
        for number in numbers:
            tx.emit(Fact(number, subject))


async def stored(db: Database) -> list[Outbox]:
    async with db.read() as session:
        return list((await session.execute(select(Outbox).order_by(col(Outbox.seq)))).scalars().all())


async def test_what_is_emitted_is_delivered_in_order(db: Database, clock: FakeClock):
    heard = Heard()
    bus = bus_of(db, clock, heard)

    await emit(db, 1, 2)
    await emit(db, 3)

    assert await bus.drain() == 3
    assert heard.numbers == [1, 2, 3]
    assert [row.done_at for row in await stored(db)] == [NOW] * 3


async def test_nothing_is_delivered_twice(db: Database, clock: FakeClock):
    heard = Heard()
    bus = bus_of(db, clock, heard)
    await emit(db, 1)

    await bus.drain()

    assert await bus.drain() == 0
    assert heard.numbers == [1]


async def test_more_than_a_batch_is_delivered(db: Database, clock: FakeClock):
    heard = Heard()
    bus = bus_of(db, clock, heard)
    await emit(db, *range(250))

    await bus.drain()

    assert heard.numbers == list(range(250))


async def test_a_rolled_back_fact_is_never_delivered(db: Database, clock: FakeClock):
    heard = Heard()
    bus = bus_of(db, clock, heard)

    async def fail() -> None:
        async with db.begin() as tx:
            tx.emit(Fact(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await bus.drain()

    assert heard.numbers == []
    assert list(bus.ring) == []


async def test_what_was_emitted_before_a_crash_is_delivered_after_it(db: Database, clock: FakeClock):
    bus_of(db, clock, Heard())
    await emit(db, 1, 2)

    heard = Heard()
    await bus_of(db, clock, heard).drain()

    assert heard.numbers == [1, 2]


async def test_a_crash_between_handler_and_record_delivers_again_under_the_same_id(db: Database, clock: FakeClock):
    class Crash(BaseException):
        """The process ends here."""

    @dataclass
    class Crashing(Heard):
        async def __call__(self, fact: Delivered) -> None:
            await super().__call__(fact)
            raise Crash

    before, after = Crashing(), Heard()
    bus = bus_of(db, clock, before)
    await emit(db, 1)
    with pytest.raises(Crash):
        await bus.drain()

    await bus_of(db, clock, after).drain()

    assert before.ids == after.ids


async def test_a_failing_handler_is_tried_again_with_growing_pauses(db: Database, clock: FakeClock):
    heard = Heard(failing={1})
    bus = bus_of(db, clock, heard)
    await emit(db, 1)
    await bus.drain()

    for attempt in range(MOST_ATTEMPTS - 1):
        clock.advance(FIRST_PAUSE * 2**attempt - timedelta(seconds=1))
        assert await bus.drain() == 0
        clock.advance(timedelta(seconds=1))
        assert await bus.drain() == 1

    assert heard.numbers == [1] * MOST_ATTEMPTS


async def test_after_five_failures_a_fact_is_parked(db: Database, clock: FakeClock):
    heard = Heard(failing={1})
    bus = bus_of(db, clock, heard)
    await emit(db, 1)

    for _ in range(10):
        await bus.drain()
        clock.advance(timedelta(hours=1))

    (row,) = await stored(db)
    assert heard.numbers == [1] * 5
    assert (row.is_parked, row.attempts, row.done_at) == (True, 5, None)


async def test_a_handler_that_heals_is_done(db: Database, clock: FakeClock):
    heard = Heard(failing={1})
    bus = bus_of(db, clock, heard)
    await emit(db, 1)
    await bus.drain()

    heard.failing.clear()
    clock.advance(FIRST_PAUSE)
    await bus.drain()

    assert [row.done_at for row in await stored(db)] == [clock.now()]


async def test_one_failing_fact_does_not_hold_up_the_others(db: Database, clock: FakeClock):
    heard = Heard(failing={1})
    bus = bus_of(db, clock, heard)
    await emit(db, 1, 2, 3)

    await bus.drain()

    assert heard.numbers == [1, 2, 3]
    assert [row.done_at is not None for row in await stored(db)] == [False, True, True]


async def test_all_handlers_of_a_fact_are_called(db: Database, clock: FakeClock):
    first, second = Heard(), Heard()
    bus = bus_of(db, clock, first, second)
    await emit(db, 1)

    await bus.drain()

    assert (first.numbers, second.numbers) == ([1], [1])


async def test_a_fact_nobody_hears_is_done_at_once(db: Database, clock: FakeClock):
    bus = bus_of(db, clock, Heard())
    await emit(db, 1, subject="test.unheard")

    assert await bus.drain() == 0
    assert [row.done_at for row in await stored(db)] == [NOW]


async def test_a_handler_can_emit_in_its_turn(db: Database, clock: FakeClock):
    heard = Heard()
    bus = Bus(db, clock, Metrics())

    async def echo(fact: Delivered) -> None:
        await emit(db, fact.payload["number"] + 1, subject="test.echo")

    bus.bind({"test.fact": (echo,), "test.echo": (heard,)})
    await emit(db, 1)

    await bus.drain()

    assert heard.numbers == [2]


async def test_the_ring_keeps_the_last_five_hundred(db: Database, clock: FakeClock):
    bus = bus_of(db, clock, Heard())

    await emit(db, *range(RING_LENGTH + 10))

    assert RING_LENGTH == 500
    assert [fact.payload["number"] for fact in bus.ring] == list(range(10, RING_LENGTH + 10))


async def test_a_running_bus_delivers_by_itself(db: Database, clock: FakeClock):
    is_heard = asyncio.Event()
    bus = Bus(db, clock, Metrics())

    async def note(_: Delivered) -> None:
        is_heard.set()

    bus.bind({"test.fact": (note,)})
    await bus.start()
    await emit(db, 1)

    await asyncio.wait_for(is_heard.wait(), 5)
    await bus.stop()


async def test_stopping_leaves_the_undelivered_for_the_next_start(db: Database, clock: FakeClock):
    bus = bus_of(db, clock, Heard())
    await bus.start()
    await bus.stop()
    await emit(db, 1)

    heard = Heard()
    await bus_of(db, clock, heard).drain()

    assert heard.numbers == [1]


async def test_old_delivered_facts_are_purged_and_parked_ones_stay(db: Database, clock: FakeClock):
    bus = bus_of(db, clock, Heard(failing={1}))
    await emit(db, 1, 2)
    for _ in range(6):
        await bus.drain()
        clock.advance(timedelta(minutes=1))

    clock.advance(KEPT)
    await emit(db, 3)
    await bus.drain()
    await bus.purge(has_mirror=False)

    assert [(row.payload, row.is_parked) for row in await stored(db)] == [
        ('{"number":1}', True),
        ('{"number":3}', False),
    ]
