"""The pipeline's log: any decision can be replayed to the same answer, whatever the policy did."""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pytest

from ml.policies import POLICIES
from ml.types import Array, Explanation, Logged, Ranking, Schema, draw
from oo_app import features, tips
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from tests.people import a_person, a_task, a_tip, decision


@dataclass(frozen=True)
class Scripted:
    """A policy that does what a test says."""

    ranks: Callable[[Array, Array, np.random.Generator], Ranking]
    explains: Callable[[Array, Array, int], Array] = lambda _context, candidates, chosen: candidates[chosen] * 0
    name: str = "scripted"
    version: str = "7"

    def fresh(self, schema: Schema) -> None:
        """Know nothing."""

    def rank(self, state: None, context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
        return self.ranks(context, candidates, rng)

    def learn(self, state: None, logged: Logged) -> None:
        """Learn nothing."""

    def explain(self, state: None, context: Array, candidates: Array, chosen: int) -> Explanation:
        return Explanation(self.explains(context, candidates, chosen))


def certain(_context: Array, candidates: Array, _rng: np.random.Generator) -> Ranking:
    """Always the first candidate."""
    first = np.eye(len(candidates))[0]
    return Ranking(first, first)


def by_chance(_context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
    """Another distribution for every seed."""
    weights = rng.random(len(candidates))
    return Ranking(weights, weights / weights.sum())


def raises(_context: Array, _candidates: Array, _rng: np.random.Generator) -> Ranking:
    raise RuntimeError("a policy with a bug")


def half(_context: Array, candidates: Array, _rng: np.random.Generator) -> Ranking:
    return Ranking(np.zeros(len(candidates)), np.full(len(candidates), 0.5 / len(candidates)))


def meddles(context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
    context[:] = 0
    return by_chance(context, candidates, rng)


def explains_badly(_context: Array, _candidates: Array, _chosen: int) -> Array:
    raise IndexError("no such feature")


async def test_a_decision_holds_everything_it_was_made_from(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=0, time_zone="Europe/Berlin")
    items = [await a_task(rt, ada, priority=n + 1, due_at=clock.now() + timedelta(days=n - 1)) for n in range(3)]

    served = await a_tip(rt, ada.id)

    kept = await decision(rt, served.tip.impression_id)
    ids = json.loads(kept.candidate_ids)
    candidates = np.frombuffer(kept.candidates).reshape(len(ids), -1)
    columns = [feature.name for feature in features.CANDIDATE_FEATURES]
    assert sorted(ids) == sorted(items)
    assert np.frombuffer(kept.context)[:3].tolist() == [10.0, 0.0, 3.0]  # ten o'clock in Berlin, Monday, three items
    assert len(np.frombuffer(kept.context)) == len(features.CONTEXT_FEATURES)
    assert candidates[:, columns.index("priority")].tolist() == [items.index(item) + 1 for item in ids]
    assert candidates[:, columns.index("days_until_due")].tolist() == [items.index(item) - 1 for item in ids]
    assert np.frombuffer(kept.propensities).tolist() == [1 / 3] * 3
    assert np.frombuffer(kept.scores).tolist() == [0.0] * 3
    assert (kept.policy, kept.policy_version, kept.is_fallback) == ("random", "1", False)
    assert (kept.surface, kept.at, kept.schema_version) == ("web", clock.now(), features.SCHEMA)
    assert ids[kept.chosen] == served.tip.id
    assert kept.latency_ms > 0


async def test_what_is_served_says_how_it_was_chosen(rt: Runtime):
    ada = await a_person(rt, tasks=4)

    served = await a_tip(rt, ada.id)

    assert (served.policy, served.policy_version, served.propensity) == ("random", "1", 0.25)
    assert (served.candidates, served.reasons) == (4, ())


async def test_many_candidates_come_to_the_same_numbers(rt: Runtime, monkeypatch: pytest.MonkeyPatch):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    few = await decision(rt, (await a_tip(rt, ada.id)).tip.impression_id)
    monkeypatch.setattr(sys.modules["oo_app.tips.recommend"], "MANY", 2)

    many = await decision(rt, (await a_tip(rt, ben.id)).tip.impression_id)

    assert (many.context, many.candidates, many.missing) == (few.context, few.candidates, few.missing)


@pytest.mark.parametrize("ranks", [certain, by_chance])
async def test_a_decision_replays_to_the_same_answer(rt: Runtime, ranks: Callable[..., Ranking]):
    policy = Scripted(ranks)
    rt = replace(rt, policy=policy)
    for n in range(5):
        person = await a_person(rt, f"person {n}", tasks=7)
        served = await a_tip(rt, person.id)

        kept = await decision(rt, served.tip.impression_id)
        ids = json.loads(kept.candidate_ids)
        context, candidates = np.frombuffer(kept.context), np.frombuffer(kept.candidates).reshape(len(ids), -1)
        again = policy.rank(None, context, candidates, np.random.default_rng(kept.seed))
        assert again.propensities.tolist() == np.frombuffer(kept.propensities).tolist()
        assert draw(again.propensities, np.random.default_rng([kept.seed, 1])) == kept.chosen
        assert served.propensity == again.propensities[kept.chosen]


async def test_propensities_sum_to_one_in_every_decision(rt: Runtime):
    rt = replace(rt, policy=Scripted(by_chance))
    for n in range(1, 6):
        person = await a_person(rt, f"person {n}", tasks=n)
        served = await a_tip(rt, person.id)

        kept = await decision(rt, served.tip.impression_id)

        assert np.frombuffer(kept.propensities).sum() == pytest.approx(1)
        assert len(np.frombuffer(kept.propensities)) == len(json.loads(kept.candidate_ids)) == n


async def test_decisions_have_seeds_of_their_own(rt: Runtime):
    seeds: set[int] = set()
    for n in range(4):
        person = await a_person(rt, f"person {n}")
        served = await a_tip(rt, person.id)
        seeds.add((await decision(rt, served.tip.impression_id)).seed)

    assert len(seeds) == 4


@pytest.mark.parametrize(
    "policy",
    [Scripted(raises), Scripted(half), Scripted(meddles), Scripted(certain, explains=explains_badly)],
    ids=["raises", "is no distribution", "meddles with what is logged", "cannot explain"],
)
async def test_a_policy_that_fails_is_replaced_by_random_and_the_log_says_so(rt: Runtime, policy: Scripted):
    rt = replace(rt, policy=policy)
    ada = await a_person(rt, tasks=4)

    served = await a_tip(rt, ada.id)

    kept = await decision(rt, served.tip.impression_id)
    assert (served.policy, served.policy_version, served.propensity) == ("random", POLICIES["random"].version, 0.25)
    assert (kept.policy, kept.is_fallback) == ("random", True)
    assert np.frombuffer(kept.context)[2] == 4


async def test_a_policy_that_is_late_is_replaced_by_random(rt: Runtime):
    is_released = threading.Event()

    def hangs(context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
        is_released.wait(10)
        return by_chance(context, candidates, rng)

    rt = replace(rt, policy=Scripted(hangs))
    ada = await a_person(rt)

    served = await a_tip(rt, ada.id)
    is_released.set()

    kept = await decision(rt, served.tip.impression_id)
    assert (kept.policy, kept.is_fallback) == ("random", True)
    assert 250 <= kept.latency_ms < 2_000


async def test_a_policy_within_its_budget_is_no_fallback(rt: Runtime):
    rt = replace(rt, policy=Scripted(certain))
    ada = await a_person(rt)

    served = await a_tip(rt, ada.id)

    kept = await decision(rt, served.tip.impression_id)
    assert (kept.policy, kept.policy_version, kept.is_fallback) == ("scripted", "7", False)
    assert served.propensity == 1.0


async def test_reasons_name_the_features_that_moved_the_choice_each_time_it_is_asked_for(rt: Runtime):
    columns = [feature.name for feature in features.CANDIDATE_FEATURES]

    def by_priority(_context: Array, candidates: Array, chosen: int) -> Array:
        moved = np.zeros(len(columns))
        moved[columns.index("priority")] = 0.25
        return moved

    rt = replace(rt, policy=Scripted(certain, explains=by_priority))
    ada = await a_person(rt, tasks=0)
    await a_task(rt, ada, priority=4)

    first, again = await a_tip(rt, ada.id), await a_tip(rt, ada.id)

    assert first.reasons == again.reasons == (tips.Reason("priority", 4.0, 0.25),)


@pytest.mark.parametrize(
    "later", [POLICIES["random"], Scripted(certain, version="8"), Scripted(certain, name="another")]
)
async def test_an_open_tip_outlives_the_policy_that_chose_it(rt: Runtime, later: Scripted):
    ada = await a_person(rt)
    first = await a_tip(replace(rt, policy=Scripted(certain)), ada.id)

    again = await a_tip(replace(rt, policy=later), ada.id)

    assert (again.tip, again.policy, again.policy_version) == (first.tip, "scripted", "7")
    assert again.reasons == ()
