"""Choosers to compare with: they learn nothing. One of them knows the truth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.simulator.columns import COLUMN
from ml.types import Array


@dataclass(frozen=True, slots=True)
class Pick:
    """The index of what was chosen."""

    index: int


class Ordered:
    """Chooses what has the highest value by a rule, candidates (n, m) → (n,), and of equals the oldest."""

    def __init__(self, rule: Callable[[Array], Array]) -> None:
        self._rule = rule

    def choose(self, user: int, context: Array, candidates: Array) -> Pick:
        values, ages = self._rule(candidates), candidates[:, COLUMN["task_age_days"]]
        return Pick(int(np.lexsort((-ages, -values))[0]))

    def choose_many(self, users: Sequence[int], contexts: Array, candidates: Sequence[Array]) -> list[Pick]:
        return [self.choose(*each) for each in zip(users, contexts, candidates, strict=True)]

    def learn(self, user: int, choice: Pick, reward: float) -> None:
        """Learn nothing."""

    def revise(self, user: int, choice: Pick, reward: float) -> None:
        """Learn nothing."""


class Blind(Ordered):
    """Chooses by chance: regret 100."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        super().__init__(lambda candidates: rng.random(len(candidates)))


@dataclass(slots=True)
class Oracle:
    """Is told the truth, and chooses what promises most now: regret 0."""

    _best: dict[int, Pick] = field(default_factory=dict[int, Pick])

    def see(self, users: Sequence[int], mu: Sequence[Array]) -> None:
        """Take in the reward to be expected of every candidate (n_i,)."""
        self._best = {user: Pick(int(values.argmax())) for user, values in zip(users, mu, strict=True)}

    def choose(self, user: int, context: Array, candidates: Array) -> Pick:
        return self._best[user]

    def choose_many(self, users: Sequence[int], contexts: Array, candidates: Sequence[Array]) -> list[Pick]:
        return [self._best[user] for user in users]

    def learn(self, user: int, choice: Pick, reward: float) -> None:
        """Learn nothing."""

    def revise(self, user: int, choice: Pick, reward: float) -> None:
        """Learn nothing."""


def earliest_deadline(candidates: Array) -> Array:
    """Prefer what is due first, what is due never last."""
    return -candidates[:, COLUMN["days_until_due"]]


def source_priority(candidates: Array) -> Array:
    """Prefer what its source calls more urgent, and of equals what is due first."""
    return candidates[:, COLUMN["priority"]] - candidates[:, COLUMN["days_until_due"]] / 1000


def urgency(candidates: Array) -> Array:
    """Prefer by the formula of Taskwarrior, with its usual coefficients, as far as there is something to fill in."""
    days, has_due = candidates[:, COLUMN["days_until_due"]], candidates[:, COLUMN["has_due"]]
    due = np.where(-days >= 7, 1.0, np.where(-days >= -14, (14 - days) * 0.8 / 21 + 0.2, 0.2)) * has_due
    priority = np.choose(candidates[:, COLUMN["priority"]].astype(np.intp) - 1, [0.0, 1.8, 3.9, 6.0])
    labels = np.choose(np.minimum(candidates[:, COLUMN["label_count"]], 3).astype(np.intp), [0.0, 0.8, 0.9, 1.0])
    age = np.minimum(candidates[:, COLUMN["task_age_days"]] / 365, 1.0)
    return 12.0 * due + priority + labels + 2.0 * age


BASELINES: dict[str, Callable[[int], Ordered | Oracle]] = {
    "random": Blind,
    "earliest_deadline": lambda _seed: Ordered(earliest_deadline),
    "source_priority": lambda _seed: Ordered(source_priority),
    "urgency": lambda _seed: Ordered(urgency),
    "oracle": lambda _seed: Oracle(),
}
