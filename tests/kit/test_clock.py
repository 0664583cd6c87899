"""Time: the real one, and one that stands still."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from oo_app.kit.clock import Clock, FakeClock

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_the_real_clock_is_aware_and_goes_forward():
    clock = Clock()

    first, second = clock.now(), clock.now()

    assert first.tzinfo is UTC
    assert first <= second


async def test_the_real_clock_sleeps():
    loop = asyncio.get_running_loop()
    began = loop.time()

    await Clock().sleep(0.01)

    assert loop.time() - began >= 0.009


async def test_a_timeout_is_a_real_one():
    with pytest.raises(TimeoutError):
        async with FakeClock(NOW).timeout(0.01):
            await asyncio.Event().wait()


def test_a_fake_clock_stands_still_until_it_is_moved():
    clock = FakeClock(NOW)

    assert clock.now() == clock.now() == NOW
    clock.advance(timedelta(hours=1))
    assert clock.now() == NOW + timedelta(hours=1)


async def test_a_fake_clock_sleeps_at_once_and_lets_others_run():
    clock = FakeClock(NOW)
    others: list[int] = []
    asyncio.get_running_loop().call_soon(others.append, 1)

    await clock.sleep(3_600)

    assert clock.now() == NOW + timedelta(hours=1)
    assert others == [1]
