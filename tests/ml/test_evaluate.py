"""What the estimators, the weights and the verdict keep to; whether the intervals cover is in test_coverage.py."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.evaluate import (
    Estimate,
    Estimator,
    LoggedData,
    Modelled,
    Outcome,
    cross_fit,
    estimate,
    estimate_gain,
    expected,
    verdict,
    weigh,
)
from tests.ml.obp_values import Case, cases

RECORDED = json.loads((Path(__file__).parent / "obp_values.json").read_text())["values"]
CASES = cases()
UNMODELLED = {Estimator.IPS, Estimator.SNIPS}
each = pytest.mark.parametrize("estimator", Estimator)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def some_log(n: int = 200, seed: int = 5) -> LoggedData:
    """Decisions among five, evaluated for a policy that leans towards what was rewarded."""
    chance = rng(seed)
    propensities = chance.uniform(0.05, 0.6, size=n)
    evaluated = np.clip(propensities * chance.uniform(0, 3, size=n), 0, 1)
    rewards = 0.3 * evaluated / propensities + chance.normal(size=n) * 0.3
    modelled = Modelled(chance.normal(size=n), chance.normal(size=n), chance.normal(size=n))
    return LoggedData(rewards, propensities, evaluated, None, modelled)


def of_case(case: Case) -> LoggedData:
    """The arrays of a case shared with obp."""
    at = list(enumerate(case.chosen))
    probabilities = [np.array(one) for one in case.evaluated]
    estimates = [np.array(one) for one in case.estimates]
    return LoggedData(
        rewards=np.array(case.rewards),
        propensities=np.array([case.logged[i][a] for i, a in at]),
        evaluated=np.array([case.evaluated[i][a] for i, a in at]),
        users=None,
        modelled=Modelled(np.array([case.estimates[i][a] for i, a in at]), expected(probabilities, estimates), None),
    )


@pytest.mark.parametrize("name", CASES)
@each
def test_a_value_is_that_of_open_bandit_pipeline(name: str, estimator: Estimator):
    values = estimate(of_case(CASES[name]), rng(), resamples=1)

    assert abs(values[estimator].value - RECORDED[name][estimator]) <= 1e-12


def test_every_recorded_value_is_compared():
    assert {name: set(values) for name, values in RECORDED.items()} == {name: set(Estimator) for name in CASES}


@each
def test_a_gain_is_the_value_less_the_mean_reward(estimator: Estimator):
    log = some_log()

    gain = estimate_gain(log, rng())[estimator].value

    assert gain == pytest.approx(estimate(log, rng())[estimator].value - log.rewards.mean(), abs=1e-12)


@pytest.mark.parametrize("estimator", sorted(UNMODELLED))
def test_the_policy_that_served_gains_nothing_for_certain(estimator: Estimator):
    log = some_log()

    gain = estimate_gain(replace(log, evaluated=log.propensities), rng())[estimator]

    assert (gain.value, gain.error) == pytest.approx((0, 0), abs=1e-12)
    assert (gain.asymptotic.low, gain.bootstrap.high) == pytest.approx((0, 0), abs=1e-12)


def test_without_a_reward_model_there_is_only_what_needs_none():
    assert set(estimate(replace(some_log(), modelled=None), rng())) == UNMODELLED


@each
def test_the_same_seed_gives_the_same_intervals(estimator: Estimator):
    assert estimate(some_log(), rng(7))[estimator] == estimate(some_log(), rng(7))[estimator]


def test_another_seed_moves_only_the_bootstrap():
    one, other = estimate(some_log(), rng(1))[Estimator.DR], estimate(some_log(), rng(2))[Estimator.DR]

    assert (one.value, one.error, one.asymptotic) == (other.value, other.error, other.asymptotic)
    assert one.bootstrap != other.bootstrap
    assert one.bootstrap.low == pytest.approx(other.bootstrap.low, abs=one.error / 4)


def test_the_error_of_a_mean_is_the_textbooks():
    log = some_log()
    terms = log.weights() * log.rewards

    assert estimate(log, rng())[Estimator.IPS].error == pytest.approx(terms.std(ddof=1) / math.sqrt(len(terms)))


def test_the_error_of_a_ratio_is_the_delta_methods():
    log = some_log(2_000)
    w = log.weights()
    snips = estimate(log, rng())[Estimator.SNIPS]

    assert snips.error == pytest.approx(np.linalg.norm(w * (log.rewards - snips.value)) / w.sum(), rel=0.01)


@each
def test_a_decision_told_twice_by_its_user_makes_no_interval_narrower(estimator: Estimator):
    log, users = some_log(), np.arange(200)
    model = log.modelled
    assert model is not None
    assert model.leverages is not None
    doubled = LoggedData(
        *(np.tile(array, 2) for array in (log.rewards, log.propensities, log.evaluated)),
        users=np.tile(users, 2),
        modelled=Modelled(*(np.tile(array, 2) for array in (model.estimates, model.expectations, model.leverages))),
    )

    once, twice = estimate(replace(log, users=users), rng())[estimator], estimate(doubled, rng())[estimator]

    assert twice.error == pytest.approx(once.error)
    assert twice.bootstrap.low == pytest.approx(once.bootstrap.low)
    assert twice.asymptotic.high == pytest.approx(once.asymptotic.high)


@each
def test_users_of_one_decision_are_as_good_as_none(estimator: Estimator):
    log = some_log()
    named = replace(log, users=np.array([f"u{number:03}" for number in range(200)]))

    one, other = (estimate(each, rng())[estimator] for each in (named, log))

    assert (one.value, one.error) == pytest.approx((other.value, other.error))
    assert one.bootstrap.low == pytest.approx(other.bootstrap.low)


@each
def test_one_user_tells_nothing_of_others(estimator: Estimator):
    told = estimate(replace(some_log(), users=np.zeros(200)), rng())[estimator]

    assert math.isfinite(told.value)
    assert (told.asymptotic.low, told.bootstrap.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("estimator", [Estimator.IPS, Estimator.SNIPS])
def test_intervals_are_wider_where_few_decisions_carry_the_weight(estimator: Estimator):
    log = some_log()
    heavy = replace(log, propensities=np.where(np.arange(200) % 40 == 0, log.propensities / 20, log.propensities))

    even, uneven = (estimate(each, rng())[estimator] for each in (log, heavy))

    for width in (asymptotic_reach, bootstrap_reach):
        assert 1.9 < width(even) < 2.2
        assert width(uneven) > 1.2 * width(even)


def asymptotic_reach(told: Estimate) -> float:
    """Half the width in standard errors."""
    return (told.asymptotic.high - told.value) / told.error


def bootstrap_reach(told: Estimate) -> float:
    """Half the width in standard errors."""
    return (told.bootstrap.high - told.value) / told.error


def test_students_quantile_is_the_tables():
    reaches: list[float] = []
    for users in (4, 10, 100):
        even = LoggedData(np.tile([1.0, -1.0], users // 2), np.ones(users), np.ones(users), None, None)
        reaches.append(asymptotic_reach(estimate(even, rng(), resamples=1)[Estimator.IPS]))

    assert reaches == pytest.approx([3.182, 2.262, 1.984], abs=0.01)


def test_a_log_of_many_users_is_resampled_in_parts():
    dr = estimate(some_log(5_000), rng(), resamples=1_000)[Estimator.DR]

    assert dr.bootstrap.low == pytest.approx(dr.asymptotic.low, abs=dr.error / 4)
    assert dr.bootstrap.high == pytest.approx(dr.asymptotic.high, abs=dr.error / 4)


def test_a_policy_that_never_does_what_was_logged_has_no_ratio():
    values = estimate(replace(some_log(), evaluated=np.zeros(200)), rng())

    assert values[Estimator.IPS].value == 0
    assert math.isnan(values[Estimator.SNIPS].value)
    assert values[Estimator.SNIPS].bootstrap.high == math.inf


@given(weights=st.lists(st.floats(0, 40), min_size=1, max_size=60))
def test_the_effective_sample_is_between_one_and_the_decisions(weights: list[float]):
    w = np.array(weights)
    log = LoggedData(np.zeros(len(w)), np.full(len(w), 0.02), np.minimum(w * 0.02, 1), None, None)

    effective = weigh(log, cap=10).effective

    assert effective == 0 if not log.evaluated.any() else 1 - 1e-9 <= effective <= len(w) + 1e-9


def test_weights_are_measured():
    log = LoggedData(np.zeros(4), np.full(4, 0.1), np.array([0.1, 0.1, 0.2, 0.8]), None, None)

    weights = weigh(log, cap=5)

    assert (weights.effective, weights.largest) == pytest.approx((12**2 / 70, 8))
    assert (weights.mean, weights.beyond) == pytest.approx((3, 3 / 12))


def test_expectations_are_taken_over_however_many_candidates_there_are():
    probabilities = [np.array([0.5, 0.5]), np.array([1.0]), np.array([0.2, 0.3, 0.5])]
    values = [np.array([1.0, 3.0]), np.array([7.0]), np.array([10.0, 0.0, 2.0])]

    assert expected(probabilities, values).tolist() == pytest.approx([2, 7, 3])
    rows = expected(probabilities, [np.stack([one, -one], axis=1) for one in values])
    assert rows.ravel().tolist() == pytest.approx([2, -2, 7, -7, 3, -3])


@pytest.mark.parametrize("sizes", [([2], [3]), ([0], [0]), ([], [])])
def test_expectations_need_a_value_for_each_candidate(sizes: tuple[list[int], list[int]]):
    probabilities, values = ([np.ones(n) for n in side] for side in sizes)

    with pytest.raises(ValueError, match="at least one"):
        expected(probabilities, values)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"rewards": np.zeros(199)}, "one length"),
        ({"users": np.zeros(3)}, "one length"),
        ({"rewards": np.full(200, np.nan)}, "finite"),
        ({"propensities": np.zeros(200)}, "above zero"),
        ({"evaluated": np.full(200, 1.1)}, "above one"),
        ({"evaluated": np.full(200, -0.1)}, "below zero"),
        ({"modelled": Modelled(np.zeros(200), np.full(200, np.inf), None)}, "finite"),
    ],
)
def test_what_is_no_log_is_refused(broken: dict[str, np.ndarray | Modelled], says: str):
    with pytest.raises(ValueError, match=says):
        replace(some_log(), **broken)


def test_an_empty_log_is_refused():
    nothing = np.zeros(0)

    with pytest.raises(ValueError, match="at least one decision"):
        LoggedData(nothing, nothing, nothing, None, None)


def test_the_verdict_is_refused_in_words_when_the_log_tells_too_little():
    log = LoggedData(np.ones(49), np.full(49, 0.5), np.full(49, 0.5), None, None)

    told = verdict(log, Estimator.SNIPS, rng())

    assert (told.outcome, told.gain) == (Outcome.REFUSED, None)
    assert told.sentence == (
        "The 49 logged decisions tell no more about this policy than 49 of its own would; a verdict needs 50."
    )


def test_many_decisions_are_refused_when_few_of_them_carry_the_weight():
    log = LoggedData(np.ones(5_000), np.full(5_000, 0.01), np.where(np.arange(5_000) < 49, 1.0, 0.0), None, None)

    assert verdict(log, Estimator.IPS, rng()).outcome == Outcome.REFUSED


@pytest.mark.parametrize(("gain", "outcome"), [(0.5, Outcome.BETTER), (-0.5, Outcome.WORSE), (0.0, Outcome.OPEN)])
def test_the_verdict_says_which_is_better_or_that_it_is_open(gain: float, outcome: Outcome):
    leans = rng(2).uniform(size=400) < 0.5
    rewards = np.where(leans, gain, 0.0) + rng(3).normal(size=400)
    log = LoggedData(rewards, np.full(400, 0.5), np.where(leans, 0.9, 0.1), None, None)

    told = verdict(log, Estimator.SNIPS, rng())

    assert told.outcome == outcome
    assert told.gain is not None
    assert f"{told.gain.value:+.3f} a decision" in told.sentence


def test_fifty_decisions_worth_are_enough():
    log = LoggedData(np.arange(50.0), np.full(50, 0.5), np.full(50, 0.5), None, None)

    assert verdict(log, Estimator.IPS, rng()).outcome == Outcome.OPEN


def test_a_verdict_by_a_model_needs_one():
    with pytest.raises(ValueError, match="dr needs a reward model"):
        verdict(replace(some_log(), modelled=None), Estimator.DR, rng())


def linear_log(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features of the logged action (n, 3), their mean under another policy (n, 3), rewards that follow, five users."""
    chance = rng(seed)
    chosen, mean = chance.normal(size=(n, 3)), chance.normal(size=(n, 3)) + 1
    return chosen, mean, 0.2 + chosen @ np.array([0.5, -0.2, 0.1]), np.arange(n) % 5


