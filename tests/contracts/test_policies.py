"""What every policy keeps, whatever it believes."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ml.offline import Learner
from ml.policies import POLICIES
from ml.types import Array, Logged, Policy, Schema, Sharing, checked, draw

PRODUCT = Schema(
    ("hour_of_day", "day_of_week", "open_items"), ("is_overdue", "task_age_days", "priority", "estimated_minutes")
)
FOREIGN = Schema(("warmth", "noise"), ("red", "green", "blue"))
DRAWS = 100_000


@pytest.fixture(params=POLICIES)
def policy(request: pytest.FixtureRequest) -> Policy[Any]:
    """Each policy."""
    return POLICIES[request.param]


@pytest.fixture(params=[PRODUCT, FOREIGN], ids=["product", "foreign"])
def schema(request: pytest.FixtureRequest) -> Schema:
    """Columns that policies know by name, and columns that they do not."""
    return request.param


def scene(schema: Schema, n: int, seed: int = 1) -> tuple[Array, Array]:
    """Return a context and candidates."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=len(schema.context)), rng.normal(size=(n, len(schema.candidates)))


def a_past(schema: Schema, rounds: int = 60) -> list[Logged]:
    """Return rounds in which the first column is liked."""
    rng = np.random.default_rng(7)
    past: list[Logged] = []
    for _ in range(rounds):
        context, candidates = scene(schema, 1, int(rng.integers(1 << 30)))
        reward = float(np.clip(0.5 * candidates[0, 0] + 0.1 * rng.normal(), -1, 1))
        past.append(Logged(context, candidates[0], 0.5, reward))
    return past


def experienced(policy: Policy[Any], schema: Schema) -> Any:
    """Return the state after a past."""
    state = policy.fresh(schema)
    for logged in a_past(schema):
        state = policy.learn(state, logged)
    return state


def ranked(policy: Policy[Any], state: Any, context: Array, candidates: Array, seed: int = 3) -> Array:
    """Rank, and return the propensities."""
    ranking = policy.rank(state, context, candidates, np.random.default_rng(seed))
    return checked(ranking, len(candidates)).propensities


@pytest.mark.parametrize("n", [1, 2, 30])
def test_propensities_are_what_draws_come_to(policy: Policy[Any], schema: Schema, n: int) -> None:
    propensities = ranked(policy, experienced(policy, schema), *scene(schema, n))
    rng = np.random.default_rng(5)

    drawn = np.bincount([draw(propensities, rng) for _ in range(DRAWS)], minlength=n) / DRAWS

    assert propensities.sum() == pytest.approx(1, abs=1e-12)
    assert propensities.min() > 0
    assert np.abs(drawn - propensities).max() < 5 * np.sqrt(0.25 / DRAWS)


def test_the_same_seed_ranks_the_same(policy: Policy[Any], schema: Schema) -> None:
    state = experienced(policy, schema)

    first, again = (policy.rank(state, *scene(schema, 20), np.random.default_rng(11)) for _ in range(2))

    assert np.array_equal(first.scores, again.scores)
    assert np.array_equal(first.propensities, again.propensities)


def test_nothing_given_is_changed(policy: Policy[Any], schema: Schema) -> None:
    state = experienced(policy, schema)
    before, (context, candidates) = copy.deepcopy(state), scene(schema, 5)
    for array in (context, candidates):
        array.setflags(write=False)

    ranked(policy, state, context, candidates)
    policy.learn(state, Logged(context, candidates[0], 0.2, 1.0))
    policy.explain(state, context, candidates, 2)

    assert equal(state, before)


def equal(one: Any, other: Any) -> bool:
    """Compare states, arrays within included."""
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if hasattr(one, "__dataclass_fields__"):
        return all(equal(getattr(one, name), getattr(other, name)) for name in one.__dataclass_fields__)
    return bool(one == other)


def test_the_order_of_candidates_does_not_matter(policy: Policy[Any], schema: Schema) -> None:
    state, (context, candidates) = experienced(policy, schema), scene(schema, 25)
    order = np.random.default_rng(2).permutation(25)

    assert ranked(policy, state, context, candidates[order]) == pytest.approx(
        ranked(policy, state, context, candidates)[order], abs=1e-9
    )


