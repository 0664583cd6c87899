"""`random`: every candidate with the same probability. The honest beginning, and every policy's fallback."""

import numpy as np

from ml.types import Array, Ranking


class Uniform:
    """Knows nothing and says so: scores are zero, propensities are 1/n."""

    name = "random"
    version = "1"

    def rank(self, context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
        """Give each of the n ≥ 1 candidates the probability 1/n."""
        n = len(candidates)
        if n == 0:
            msg = "there is nothing to rank"
            raise ValueError(msg)
        return Ranking(scores=np.zeros(n), propensities=np.full(n, 1.0 / n))

    def explain(self, context: Array, candidates: Array, chosen: int) -> Array:
        """Contribute nothing from any feature: chance alone chose."""
        return np.zeros_like(candidates[chosen])


POLICY = Uniform()
