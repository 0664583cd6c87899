"""`random`: every candidate with the same probability. The honest beginning, and every policy's fallback."""

import numpy as np

from ml.types import Array, Explanation, Logged, Ranking, Schema, some


class Uniform:
    """Knows nothing and says so: scores are zero, propensities are 1/n."""

    name = "random"
    version = "1"

    def fresh(self, schema: Schema) -> None:
        """Know nothing."""

    def rank(self, state: None, context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
        """Give each of the n ≥ 1 candidates the probability 1/n."""
        n = len(some(candidates))
        return Ranking(scores=np.zeros(n), propensities=np.full(n, 1.0 / n))

    def learn(self, state: None, logged: Logged) -> None:
        """Learn nothing."""

    def explain(self, state: None, context: Array, candidates: Array, chosen: int) -> Explanation:
        """Contribute nothing from any feature: chance alone chose."""
        return Explanation(np.zeros_like(candidates[chosen]))


POLICY = Uniform()
