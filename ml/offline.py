"""Policies driven in memory, without database and application: the same code, any columns, any number of people."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ml.policies import POLICIES
from ml.types import Array, Logged, Policy, Scaling, Schema, Sharing, checked, draw

FIRST_REFIT = 32
LONGEST_WAIT = 4096  # rounds between two fits of what everybody shares


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision. `propensities` and `scores` are (n,), in the order of the candidates."""

    index: int
    propensities: Array
    scores: Array
    number: int
    context: Array
    candidate: Array


@dataclass(slots=True)
class _Moments:
    """Sums over rows, from which their scale is taken."""

    count: int
    total: Array
    squares: Array

    def see(self, rows: Array) -> None:
        finite = np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0)
        self.count += len(rows)
        self.total += finite.sum(axis=0)
        self.squares += np.einsum("ij,ij->j", finite, finite)

    def scale(self) -> tuple[Array, Array]:
        """Return centre and spread; what does not vary is taken as it is."""
        if not self.count:
            return np.zeros_like(self.total), np.ones_like(self.total)
        centre = self.total / self.count
        variance = np.maximum(self.squares / self.count - centre**2, 0.0)
        varies = variance > 1e-12 * (1.0 + centre**2)
        return np.where(varies, centre, 0.0), np.where(varies, np.sqrt(variance), 1.0)


@dataclass(slots=True)
class _Known:
    """A person: the state, and the rounds that it is a fold of."""

    state: Any
    rounds: list[Logged] = field(default_factory=list[Logged])
    places: dict[int, int] = field(default_factory=dict[int, int])


class Learner:
    """Chooses for people and learns from what came of it. One seed, one story.

    What everybody shares is folded at once, and fitted anew when the rounds have doubled, or when told to.
    """

    def __init__(self, policy: str | Policy[Any], schema: Schema, seed: int) -> None:
        self.policy = POLICIES[policy] if isinstance(policy, str) else policy
        self.schema = schema
        self._rng = np.random.default_rng(seed)
        self._people: dict[Hashable, _Known] = {}
        self._number = 0
        self._learnt = 0
        self._next_fit = FIRST_REFIT
        k, m = len(schema.context), len(schema.candidates)
        self._contexts, self._candidates = (_Moments(0, np.zeros(width), np.zeros(width)) for width in (k, m))
        self._sharing: Sharing[Any, Any] | None = self.policy if isinstance(self.policy, Sharing) else None
        self._shared: Any = self._sharing.begin(schema) if self._sharing else None

    @property
    def shared(self) -> Any:
        """Return what everybody shares by now; None where the policy shares nothing."""
        return self._shared

    def choose(self, user: Hashable, context: Array, candidates: Array) -> Choice:
        """Choose one of the candidates (n, m) in a context (k,)."""
        self._look(context, candidates)
        return self._chosen(self._person(user), context, candidates)

    def choose_many(self, users: Sequence[Hashable], contexts: Array, candidates: Sequence[Array]) -> list[Choice]:
        """Choose for many people at once: contexts (u, k), for each candidates (n, m)."""
        return [self.choose(*each) for each in zip(users, contexts, candidates, strict=True)]

    def learn(self, user: Hashable, choice: Choice, reward: float) -> None:
        """Learn what a choice was worth; said again, the later word stands."""
        known = self._person(user)
        if choice.number in known.places:
            self.revise(user, choice, reward)
            return
        logged = Logged(choice.context, choice.candidate, float(choice.propensities[choice.index]), reward)
        if self._sharing:
            self._shared = self._sharing.pool(self._shared, known.state, logged)
        known.state = self.policy.learn(known.state, logged)
        known.places[choice.number] = len(known.rounds)
        known.rounds.append(logged)
        self._learnt += 1
        if self._learnt >= self._next_fit:
            self.refit()

    def revise(self, user: Hashable, choice: Choice, reward: float) -> None:
        """Replace what a choice was worth, as if it had been so from the start."""
        known = self._person(user)
        if (place := known.places.get(choice.number)) is None:
            self.learn(user, choice, reward)
            return
        before = known.rounds[place]
        known.rounds[place] = replace(before, reward=reward)
        if self._sharing:
            self._shared = self._sharing.amend(self._shared, before, reward)
        known.state = self._replay(known.rounds)

    def refit(self) -> None:
        """Fit what everybody shares anew to all rounds, and everybody on it."""
        self._next_fit = self._learnt + min(max(self._learnt, FIRST_REFIT), LONGEST_WAIT)
        if self._sharing:
            everybody = [known.rounds for known in self._people.values()]
            self._shared = self._sharing.refit(self._shared, everybody, self._scaling())
            for known in self._people.values():
                known.state = self._replay(known.rounds)

    def _person(self, user: Hashable) -> _Known:
        known = self._people.get(user)
        if known is None:
            known = self._people[user] = _Known(self._replay(()))
        elif self._sharing and known.state.shared is not self._shared:
            known.state = replace(known.state, shared=self._shared)
        return known

    def _replay(self, rounds: Sequence[Logged]) -> Any:
        if self._sharing:
            return self._sharing.replay(self._shared, rounds)
        state = self.policy.fresh(self.schema)
        for logged in rounds:
            state = self.policy.learn(state, logged)
        return state

    def _chosen(self, known: _Known, context: Array, candidates: Array) -> Choice:
        ranking = checked(self.policy.rank(known.state, context, candidates, self._rng), len(candidates))
        index = draw(ranking.propensities, self._rng)
        self._number += 1
        return Choice(index, ranking.propensities, ranking.scores, self._number, context, candidates[index])

    def _look(self, context: Array, candidates: Array) -> None:
        """Note the scale of what is seen; the first scene sets it at once."""
        self._contexts.see(context[None, :])
        self._candidates.see(candidates)
        if self._number == 0 and self._sharing:
            self._shared = self._sharing.refit(self._shared, (), self._scaling())

    def _scaling(self) -> Scaling:
        return Scaling(*self._contexts.scale(), *self._candidates.scale())
