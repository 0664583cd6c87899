"""Buckets: a burst, then the rate; one for each address or session, bounded, and never unfair to who waits."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import TooMany
from oo_app.kit.limits import MOST_KEPT, REQUESTS, SIGN_INS, WRITES, Limits, network
from tests.conftest import START


def taken(take: Callable[[str], None], key: str, most: int = 2000) -> int:
    """Take until it is refused; return how often it was not."""
    for count in range(most):
        try:
            take(key)
        except TooMany:
            return count
    return most


def wait_of(limits: Limits) -> int:
    """Write once; return how long one is told to wait, nothing when it was let through."""
    try:
        limits.write("session")
    except TooMany as refused:
        return refused.retry_after
    return 0


@pytest.fixture
def limits(clock: FakeClock) -> Limits:
    """Limits as they are without a load test."""
    return Limits(clock, 1)


def test_the_limits_are_those_of_the_contract():
    assert (REQUESTS.per_minute, SIGN_INS.per_minute, WRITES.per_minute, WRITES.burst) == (600, 20, 60, 20)


@pytest.mark.parametrize(("kind", "burst"), [("request", 600), ("write", 20)])
def test_a_burst_is_let_through_and_no_more(limits: Limits, kind: str, burst: int):
    assert taken(getattr(limits, kind), "somebody") == burst
    assert taken(getattr(limits, kind), "somebody else") == burst


def test_each_step_of_a_sign_in_has_its_own_bucket(limits: Limits):
    assert taken(lambda step: limits.sign_in("192.0.2.1", step), "GET start") == 20
    assert taken(lambda step: limits.sign_in("192.0.2.1", step), "GET callback") == 20
    assert taken(lambda step: limits.sign_in("192.0.2.2", step), "GET start") == 20


def test_kinds_do_not_share_a_bucket(limits: Limits):
    taken(lambda step: limits.sign_in("192.0.2.1", step), "GET start")

    limits.request("192.0.2.1")


def test_after_the_burst_the_rate_holds(limits: Limits, clock: FakeClock):
    taken(limits.write, "session")

    for _ in range(60):
        clock.advance(timedelta(seconds=1))
        assert taken(limits.write, "session") == 1


def test_a_bucket_fills_again_and_not_beyond(limits: Limits, clock: FakeClock):
    taken(limits.write, "session")
    clock.advance(timedelta(hours=1))

    assert taken(limits.write, "session") == 20


def test_who_waits_as_long_as_told_is_let_through(limits: Limits, clock: FakeClock):
    taken(lambda step: limits.sign_in("192.0.2.1", step), "GET start")

    with pytest.raises(TooMany) as refused:
        limits.sign_in("192.0.2.1", "GET start")
    clock.advance(timedelta(seconds=refused.value.retry_after))

    assert refused.value.retry_after == 3
    limits.sign_in("192.0.2.1", "GET start")


@given(pauses=st.lists(st.floats(min_value=0, max_value=5), max_size=80))
def test_the_wait_told_is_whole_seconds_and_enough(pauses: list[float]):
    clock = FakeClock(START)
    limits = Limits(clock, 1)
    for pause in pauses:
        clock.advance(timedelta(seconds=pause))
        if wait := wait_of(limits):
            assert type(wait) is int
            clock.advance(timedelta(seconds=wait))
            assert wait_of(limits) == 0


def test_asking_while_refused_makes_the_wait_no_longer(limits: Limits, clock: FakeClock):
    taken(limits.write, "session")
    for _ in range(100):
        with pytest.raises(TooMany):
            limits.write("session")

    clock.advance(timedelta(seconds=1))

    limits.write("session")


def test_a_factor_multiplies_burst_and_rate(clock: FakeClock):
    limits = Limits(clock, 2.5)

    assert taken(limits.write, "session") == 50
    clock.advance(timedelta(seconds=2))
    assert taken(limits.write, "session") == 5


def test_a_clock_set_back_locks_nobody_out(limits: Limits, clock: FakeClock):
    taken(limits.write, "session")
    clock.advance(timedelta(days=-1))

    with pytest.raises(TooMany) as refused:
        limits.write("session")
    assert refused.value.retry_after == 1
    clock.advance(timedelta(seconds=1))
    limits.write("session")


def test_of_very_many_those_used_last_are_kept(limits: Limits):
    taken(limits.write, "old")
    taken(limits.write, "busy")
    for number in range(MOST_KEPT - 1):
        limits.write(str(number))
        if number % 1000 == 0:
            with pytest.raises(TooMany):
                limits.write("busy")

    assert taken(limits.write, "old") == 20
    with pytest.raises(TooMany):
        limits.write("busy")
    assert len(limits._writes._full_at) == MOST_KEPT


@pytest.mark.parametrize(
    ("address", "shares_with", "is_shared"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("2001:db8::1", "2001:0db8:0000:0000::2", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "192.0.2.1", False),
    ],
)
def test_addresses_that_one_party_holds_share_a_bucket(address: str, shares_with: str, *, is_shared: bool):
    assert (network(address) == network(shares_with)) is is_shared
