"""The words of the maths: what a policy is given, and what it gives back."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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
        """Rank the candidates (n, m) in the context (k,), n ≥ 1; the draw is made from the propensities by the caller."""
        ...

    def explain(self, context: Array, candidates: Array, chosen: int) -> Array:
        """Return each candidate feature's contribution (m,) to the chosen score minus the mean score."""
        ...


def draw(propensities: Array, rng: np.random.Generator) -> int:
    """Draw an index from a logged distribution (n,), by its inverse cumulative sum."""
    edges: Array = np.cumsum(propensities)
    return int(min(np.searchsorted(edges, rng.random() * edges[-1], side="right"), len(edges) - 1))
