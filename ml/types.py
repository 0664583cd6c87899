"""The words of the maths: what a policy is given, and what it gives back."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]
TOLERANCE = 1e-9  # how far propensities may sum from one; rounding over 10,000 candidates stays below 1e-12


@dataclass(frozen=True, slots=True)
class Schema:
    """The names of the columns: k of a context, m of a candidate. Any numbers may stand in them."""

    context: tuple[str, ...]
    candidates: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Return what tells this schema from others, for whatever is stored under it."""
        text = "\n".join((*self.context, "", *self.candidates))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Scaling:
    """Where each column lies and how far it spreads: (k,) of the context, (m,) of the candidates.

    `knots` (b,) are places, as in the candidates, where what a column is worth may bend; `bent` (b,) names the columns.
    """

    context_centre: Array
    context_spread: Array
    centre: Array
    spread: Array
    bent: Index
    knots: Array


@dataclass(frozen=True, slots=True)
class Ranking:
    """One ranking of n candidates: `scores` and `propensities` are (n,); propensities sum to one."""

    scores: Array
    propensities: Array


@dataclass(frozen=True, slots=True)
class Logged:
    """A settled round, as the learning record keeps it: the context (k,), the candidate that was chosen (m,)."""

    context: Array
    candidate: Array
    propensity: float
    reward: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the chosen candidate scores what it does, against the average candidate.

    `contributions` (m,) of the candidates' columns, and `residual`, add up to the chosen score minus the mean score.
    """

    contributions: Array
    residual: float = 0.0


State = TypeVar("State")


class Policy(Protocol[State]):
    """Candidate → rank → render: the middle part. Pure, on a state that nothing changes; same seed, same answer."""

    name: str
    version: str

    def fresh(self, schema: Schema) -> State:
        """Return what is known of a person of whom nothing is known."""
        ...

    def rank(self, state: State, context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
        """Rank the candidates (n, m) in the context (k,), n ≥ 1; the caller draws from the propensities."""
        ...

    def learn(self, state: State, logged: Logged) -> State:
        """Return the state one round on; the given one stays as it was."""
        ...

    def explain(self, state: State, context: Array, candidates: Array, chosen: int) -> Explanation:
        """Tell what made the chosen candidate's score differ from the mean score."""
        ...


Shares = TypeVar("Shares")


@runtime_checkable
class Sharing(Protocol[State, Shares]):
    """What a policy has besides, when people share something: versions of it, each as unchanging as a state."""

    def begin(self, schema: Schema) -> Shares:
        """Return what is shared before anybody was seen."""
        ...

    def join(self, shared: Shares) -> State:
        """Return somebody of whom nothing is known, on what is shared."""
        ...

    def pool(self, shared: Shares, state: State, logged: Logged) -> Shares:
        """Fold a round into what is shared; `state` is the person's before it."""
        ...

    def amend(self, shared: Shares, logged: Logged, reward: float) -> Shares:
        """Replace the reward of a round that was pooled."""
        ...

    def refit(self, shared: Shares, everybody: Sequence[Sequence[Logged]], scaling: Scaling | None) -> Shares:
        """Fit what is shared anew to everybody's rounds, each person's in their order; scaled as said, or as before."""
        ...

    def replay(self, shared: Shares, rounds: Sequence[Logged]) -> State:
        """Return what folding all of a person's rounds on a version comes to."""
        ...


def some(candidates: Array) -> Array:
    """Return candidates (n, m), of which there is one at least; else ValueError."""
    if len(candidates) == 0:
        msg = "there is nothing to rank"
        raise ValueError(msg)
    return candidates


def checked(ranking: Ranking, n: int) -> Ranking:
    """Return a ranking of n candidates as it is logged (float64); ValueError when it is no distribution over them."""
    scores = np.ascontiguousarray(ranking.scores, dtype=np.float64)
    propensities = np.ascontiguousarray(ranking.propensities, dtype=np.float64)
    if scores.shape != (n,) or propensities.shape != (n,) or not np.isfinite(scores).all():
        msg = f"a ranking of {n} candidates has {n} finite scores and {n} propensities"
        raise ValueError(msg)
    if not (propensities >= 0).all() or abs(float(propensities.sum()) - 1) > TOLERANCE:
        msg = "propensities are at least zero and sum to one"
        raise ValueError(msg)
    return Ranking(scores, propensities)


def draw(propensities: Array, rng: np.random.Generator) -> int:
    """Draw an index from a logged distribution (n,), by its inverse cumulative sum."""
    edges = np.cumsum(propensities, dtype=np.float64)
    passed = np.count_nonzero(edges <= rng.random() * edges[-1])
    return min(int(passed), len(edges) - 1)