def test_a_reward_model_finds_what_is_linear():
    chosen, mean, rewards, users = linear_log(4_000, 1)

    model = cross_fit(chosen, mean, rewards, users)

    assert model.estimates == pytest.approx(rewards, abs=1e-2)
    assert model.expectations == pytest.approx(0.2 + mean @ np.array([0.5, -0.2, 0.1]), abs=1e-2)


def test_a_reward_model_is_never_told_the_rewards_of_whom_it_speaks():
    chosen, mean, rewards, users = linear_log(100, 2)
    theirs = users == 3

    before = cross_fit(chosen, mean, rewards, users)
    after = cross_fit(chosen, mean, np.where(theirs, 1e6, rewards), users)

    assert after.estimates[theirs].tolist() == before.estimates[theirs].tolist()
    assert after.expectations[theirs].tolist() == before.expectations[theirs].tolist()
    assert after.estimates[~theirs].tolist() != before.estimates[~theirs].tolist()


def test_a_leverage_is_what_a_reward_moves_the_mean_expectation_by():
    chosen, mean, rewards, users = linear_log(60, 3)
    nudged = rewards.copy()
    nudged[17] += 1

    before, after = (cross_fit(chosen, mean, each, users) for each in (rewards, nudged))

    assert before.leverages is not None
    assert (after.expectations - before.expectations).sum() == pytest.approx(before.leverages[17])


