"""What every registered policy keeps to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.policies import POLICIES
from ml.types import Array, Policy, checked

each = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
SIZES = st.integers(1, 60)
SEEDS = st.integers(0, 2**63 - 1)


def a_scene(n: int, seed: int) -> tuple[Array, Array]:
    """A context (3,) and candidates (n, 6), read-only as they are in a decision."""
    rng = np.random.default_rng(seed)
    context, candidates = rng.normal(size=3), rng.normal(size=(n, 6))
    for array in (context, candidates):
        array.setflags(write=False)
    return context, candidates


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_registered_by_its_own_name(name: str):
    assert POLICIES[name].name == name
    assert POLICIES[name].version


@each
@given(n=SIZES, seed=SEEDS)
def test_propensities_are_a_distribution_over_the_candidates(policy: Policy, n: int, seed: int):
    ranked = policy.rank(*a_scene(n, seed), np.random.default_rng(seed))

    assert checked(ranked, n).propensities.sum() == pytest.approx(1)


@each
@given(n=SIZES, seed=SEEDS)
def test_the_same_seed_gives_the_same_ranking(policy: Policy, n: int, seed: int):
    context, candidates = a_scene(n, seed)

    first = policy.rank(context, candidates, np.random.default_rng(seed))
    second = policy.rank(context, candidates, np.random.default_rng(seed))

    assert first.scores.tolist() == second.scores.tolist()
    assert first.propensities.tolist() == second.propensities.tolist()


@each
@given(n=SIZES, seed=SEEDS)
def test_reasons_name_a_contribution_for_every_feature(policy: Policy, n: int, seed: int):
    context, candidates = a_scene(n, seed)

    contributions = policy.explain(context, candidates, n - 1)

    assert contributions.shape == (6,)
    assert np.isfinite(contributions).all()


def test_random_gives_every_candidate_the_same_chance():
    ranked = POLICIES["random"].rank(*a_scene(4, 1), np.random.default_rng(1))

    assert ranked.propensities.tolist() == [0.25] * 4


def test_random_gives_no_reasons():
    context, candidates = a_scene(4, 1)

    assert not POLICIES["random"].explain(context, candidates, 2).any()


def test_nothing_cannot_be_ranked():
    with pytest.raises(ValueError, match="nothing to rank"):
        POLICIES["random"].rank(*a_scene(0, 1), np.random.default_rng(1))
