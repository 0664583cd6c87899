"""Heads and shared versions, there and back."""

import numpy as np
import pytest

from ml.offline import Learner
from ml.policies import hybrid
from ml.store import head_from_bytes, head_to_bytes, shared_from_bytes, shared_to_bytes
from ml.types import Logged, Schema

SCHEMA = Schema(("hour_of_day", "warmth"), ("red", "green", "blue"))


def a_state() -> hybrid.Person:
    rng = np.random.default_rng(1)
    state = hybrid.POLICY.fresh(SCHEMA)
    for _ in range(10):
        state = hybrid.POLICY.learn(state, Logged(rng.normal(size=2), rng.normal(size=3), 0.5, rng.normal()))
    return state


def test_a_head_comes_back_as_it_was():
    head = a_state().head

    back = head_from_bytes(head_to_bytes(head, SCHEMA), SCHEMA)

    assert back is not None
    assert back.count == head.count
    assert np.array_equal(back.pull, head.pull)
    assert back.gram == pytest.approx(head.gram, abs=1e-15)


def test_a_head_of_other_columns_is_none():
    stored = head_to_bytes(a_state().head, SCHEMA)

    assert head_from_bytes(stored, Schema(("hour_of_day", "warmth"), ("red", "blue", "green"))) is None


def test_a_head_of_twenty_five_columns_takes_three_kilobytes():
    wide = Schema((), tuple(f"column {number}" for number in range(25)))

    assert len(head_to_bytes(hybrid.POLICY.fresh(wide).head, wide)) < 3 * 1024


def test_what_is_shared_ranks_the_same_when_it_comes_back():
    rng, learner = np.random.default_rng(2), Learner("hybrid_v1", SCHEMA, 1)
    for _ in range(40):
        choice = learner.choose("ada", rng.normal(size=2), rng.normal(size=(6, 3)))
        learner.learn("ada", choice, float(choice.candidate[0]))
    shared = learner.shared

    back = shared_from_bytes(shared_to_bytes(shared))

    scene = rng.normal(size=2), rng.normal(size=(6, 3))
    ranked = [hybrid.POLICY.rank(hybrid.POLICY.join(each), *scene, np.random.default_rng(3)) for each in (shared, back)]
    assert np.array_equal(ranked[0].scores, ranked[1].scores)
    assert back.version == shared.version
