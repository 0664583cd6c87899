"""`egreedy_v1`: a ridge for each person, and once in ten times anything at all."""

import numpy as np

from ml import plain, shares
from ml.named import named
from ml.plain import Person
from ml.types import Array, Explanation, Logged, Ranking, Schema

EPSILON = 0.10
NOISE = 0.25
CANDIDATE = ("is_overdue", "task_age_days", "priority")
CONTEXT = ("hour_of_day", "day_of_week")


class EpsilonGreedy:
    """Scores by the mean, and takes the highest but for an even share of `EPSILON`."""

    name = "egreedy_v1"
    version = "1"

    def fresh(self, schema: Schema) -> Person:
        """Return somebody of whom nothing is known."""
        return plain.fresh(named(schema, CANDIDATE, CONTEXT, waves=True))

    def rank(self, state: Person, context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
        """Rank the candidates; chance has no part in it but epsilon's."""
        scores = state.view.columns(context, candidates) @ plain.believed(state, noise=NOISE).mean
        return Ranking(scores, shares.best(scores, EPSILON))

    def learn(self, state: Person, logged: Logged) -> Person:
        """Fold a round."""
        return plain.learn(state, logged)

    def explain(self, state: Person, context: Array, candidates: Array, chosen: int) -> Explanation:
        """Tell each column's part in the score."""
        return plain.explain(state, context, candidates, chosen, noise=NOISE)


POLICY = EpsilonGreedy()
