"""A person's linear head: what their rounds add up to, and the belief that follows from it."""

from dataclasses import dataclass

import numpy as np

from ml.types import Array


@dataclass(frozen=True, slots=True)
class Head:
    """Sums over a person's rounds: `gram` (d, d) of z zᵀ, `pull` (d,) of z times the reward left to explain.

    Older rounds weigh less by `keep` each, so that taste may drift: the data fade, the prior does not (stabilised
    forgetting, Kulhavý & Zarrop 1993). Sums, not a covariance: a prior or a noise learnt later applies at once.
    """

    gram: Array
    pull: Array
    count: int = 0


@dataclass(frozen=True, slots=True)
class Belief:
    """A normal belief about weights: mean (d,), covariance (d, d)."""

    mean: Array
    covariance: Array


def empty(width: int) -> Head:
    """Return the head of somebody of whom nothing is known."""
    return Head(np.zeros((width, width)), np.zeros(width))


def learned(head: Head, z: Array, left: float, keep: float = 1.0) -> Head:
    """Fold one round: columns z (d,), and the reward that is left to explain. O(d²)."""
    return Head(head.gram * keep + np.outer(z, z), head.pull * keep + z * left, head.count + 1)


def inverse(matrix: Array) -> Array:
    """Return the inverse of a positive definite matrix, or of each of a stack of them."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def belief(head: Head, precision: Array, noise: float) -> Belief:
    """Return what a head says of its weights, for a prior N(0, precision⁻¹) and rewards with variance `noise`."""
    covariance = inverse(precision + head.gram / noise)
    return Belief(covariance @ head.pull / noise, covariance)
