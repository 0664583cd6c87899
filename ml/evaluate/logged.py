"""Logged decisions as an evaluation reads them, and how far they can speak for another policy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.types import TOLERANCE, Array


@dataclass(frozen=True, slots=True)
class Modelled:
    """What a reward model says of N logged decisions; it must not have seen the rewards that it is compared with."""

    estimates: Array  # (N,) of the logged action
    expectations: Array  # (N,) under the evaluated policy
    leverages: Array | None  # (N,) how much N x the mean expectation moves with a reward; None takes the model for true


@dataclass(frozen=True, slots=True)
class LoggedData:
    """N logged decisions; those of one user are taken for dependent, those of different users for independent."""

    rewards: Array  # (N,)
    propensities: Array  # (N,) of the logged action, under the policy that chose it
    evaluated: Array  # (N,) the evaluated policy's probability of the same action
    users: NDArray[np.generic] | None  # (N,) whose decision it was; None: everybody decided once
    modelled: Modelled | None  # None: no direct method and nothing doubly robust

    def __post_init__(self) -> None:
        if len({array.shape for array in self._arrays()}) != 1 or self.rewards.ndim != 1 or len(self.rewards) == 0:
            raise ValueError("logged data are arrays of one length, of at least one decision")
        if not all(np.isfinite(array).all() for array in self._numbers()):
            raise ValueError("logged data are finite")
        if self.propensities.min() <= 0 or max(self.propensities.max(), self.evaluated.max()) > 1 + TOLERANCE:
            raise ValueError("the propensity of a logged action is above zero, and no probability is above one")
        if self.evaluated.min() < 0:
            raise ValueError("no probability is below zero")

    def weights(self) -> Array:
        """Return the importance weights (N,): evaluated / propensities."""
        return self.evaluated / self.propensities

    def _numbers(self) -> list[Array]:
        model = self.modelled
        modelled = [] if model is None else [model.estimates, model.expectations]
        leverages = [] if model is None or model.leverages is None else [model.leverages]
        return [self.rewards, self.propensities, self.evaluated, *modelled, *leverages]

    def _arrays(self) -> list[NDArray[np.generic]]:
        return [*self._numbers(), *([] if self.users is None else [self.users])]


@dataclass(frozen=True, slots=True)
class Weights:
    """How far the log can speak for the evaluated policy."""

    effective: float  # as many decisions of the evaluated policy's own would tell as much
    largest: float
    mean: float  # about 1 where the log's propensities are true and cover all that the policy does
    beyond: float  # the share of all weight that a cap would cut off


def weigh(data: LoggedData, *, cap: float) -> Weights:
    """Measure the importance weights, and what a cap on them would cut off."""
    w = data.weights()
    total = float(w.sum())
    beyond = float(np.maximum(w - cap, 0).sum()) / total if total > 0 else 0.0
    return Weights(effective=effective_sample(w), largest=float(w.max()), mean=float(w.mean()), beyond=beyond)


def effective_sample(weights: Array) -> float:
    """Return (Σw)² / Σw² of weights (N,) (Kish 1965; Owen, MCbook, 2013, chapter 9); 0 when all of them are."""
    largest = weights.max()
    if largest == 0:
        return 0.0
    shares = weights / largest  # the square of a tiny weight is zero
    return float(shares.sum()) ** 2 / float(shares @ shares)


def expected(probabilities: Sequence[Array], values: Sequence[Array]) -> Array:
    """Average each decision's values (n_i,) or rows (n_i, d) under its distribution (n_i,): (N,) or (N, d)."""
    sizes = [len(each) for each in probabilities]
    if sizes != [len(each) for each in values] or min(sizes, default=0) == 0:
        raise ValueError("every decision has a probability and a value for each of its candidates, at least one")
    weighted = (np.concatenate(probabilities) * np.concatenate(values).T).T
    return np.add.reduceat(weighted, np.cumsum([0, *sizes[:-1]]), axis=0)
