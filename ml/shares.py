"""From scores to a distribution that can be logged: explicit, floored, and drawn from."""

import numpy as np

from ml.types import Array, Index

FLOOR = 0.01  # of all probability, spread evenly; the largest weight of an estimate is n / FLOOR
DRAWS = 256
JITTER = 1e-10


def floored(shares: Array, floor: float = FLOOR) -> Array:
    """Mix a distribution (n,) with the even one."""
    return shares * (1.0 - floor) + floor / len(shares)


def best(scores: Array, floor: float = FLOOR) -> Array:
    """Give the best score all there is above the floor; equals share it."""
    top = scores >= scores.max()
    return floored(top / np.count_nonzero(top), floor)


def wins(mean: Array, covariance: Array, rng: np.random.Generator, temper: float) -> Array:
    """Return how often each of n scores is the highest, in draws of mean + temper · noise with that covariance.

    Thompson sampling (1933) with its distribution made explicit; half of the draws mirror the other half. The shares
    are exact for what follows: the action is drawn from them, not from the belief.
    """
    n = len(mean)
    slack = JITTER + JITTER * float(np.trace(covariance)) / n
    root = np.asarray(np.linalg.cholesky(covariance + slack * np.eye(n)), dtype=np.float64)
    noise = rng.standard_normal((DRAWS // 2, n)) @ (temper * root.T)
    won = np.argmax(mean + noise, axis=1), np.argmax(mean - noise, axis=1)
    return np.bincount(np.concatenate(won), minlength=n) / DRAWS


def canonical(candidates: Array) -> Index:
    """Return an order of candidates (n, m) that does not depend on the one they come in."""
    weights = np.cos(np.arange(1.0, candidates.shape[1] + 1))  # any that tell rows apart
    return np.argsort(candidates @ weights, kind="stable")