def test_a_policy_learns_what_is_liked(policy: Policy[Any], schema: Schema) -> None:
    context, candidates = scene(schema, 2)
    candidates[:] = 0.0
    candidates[0, 0] = 1.0

    liked = ranked(policy, experienced(policy, schema), context, candidates)[0]

    assert liked == 0.5 if policy.name == "random" else liked > 0.8


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: np.full_like(rows, np.nan),
        lambda rows: np.where(np.eye(*rows.shape, dtype=bool), np.nan, rows),
        lambda rows: rows * 1e300,
        lambda rows: np.where(np.eye(*rows.shape, dtype=bool), -np.inf, rows),
        np.zeros_like,
        lambda rows: np.tile(rows[:1], (len(rows), 1)),
    ],
    ids=["nothing known", "some unknown", "huge", "infinite", "zero", "all the same"],
)
def test_whatever_the_columns_hold_there_is_a_distribution(policy: Policy[Any], schema: Schema, spoil: Any) -> None:
    context, candidates = scene(schema, 10)
    state = experienced(policy, schema)

    propensities = ranked(policy, state, spoil(context[None, :])[0], spoil(candidates))
    told = policy.learn(state, Logged(spoil(context[None, :])[0], spoil(candidates)[0], 0.1, 0.5))

    assert propensities.min() > 0
    assert np.isfinite(ranked(policy, told, context, candidates)).all()


def test_candidates_that_are_the_same_share_alike(policy: Policy[Any], schema: Schema) -> None:
    context, candidates = scene(schema, 1)

    shares = ranked(policy, experienced(policy, schema), context, np.tile(candidates, (4, 1)))

    assert shares == pytest.approx(0.25, abs=0.12)


def test_nothing_cannot_be_ranked(policy: Policy[Any], schema: Schema) -> None:
    context, candidates = scene(schema, 0)

    with pytest.raises(ValueError, match="nothing to rank"):
        policy.rank(policy.fresh(schema), context, candidates, np.random.default_rng(1))


def test_contributions_add_up_to_the_lead(policy: Policy[Any], schema: Schema) -> None:
    state, (context, candidates) = experienced(policy, schema), scene(schema, 12)
    scores = policy.rank(state, context, candidates, np.random.default_rng(1)).scores

    for chosen in range(12):
        told = policy.explain(state, context, candidates, chosen)
        assert told.contributions.shape == (len(schema.candidates),)
        assert told.contributions.sum() + told.residual == pytest.approx(scores[chosen] - scores.mean(), abs=1e-9)


def test_replaying_comes_to_what_learning_came_to(policy: Policy[Any], schema: Schema) -> None:
    if not isinstance(policy, Sharing):
        pytest.skip("what shares nothing has no other way to replay than to learn again")
    state = experienced(policy, schema)

    replayed = policy.replay(state.shared, a_past(schema))

    assert replayed.head.gram == pytest.approx(state.head.gram, abs=1e-6)
    assert replayed.head.pull == pytest.approx(state.head.pull, abs=1e-6)


@pytest.mark.parametrize("name", POLICIES)
def test_a_revised_reward_is_as_if_it_had_been_so(name: str, schema: Schema) -> None:
    if name == "random":
        return
    learners = [Learner(name, schema, 1) for _ in range(2)]
    rewards = np.random.default_rng(4).normal(size=20)
    for number, reward in enumerate(rewards):
        context, candidates = scene(schema, 8, number)
        for learner, is_late in zip(learners, (False, True), strict=True):
            choice = replace(learner.choose("ada", context, candidates), index=3, candidate=candidates[3])
            learner.learn("ada", choice, -1.0 if is_late else reward)
            if is_late:
                learner.revise("ada", choice, reward)
    for learner in learners:
        learner.refit()

    scores = [learner.choose("ada", *scene(schema, 8, 99)).scores for learner in learners]

    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
