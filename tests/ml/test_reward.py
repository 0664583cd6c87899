"""`reward_v1`: the table of PRODUCT section 5 at every edge."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.reward import SILENCE, VERSION, delayed_reward, reaction_reward

DWELLS = st.integers(0, 86_400_000)
ACTIONS = st.sampled_from(["done", "snooze", "dismiss"])


@pytest.mark.parametrize(
    ("dwell_ms", "done", "snooze", "dismiss"),
    [
        (0, 0.6, -0.2, -1.0),
        (1_999, 0.6, -0.2, -1.0),
        (2_000, 0.8, 0.0, -0.6),
        (14_999, 0.8, 0.0, -0.6),
        (15_000, 1.0, 0.1, -0.4),
        (120_000, 1.0, 0.1, -0.4),
        (120_001, 0.7, 0.0, -0.3),
        (86_400_000, 0.7, 0.0, -0.3),
        (None, 0.8, 0.0, -0.6),
    ],
)
def test_a_reaction_is_worth_what_the_table_says(dwell_ms: int | None, done: float, snooze: float, dismiss: float):
    assert reaction_reward("done", dwell_ms) == done
    assert reaction_reward("snooze", dwell_ms) == snooze
    assert reaction_reward("dismiss", dwell_ms) == dismiss


@given(dwell_ms=DWELLS)
def test_done_is_always_worth_more_than_snooze_and_snooze_more_than_dismiss(dwell_ms: int):
    rewards = [reaction_reward(action, dwell_ms) for action in ("done", "snooze", "dismiss")]

    assert rewards == sorted(rewards, reverse=True)
    assert len(set(rewards)) == len(rewards)


@given(dwell_ms=DWELLS, action=ACTIONS)
def test_no_reaction_is_worth_more_than_one_or_less_than_minus_one(dwell_ms: int, action: str):
    assert -1 <= reaction_reward(action, dwell_ms) <= 1


def test_silence_costs_little():
    assert SILENCE == -0.05


def test_the_table_has_a_version():
    assert VERSION == "reward_v1"


@pytest.mark.parametrize(("hours", "reward"), [(0, 0.7), (6, 0.6), (12, 0.5), (18, 0.4), (24, 0.3)])
def test_a_delayed_reward_falls_on_a_straight_line(hours: int, reward: float):
    assert delayed_reward(timedelta(hours=hours)) == pytest.approx(reward)


@given(first=st.timedeltas(timedelta(0), timedelta(hours=24)), later=st.timedeltas(timedelta(0), timedelta(hours=24)))
def test_a_delayed_reward_never_rises_with_time(first: timedelta, later: timedelta):
    assert delayed_reward(max(first, later)) <= delayed_reward(min(first, later))


@given(elapsed=st.timedeltas(timedelta(days=-2), timedelta(days=2)))
def test_a_delayed_reward_stays_between_its_ends(elapsed: timedelta):
    assert 0.3 <= round(delayed_reward(elapsed), 12) <= 0.7