def test_a_column_that_never_changes_does_no_harm():
    chosen, mean, rewards, users = linear_log(80, 4)
    still = np.ones((80, 1))

    model = cross_fit(np.hstack([chosen, still]), np.hstack([mean, still]), rewards, users)

    assert model.estimates == pytest.approx(cross_fit(chosen, mean, rewards, users).estimates)


def test_a_reward_model_needs_two_users():
    chosen, mean, rewards, _ = linear_log(20, 5)

    with pytest.raises(ValueError, match="two users"):
        cross_fit(chosen, mean, rewards, np.zeros(20))


def test_the_direct_method_is_the_mean_expectation_however_much_the_rewards_moved_the_model():
    log = some_log()
    assert log.modelled is not None

    assert estimate(log, rng())[Estimator.DM].value == pytest.approx(log.modelled.expectations.mean(), abs=1e-12)


def test_the_mean_reward_is_not_shrunk():
    chosen, mean, rewards, users = linear_log(20, 6)

    model = cross_fit(chosen, mean, np.full_like(rewards, 5.0), users)

    assert model.estimates == pytest.approx(np.full(20, 5.0))


@pytest.mark.parametrize("estimator", [Estimator.SNIPS, Estimator.SNDR])
def test_rewards_that_are_all_the_same_leave_nothing_open(estimator: Estimator):
    log = replace(some_log(), rewards=np.full(200, 0.3), modelled=Modelled(np.zeros(200), np.zeros(200), None))

    told = estimate(log, rng())[estimator]

    assert (told.value, told.asymptotic.low, told.bootstrap.low, told.bootstrap.high) == pytest.approx((0.3,) * 4)


def test_a_verdict_on_one_person_is_open_in_words():
    log = replace(some_log(), users=np.zeros(200))

    told = verdict(log, Estimator.SNIPS, rng())

    assert told.outcome == Outcome.OPEN
    assert told.sentence.endswith("it holds too few people.")
