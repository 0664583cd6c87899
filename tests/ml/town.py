"""A town whose every decision is drawn from a finite pool, so that what a policy is worth there is an exact average."""

from dataclasses import dataclass

import numpy as np

from ml.evaluate import LoggedData, cross_fit, expected
from ml.types import Array

TASTE = np.array([0.2, -0.12, 0.08])  # what the reward truly hangs on
BELIEF = np.array([0.2, 0.15, -0.1])  # what the serving policy takes it for
MOST = 12


@dataclass(frozen=True, slots=True)
class Town:
    """People with `each` scenes of 3 to 12 candidates; both policies are soft choices over a floor of epsilon/n."""

    features: Array  # (S, 12, 3)
    means: Array  # (S, 12): the expected reward of each candidate
    serving: Array  # (S, 12): the logging policy's distribution
    other: Array  # (S, 12): the evaluated policy's
    each: int

    def value(self) -> float:
        """What the evaluated policy truly earns a decision."""
        return float((self.other * self.means).sum(axis=1).mean())

    def gain(self) -> float:
        """How much more that is than what the serving policy earns."""
        return self.value() - float((self.serving * self.means).sum(axis=1).mean())

    def log(self, people: int, rng: np.random.Generator) -> LoggedData:
        """Draw people, all of whose scenes are decided by the serving policy; a reward is 0.5 or −0.5."""
        who = rng.integers(len(self.means) // self.each, size=people)
        at = (who[:, None] * self.each + np.arange(self.each)).ravel()
        edges = np.cumsum(self.serving[at], axis=1)
        chosen = np.count_nonzero(edges <= rng.random(len(at))[:, None] * edges[:, -1:], axis=1)
        rewards = np.where(rng.random(len(at)) < 0.5 + self.means[at, chosen], 0.5, -0.5)
        users = np.repeat(np.arange(people), self.each)
        mean_features = expected(list(self.other[at]), list(self.features[at]))
        modelled = cross_fit(self.features[at, chosen], mean_features, rewards, users)
        return LoggedData(rewards, self.serving[at, chosen], self.other[at, chosen], users, modelled)


def a_town(*, each: int, epsilon: float, sharp: float, bent: bool = False, moods: float = 0.08) -> Town:
    """Make a thousand people of differing moods; `sharp` policies are far apart, a `bent` taste is not linear."""
    rng = np.random.default_rng(20261125)
    scenes = 1_000 * each
    sizes = rng.integers(3, MOST + 1, size=(scenes, 1))
    there = np.arange(MOST) < sizes
    features = rng.uniform(-1, 1, size=(scenes, MOST, 3))
    mood = np.repeat(rng.uniform(-moods, moods, size=1_000), each)[:, None]
    praise = features @ TASTE  # −0.4 to 0.4
    taste = 0.4 - 5 * praise**2 if bent else praise

    def soft(scores: Array, floor: float) -> Array:
        odds = np.where(there, np.exp(scores), 0)
        return np.where(there, (1 - floor) * odds / odds.sum(axis=1, keepdims=True) + floor / sizes, 0)

    return Town(
        features=features,
        means=taste + mood,
        serving=soft(sharp * features @ BELIEF, epsilon),
        other=soft(2 * sharp * praise, 0.05),
        each=each,
    )
