"""A reward model for the direct method and the doubly robust: ridge regression that never saw the user it speaks of."""

import numpy as np
from numpy.typing import NDArray

from ml.evaluate.logged import Modelled
from ml.types import Array

FOLDS = 5
RIDGE = 1.0  # worth one decision against each feature, all brought to one scale


def cross_fit(chosen: Array, expected: Array, rewards: Array, users: NDArray[np.generic] | None) -> Modelled:
    """Fit on the other folds' users what is told of each: features of the logged action (N, d), their mean under the
    evaluated policy (N, d), rewards (N,).

    Fold k gets β = (XᵀX + λD)⁻¹ Xᵀr of the rest (cross-fitting: Chernozhukov et al. 2018). As the model is linear, the
    mean of an expectation is the expectation of the mean features, and a reward's leverage is xᵀ(XᵀX + λD)⁻¹ Σ m over
    the folds that were told by it.
    """
    whose = np.arange(len(rewards)) if users is None else np.unique(users, return_inverse=True)[1]
    folds = whose % FOLDS  # a user's decisions stay together
    if folds.max() == 0:
        raise ValueError("a reward model that never saw the user it speaks of needs two users at least")
    X, M = _scaled(chosen, expected)
    penalty = RIDGE * np.eye(X.shape[1])
    penalty[-1, -1] = 0  # the mean reward is nobody's to shrink
    estimates, expectations, leverages = (np.zeros(len(rewards)) for _ in range(3))
    for fold in range(int(folds.max()) + 1):
        told, rest = folds == fold, folds != fold
        A = X[rest].T @ X[rest] + penalty
        beta, pull = np.linalg.solve(A, np.stack([X[rest].T @ rewards[rest], M[told].sum(axis=0)], axis=1)).T
        estimates[told], expectations[told] = X[told] @ beta, M[told] @ beta
        leverages[rest] += X[rest] @ pull
    return Modelled(estimates, expectations, leverages)


def _scaled(chosen: Array, expected: Array) -> tuple[Array, Array]:
    """Centre and scale both by the chosen ones' columns, and add the column of ones: (N, d + 1) each."""
    centre, scale = chosen.mean(axis=0), chosen.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)  # a column that never changes
    one = np.ones((len(chosen), 1))
    return np.hstack([(chosen - centre) / scale, one]), np.hstack([(expected - centre) / scale, one])
