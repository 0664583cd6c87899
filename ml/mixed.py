"""What everybody shares: a linear mixed-effects model, folded round by round and fitted anew from the log.

reward = x·w + z·d_u + noise, w ~ N(mean, covariance) for all, d_u ~ N(0, S_0) for a person (Laird & Ware 1982).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ml.design import Design
from ml.head import Belief, Head, belief, inverse, learned
from ml.types import Array, Index, Logged

NOISE = 0.25  # variance of a reward before any was seen
OWN_VARIANCE = 0.02  # of each of a person's weights, before anybody was seen
OWN_PULL = 0.001  # the same as the fit leans to: what few people show, differs little
SHARED_VARIANCE = 0.01  # of each shared weight, before anybody was seen
KEEP = 1.0
FIRST_VARIANCE = 0.003  # of each shared weight, as the fit begins
ROUNDS = 8  # of expectation and maximisation; the likelihood hardly moves after six
PULL = 0.1
DOUBT, STRANGE = 4.0, 0.0005  # how much wider what was learnt elsewhere is believed: as a multiple, and at least
BASE_PEOPLE, BASE_ROUNDS = 20, 500  # how many it counts for
LOOSEST, TIGHTEST = 1.0, 1e6  # precision of a shared weight
FLAT = 1e-6


@dataclass(frozen=True, slots=True)
class Base:
    """What was learnt elsewhere, from which a fit starts out: w ~ N(mean, precision⁻¹), S_0 `spread`, s² `noise`."""

    mean: Array
    precision: Array
    spread: Array
    noise: float


@dataclass(frozen=True, slots=True)
class Shared:
    """A version of what everybody shares. `precision` is S_0⁻¹ (m + 1, m + 1), `noise` the variance s² of a reward."""

    version: int
    design: Design
    mean: Array
    covariance: Array
    precision: Array
    noise: float
    keep: float = KEEP
    base: Base | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A person's rounds in their order: X (r, d), Z (r, dz), rewards (r,)."""

    x: Array
    z: Array
    rewards: Array


def begin(design: Design) -> Shared:
    """Return what is assumed before anybody was seen."""
    d, own = design.width, design.own_width
    variance = np.full(d, SHARED_VARIANCE)
    return Shared(0, design, np.zeros(d), np.diag(variance), np.eye(own) / OWN_VARIANCE, NOISE)


def based(elsewhere: Shared) -> Shared:
    """Return what is assumed of people here, when others were seen elsewhere: the same, but less surely."""
    covariance = elsewhere.covariance * DOUBT + np.eye(len(elsewhere.mean)) * STRANGE
    base = Base(elsewhere.mean, inverse(covariance), inverse(elsewhere.precision), elsewhere.noise)
    return replace(elsewhere, covariance=covariance, base=base)


def history(design: Design, rounds: Sequence[Logged]) -> History:
    """Return a person's rounds as columns."""
    seen = design.seen(np.stack([each.candidate for each in rounds]))
    x, z = design.columns(np.stack([each.context for each in rounds]), seen)
    return History(x, z, np.array([each.reward for each in rounds]))


def folded(shared: Shared, told: History) -> Head:
    """Fold all of a person's rounds at once: what folding them one by one comes to."""
    ages = np.arange(len(told.rewards))[::-1]
    z = told.z * (shared.keep**ages)[:, None]
    return Head(z.T @ told.z, z.T @ (told.rewards - told.x @ shared.mean), len(told.rewards))


def columns(design: Design, logged: Logged) -> tuple[Array, Array]:
    """Return the columns x (d,) and z (dz,) of a round."""
    x, z = design.columns(logged.context, design.seen(logged.candidate[None, :]))
    return x[0], z[0]


def fold(shared: Shared, head: Head, logged: Logged) -> Head:
    """Fold a round into a person's head, on a version of what is shared."""
    x, z = columns(shared.design, logged)
    return learned(head, z, logged.reward - float(x @ shared.mean), shared.keep)


def pool(shared: Shared, head: Head, logged: Logged) -> Shared:
    """Fold a round into what is shared, with what the person's head says before it as the offset. O(d²)."""
    x, z = columns(shared.design, logged)
    own = np.linalg.solve(shared.precision + head.gram / shared.noise, np.stack([head.pull / shared.noise, z], axis=1))
    reach = shared.covariance @ x
    variance = shared.noise + max(float(z @ own[:, 1]), 0.0) + max(float(x @ reach), 0.0)
    gain = reach / variance
    left = logged.reward - float(z @ own[:, 0]) - float(x @ shared.mean)
    covariance = shared.covariance - np.outer(gain, reach)
    return replace(shared, mean=shared.mean + gain * left, covariance=covariance)


def amend(shared: Shared, logged: Logged, reward: float) -> Shared:
    """Move the mean as if a round that was folded had had another reward; exact while the noise stays."""
    x, _ = columns(shared.design, logged)
    return replace(shared, mean=shared.mean + shared.covariance @ x * ((reward - logged.reward) / shared.noise))


