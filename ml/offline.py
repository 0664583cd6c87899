"""Policies driven in memory, without database and application: the same code, any columns, any number of people."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ml.design import scaled
from ml.mind import shares
from ml.policies import POLICIES
from ml.types import Array, Logged, Policy, Scaling, Schema, checked, draw

FIRST_REFIT = 32
MANY, SAMPLE = 500, 2000  # rows from which the scale of columns is taken
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


class _Sample:
    """Some of the rows that were seen, each as likely as another (reservoir sampling, Vitter 1985)."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._rows: list[Array] = []
        self._seen = 0

    def see(self, rows: Array) -> None:
        """Look at one of the rows; at all of them while there are few."""
        if self._seen >= MANY:
            rows = rows[[int(self._rng.integers(len(rows)))]]
        for row in rows:
            self._seen += 1
            if len(self._rows) < SAMPLE:
                self._rows.append(row)
            elif (place := int(self._rng.integers(self._seen))) < SAMPLE:
                self._rows[place] = row

    def rows(self) -> Array:
        """Return what is kept."""
        return np.stack(self._rows)


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
        self._contexts, self._candidates = _Sample(seed), _Sample(seed)
        self._sharing = shares(self.policy)
        self._shared: Any = self._sharing.begin(schema) if self._sharing else None

    @property
    def shared(self) -> Any:
        """Return what everybody shares by now; None where the policy shares nothing."""
        return self._shared

    def rounds(self) -> list[Sequence[Logged]]:
        """Return everybody's rounds, each person's in their order."""
        return [known.rounds for known in self._people.values()]

    def rows(self) -> tuple[Array, Array]:
        """Return a sample of what was seen: contexts (r, k), candidates (s, m)."""
        return self._contexts.rows(), self._candidates.rows()

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
            self._shared = self._sharing.refit(self._shared, self.rounds(), self._scaling())
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
        return scaled(*self.rows())
