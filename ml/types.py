"""The words of the maths: what a policy is given, and what it gives back."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TOLERANCE = 1e-9  # how far propensities may sum from one; rounding over 10,000 candidates stays below 1e-12


@dataclass(frozen=True, slots=True)
class Schema:
    """The names of the columns: k of a context, m of a candidate. Any numbers may stand in them."""

    context: tuple[str, ...]
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """One ranking of n candidates: `scores` and `propensities` are (n,); propensities sum to one."""

    scores: Array
    propensities: Array


class Policy(Protocol):
    """Candidate → rank → render: the middle part. Pure: the same seed gives the same answer."""

    name: str
    version: str

    def rank(self, context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
        """Rank the candidates (n, m) in the context (k,), n ≥ 1; the caller draws from the propensities."""
        ...

    def explain(self, context: Array, candidates: Array, chosen: int) -> Array:
        """Return each candidate feature's contribution (m,) to the chosen score minus the mean score."""
        ...


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
