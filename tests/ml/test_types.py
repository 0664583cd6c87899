"""Drawing from a logged distribution, and what counts as one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.types import Array, Ranking, checked, draw

SEEDS = st.integers(0, 2**63 - 1)
WEIGHTS = st.integers(1, 40).flatmap(lambda n: arrays(np.float64, n, elements=st.floats(0, 1))).filter(np.any)


def ranking(propensities: list[float], scores: list[float] | None = None) -> Ranking:
    return Ranking(np.array(scores if scores is not None else [0.0] * len(propensities)), np.array(propensities))


@pytest.mark.parametrize("propensities", [[0.1, 0.2, 0.3, 0.4], [0.9, 0.0, 0.1], [0.001] * 1000])
def test_many_draws_match_the_distribution(propensities: list[float]):
    rng = np.random.default_rng(20261123)
    distribution = np.array(propensities)
    draws = 30_000

    counts = np.bincount([draw(distribution, rng) for _ in range(draws)], minlength=len(distribution))

    # Six standard deviations: one false alarm in some hundred million, and the seed is fixed besides.
    deviation = np.sqrt(draws * distribution * (1 - distribution))
    assert (np.abs(counts - draws * distribution) <= 6 * deviation).all()


@given(weights=WEIGHTS, seed=SEEDS)
def test_the_same_seed_draws_the_same(weights: Array, seed: int):
    distribution = weights / weights.sum()

    assert draw(distribution, np.random.default_rng(seed)) == draw(distribution, np.random.default_rng(seed))


@given(weights=WEIGHTS, seed=SEEDS)
def test_what_cannot_happen_is_never_drawn(weights: Array, seed: int):
    distribution = weights / weights.sum()

    assert distribution[draw(distribution, np.random.default_rng(seed))] > 0


def test_a_ranking_is_logged_as_float64():
    lists = Ranking([0, 1], [0.25, 0.75])  # type: ignore[arg-type] -- a policy may return anything

    logged = checked(lists, 2)

    assert (logged.scores.dtype, logged.propensities.dtype) == (np.float64, np.float64)
    assert logged.propensities.tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    "broken",
    [
        ranking([0.5, 0.5, 0.0]),
        ranking([0.5, 0.4]),
        ranking([1.5, -0.5]),
        ranking([float("nan"), 1.0]),
        ranking([float("inf"), 0.0]),
        ranking([0.5, 0.5], scores=[0.0]),
        ranking([0.5, 0.5], scores=[0.0, float("nan")]),
        ranking([]),
    ],
)
def test_what_is_no_distribution_over_the_candidates_is_refused(broken: Ranking):
    with pytest.raises(ValueError, match="propensities"):
        checked(broken, 2)
