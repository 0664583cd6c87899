"""`hybrid_v1`: what everybody shares and what is a person's own, added up; Thompson sampling, much tempered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

import numpy as np

from ml import mixed, shares
from ml.design import design, unscaled
from ml.head import Head, empty
from ml.mixed import Shared
from ml.store import shared_from_bytes
from ml.types import Array, Explanation, Logged, Ranking, Scaling, Schema

TEMPER = 0.1  # of the belief's noise: 1 is Thompson sampling, 0 greedy


@dataclass(frozen=True, slots=True)
class Person:
    """A person's head, on a version of what everybody shares."""

    shared: Shared
    head: Head


class Hybrid:
    """Scores by the mean of the mixed model; chooses by how often each candidate is the best of tempered draws."""

    name = "hybrid_v1"
    version = "1"

    def __init__(self, temper: float, start: Callable[[Schema], Shared]) -> None:
        self.temper = temper
        self._start = start

    def begin(self, schema: Schema) -> Shared:
        """Return what is shared before anybody was seen."""
        return self._start(schema)

    def fresh(self, schema: Schema) -> Person:
        """Return somebody of whom nothing is known, where nobody is."""
        return self.join(self.begin(schema))

    def join(self, shared: Shared) -> Person:
        """Return somebody of whom nothing is known, on what everybody shares."""
        return Person(shared, empty(shared.design.own_width))

    def rank(self, state: Person, context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
        """Rank the candidates."""
        shared = state.shared
        seen = shared.design.seen(candidates)
        order = shares.canonical(seen)
        x, z = shared.design.columns(context, seen[order])
        own = mixed.own_belief(shared, state.head)
        scores = x @ shared.mean + z @ own.mean
        covariance = x @ shared.covariance @ x.T + z @ own.covariance @ z.T
        propensities = shares.floored(shares.wins(scores, covariance, rng, self.temper))
        back = np.argsort(order)
        return Ranking(scores[back], propensities[back])

    def learn(self, state: Person, logged: Logged) -> Person:
        """Fold a round into the person's head."""
        return replace(state, head=mixed.fold(state.shared, state.head, logged))

    def pool(self, shared: Shared, state: Person, logged: Logged) -> Shared:
        """Fold a round into what is shared; `state` is the person's before it."""
        return mixed.pool(shared, state.head, logged)

    def amend(self, shared: Shared, logged: Logged, reward: float) -> Shared:
        """Replace the reward of a round that was pooled."""
        return mixed.amend(shared, logged, reward)

    def refit(self, shared: Shared, everybody: Sequence[Sequence[Logged]], scaling: Scaling | None = None) -> Shared:
        """Fit what is shared anew to everybody's rounds, in their order; scaled as said, or as before."""
        if scaling is not None and shared.base is None:
            shared = mixed.begin(replace(shared.design, scaling=scaling))
        return mixed.refit(shared, [mixed.history(shared.design, rounds) for rounds in everybody if rounds])

    def replay(self, shared: Shared, rounds: Sequence[Logged]) -> Person:
        """Return the person that folding all of their rounds on a version comes to."""
        fresh = self.join(shared)
        return replace(fresh, head=mixed.folded(shared, mixed.history(shared.design, rounds))) if rounds else fresh

    def explain(self, state: Person, context: Array, candidates: Array, chosen: int) -> Explanation:
        """Add up what each column of a candidate contributes, shared and own, crosses with the context included."""
        shared = state.shared
        x, z = shared.design.columns(context, shared.design.seen(candidates))
        own = mixed.own_belief(shared, state.head)
        credit = shared.design.credited(shared.mean * (x[chosen] - x.mean(axis=0)))
        return Explanation(credit + shared.design.own_credited(own.mean * (z[chosen] - z.mean(axis=0))))


def from_nothing(schema: Schema) -> Shared:
    """Assume nothing of anybody."""
    return mixed.begin(design(schema, unscaled(schema)))


def from_prior(schema: Schema) -> Shared:
    """Assume what a simulated population taught, in the columns that it was asked about; in others, nothing."""
    shipped = _shipped()
    return mixed.based(shipped) if shipped.design.schema == schema else from_nothing(schema)


@lru_cache(maxsize=1)
def _shipped() -> Shared:
    return shared_from_bytes((files("ml") / "priors" / "hybrid_v1.npz").read_bytes())


POLICY = Hybrid(TEMPER, from_prior)
