"""`thompson_v1`: a Bayesian linear model for each person, chosen by draws from its belief (Agrawal & Goyal 2013)."""

import numpy as np

from ml import plain, shares
from ml.named import whole
from ml.plain import Person
from ml.types import Array, Explanation, Logged, Ranking, Schema

TEMPER = 0.3  # of the belief's noise; all of it explores for longer than a person has patience
NOISE = 0.25


class Thompson:
    """Scores by the mean; chooses by how often each candidate is the best of draws."""

    name = "thompson_v1"
    version = "1"

    def fresh(self, schema: Schema) -> Person:
        """Return somebody of whom nothing is known."""
        return plain.fresh(whole(schema))

    def rank(self, state: Person, context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
        """Rank the candidates."""
        x = state.view.columns(context, candidates)
        order = shares.canonical(x)
        known = plain.believed(state, noise=NOISE)
        scores = x[order] @ known.mean
        won = shares.wins(scores, x[order] @ known.covariance @ x[order].T, rng, TEMPER)
        back = np.argsort(order)
        return Ranking(scores[back], shares.floored(won)[back])

    def learn(self, state: Person, logged: Logged) -> Person:
        """Fold a round."""
        return plain.learn(state, logged)

    def explain(self, state: Person, context: Array, candidates: Array, chosen: int) -> Explanation:
        """Tell each column's part in the score."""
        return plain.explain(state, context, candidates, chosen, noise=NOISE)


POLICY = Thompson()