def own_belief(shared: Shared, head: Head) -> Belief:
    """Return the belief about a person's weights."""
    return belief(head, shared.precision, shared.noise)


def refit(shared: Shared, histories: Sequence[History], *, rounds: int = ROUNDS) -> Shared:
    """Fit the model anew to everybody's rounds: w with people's weights integrated out, S_0, s² and w's prior by EM.

    Empirical Bayes (Laird & Ware 1982; MacKay 1992 for the prior of w). Returns the next version.
    """
    told = [history for history in histories if len(history.rewards)]
    if not told:
        return replace(shared, version=shared.version + 1)
    sums = _sums(told)
    groups = _groups(shared.design)
    people, count, own = len(told), sums.count, shared.design.own_width
    base = shared.base
    spread, lean = (base.spread, BASE_PEOPLE) if base else (OWN_PULL * np.eye(own), own + 2)
    noise_seen, rounds_seen = (base.noise, BASE_ROUNDS) if base else (NOISE, 2)
    precision, noise = shared.precision, shared.noise
    prior = np.full(shared.design.width, 1 / FIRST_VARIANCE)
    mean = shared.mean
    covariance = shared.covariance
    for _ in range(rounds):
        posterior = inverse(precision + sums.zz / noise)  # (u, dz, dz)
        reach = posterior @ sums.zx / noise  # (u, dz, d)
        gls = (sums.xx - np.tensordot(sums.zx, reach, axes=((0, 1), (0, 1)))) / noise
        pull = (sums.xr - np.tensordot(reach, sums.zr, axes=((0, 1), (0, 1)))) / noise
        if base:
            covariance = inverse(gls + base.precision)
            mean = covariance @ (pull + base.precision @ base.mean)
        else:
            covariance = inverse(gls + np.diag(prior))
            mean = covariance @ pull
        left = (sums.zr - sums.zx @ mean)[..., None]
        weights = (posterior @ left)[..., 0] / noise  # (u, dz)
        spread_now = np.einsum("ui,uj->ij", weights, weights) + posterior.sum(axis=0)
        s0 = (spread_now + lean * spread) / (people + lean)
        precision = inverse(s0)
        squares = _squares(sums, mean, weights)
        free = float(np.einsum("uij,uji->", sums.zz, posterior)) + float(np.sum(gls * covariance)) * noise
        noise = max((squares + free + rounds_seen * noise_seen) / (count + rounds_seen), FLAT)
        prior = _prior(groups, prior, mean, covariance)
    fitted = replace(shared, mean=mean, covariance=covariance, precision=precision, noise=noise)
    return replace(fitted, version=shared.version + 1)


@dataclass(frozen=True, slots=True)
class _Sums:
    """What the fit needs of everybody's rounds; u people."""

    count: int
    xx: Array  # (d, d)
    xr: Array  # (d,)
    rr: float
    zz: Array  # (u, dz, dz)
    zx: Array  # (u, dz, d)
    zr: Array  # (u, dz)


def _sums(told: Sequence[History]) -> _Sums:
    x = np.concatenate([each.x for each in told])
    rewards = np.concatenate([each.rewards for each in told])
    return _Sums(
        len(rewards),
        x.T @ x,
        x.T @ rewards,
        float(rewards @ rewards),
        np.stack([each.z.T @ each.z for each in told]),
        np.stack([each.z.T @ each.x for each in told]),
        np.stack([each.z.T @ each.rewards for each in told]),
    )


def _squares(sums: _Sums, mean: Array, weights: Array) -> float:
    """Return the sum of squares that w and people's weights leave."""
    shared = sums.rr - 2 * float(mean @ sums.xr) + float(mean @ sums.xx @ mean)
    left = sums.zr - sums.zx @ mean
    own = -2 * float(np.sum(weights * left)) + float(np.einsum("ui,uij,uj->", weights, sums.zz, weights))
    return max(shared + own, 0.0)


def _groups(design: Design) -> list[Index]:
    """Return the columns of X that share a prior variance: each part of them."""
    edges = np.cumsum((0, *design.parts))
    return [np.arange(low, high) for low, high in pairwise(edges) if high > low]


def _prior(groups: Sequence[Index], prior: Array, mean: Array, covariance: Array) -> Array:
    """Return the precision (d,) of each shared weight's prior: how many of a group the data settle, by their size.

    MacKay's update (1992), with a weak pull to `FIRST_VARIANCE`; it drops what is of no use within a few rounds.
    """
    precision, variances = np.empty(len(mean)), np.diag(covariance)
    for group in groups:
        settled = len(group) - float(prior[group] @ variances[group])
        weight = (settled + PULL) / (float(mean[group] @ mean[group]) + PULL * FIRST_VARIANCE)
        precision[group] = np.clip(weight, LOOSEST, TIGHTEST)
    return precision
