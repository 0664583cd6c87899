"""`linucb_v1`: a ridge for each person, and a bonus for what is not known yet (Li, Chu, Langford & Schapire 2010)."""

import numpy as np

from ml import plain, shares
from ml.named import named
from ml.plain import Person
from ml.types import Array, Explanation, Logged, Ranking, Schema

ALPHA = 0.5  # of a standard deviation: how much not knowing is worth
NOISE = 0.25
CANDIDATE = ("is_overdue", "task_age_days", "priority")
CONTEXT = ("hour_of_day", "day_of_week")


class LinUcb:
    """Scores by the upper end of what a candidate may be worth, and takes the highest, above the floor."""

    name = "linucb_v1"
    version = "1"

    def fresh(self, schema: Schema) -> Person:
        """Return somebody of whom nothing is known."""
        return plain.fresh(named(schema, CANDIDATE, CONTEXT, waves=False))

    def rank(self, state: Person, context: Array, candidates: Array, rng: np.random.Generator) -> Ranking:
        """Rank the candidates; chance has no part in it but the floor."""
        x = state.view.columns(context, candidates)
        known = plain.believed(state, noise=NOISE)
        scores = x @ known.mean + ALPHA * np.sqrt(np.einsum("nd,de,ne->n", x, known.covariance, x))
        return Ranking(scores, shares.best(scores))

    def learn(self, state: Person, logged: Logged) -> Person:
        """Fold a round."""
        return plain.learn(state, logged)

    def explain(self, state: Person, context: Array, candidates: Array, chosen: int) -> Explanation:
        """Tell each column's part in the mean; the bonus for not knowing is the residual."""
        told = plain.explain(state, context, candidates, chosen, noise=NOISE)
        scores = self.rank(state, context, candidates, np.random.default_rng(0)).scores
        rest = float(scores[chosen] - scores.mean() - told.contributions.sum())
        return Explanation(told.contributions, rest)


POLICY = LinUcb()
