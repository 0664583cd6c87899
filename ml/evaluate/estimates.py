"""The estimators of a policy's value, each with two 95% intervals that count users, not decisions, as independent.

Every one of them is a mean and a ratio: Σa/Σn + Σb/Σc. So one table of each user's sums is all that values, errors and
resamples need, and the difference from the logging policy is the same with a − r in place of a.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from ml.evaluate.logged import LoggedData
from ml.types import Array

RESAMPLES = 2_000  # the ends move by about 1/20 of a standard error from seed to seed
_INSIDE = 0.95
_CELLS = 4_000_000  # of the table of counts that is held at once: 32 MB
_ROUNDING = 1e-12


class Estimator(StrEnum):
    """With w = evaluated/propensity, q the reward model's estimate and v its expectation under the evaluated policy.

    ips: mean(w r) (Horvitz & Thompson 1952). snips: Σ w r / Σ w (Swaminathan & Joachims 2015). dm, the direct method:
    mean(v). dr, doubly robust: mean(v + w (r − q)) (Dudík, Langford & Li 2011). sndr: mean(v) + Σ w (r − q) / Σ w.
    """

    IPS = "ips"
    SNIPS = "snips"
    DM = "dm"
    DR = "dr"
    SNDR = "sndr"


@dataclass(frozen=True, slots=True)
class Interval:
    """Without bounds where the log holds too little to tell, as with one user."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value per decision; nan when an estimator divides by weights that are all zero."""

    value: float
    error: float  # the standard error, by leaving out one user at a time
    asymptotic: Interval
    bootstrap: Interval


def estimate(data: LoggedData, rng: np.random.Generator, *, resamples: int = RESAMPLES) -> dict[Estimator, Estimate]:
    """Estimate the evaluated policy's mean reward by every estimator that the data allow."""
    return _estimates(data, np.zeros_like(data.rewards), rng, resamples=resamples)


def estimate_gain(
    data: LoggedData, rng: np.random.Generator, *, resamples: int = RESAMPLES
) -> dict[Estimator, Estimate]:
    """Estimate how much more the evaluated policy earns than the one that was logged, decision by decision."""
    return _estimates(data, data.rewards, rng, resamples=resamples)


def _estimates(
    data: LoggedData, baseline: Array, rng: np.random.Generator, *, resamples: int
) -> dict[Estimator, Estimate]:
    terms = _terms(data)
    ones = np.ones_like(baseline)
    columns = np.stack([[a - baseline, ones, b, c] for a, b, c in terms.values()])  # (e, 4, N)
    sums = _by_user(columns, data)  # (G, e, 4)
    total = sums.sum(axis=0)
    values, without = _value(total), _value(total - sums)  # (e,); (G, e): had one user been left out
    reaches = _reaches(sums, values, rng, resamples=resamples)
    return {
        estimator: _estimate(float(values[at]), without[:, at], float(reaches[at]))
        for at, estimator in enumerate(terms)
    }


def _terms(data: LoggedData) -> dict[Estimator, tuple[Array, Array, Array]]:
    """Write each estimator as Σa/N + Σb/Σc: its a, b and c, (N,) each."""
    w, r = data.weights(), data.rewards
    none, one = np.zeros_like(r), np.ones_like(r)
    terms = {Estimator.IPS: (w * r, none, one), Estimator.SNIPS: (none, w * r, w)}
    model = data.modelled
    if model is None:
        return terms
    residuals = r - model.estimates
    # The model was fitted to the same people's rewards. What each reward moves it by adds to the spread and not to the
    # value: left out, the direct method's intervals cover far too little.
    pull = none if model.leverages is None else model.leverages * residuals
    return terms | {
        Estimator.DM: (model.expectations + pull - pull.mean(), none, one),
        Estimator.DR: (model.expectations + w * residuals, none, one),
        Estimator.SNDR: (model.expectations, w * residuals, w),
    }


def _by_user(columns: Array, data: LoggedData) -> Array:
    """Sum the columns (e, 4, N) over each user's decisions: (G, e, 4)."""
    each = np.moveaxis(columns, -1, 0)
    if data.users is None:
        return each
    names, whose = np.unique(data.users, return_inverse=True)
    sums = np.zeros((len(names), *each.shape[1:]))
    np.add.at(sums, whose, each)
    return sums


def _value(sums: Array) -> Array:
    """Σa/Σn + Σb/Σc of sums (..., 4)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[..., 0] / sums[..., 1] + sums[..., 2] / sums[..., 3]


def _spread(sums: Array, moments: Array, groups: int) -> Array:
    """Variance of the values by the delta method, from sums (..., 4) and sums of products (..., 4, 4) over users."""
    with np.errstate(divide="ignore", invalid="ignore"):
        a, n, b, c = np.moveaxis(sums, -1, 0)
        slope = np.stack([1 / n, -a / n**2, 1 / c, -b / c**2], axis=-1)
        # The value does not change when all sums grow alike, so slope · sums = 0 and nothing needs centring.
        return np.einsum("...i,...ij,...j", slope, moments, slope) * groups / max(groups - 1, 1)


def _reaches(sums: Array, values: Array, rng: np.random.Generator, *, resamples: int) -> Array:
    """How many standard errors 95% of the resamples stay within (e,), each measured by its own error.

    Users are drawn with replacement: the symmetric bootstrap-t (Efron 1979; Hall 1988). With an effective sample of 65
    the doubly robust's held the truth in 94%, where BCa's (Efron 1987) did in 92% and the percentiles in 93%.
    """
    groups = len(sums)
    flat = sums.reshape(groups, -1)
    products = np.einsum("gei,gej->geij", sums, sums).reshape(groups, -1)
    batch = max(1, _CELLS // groups)
    distances: list[Array] = []
    for at in range(0, resamples, batch):
        counts = _counts(groups, min(batch, resamples - at), rng)
        drawn = (counts @ flat).reshape(-1, *sums.shape[1:])
        spread = _spread(drawn, (counts @ products).reshape(*drawn.shape, 4), groups)
        distances.append(_distance(_value(drawn) - values, spread))
    return np.quantile(np.concatenate(distances), _INSIDE, axis=0, method="higher")


def _counts(groups: int, rows: int, rng: np.random.Generator) -> Array:
    """How often each user is drawn: (rows, groups). Two to four times as fast as Generator.multinomial."""
    picks = rng.integers(0, groups, size=(rows, groups)) + groups * np.arange(rows)[:, None]
    return np.bincount(picks.ravel(), minlength=rows * groups).reshape(rows, groups).astype(np.float64)


def _distance(away: Array, spread: Array) -> Array:
    """|away| in standard errors; endless where a resample has none of its own or no value, nothing within rounding."""
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(away) / np.sqrt(np.where(spread > _ROUNDING**2, spread, 0))
    return np.where(np.abs(away) <= _ROUNDING, 0.0, np.where(np.isnan(distance), np.inf, distance))


def _estimate(value: float, without: Array, reach: float) -> Estimate:
    groups = len(without)
    influence = without.mean() - without
    squares = float(influence @ influence)
    error = math.sqrt((groups - 1) / groups * squares)
    if not math.isfinite(error):
        return Estimate(value, math.inf, _around(value, math.inf), _around(value, math.inf))
    # The error is itself an estimate, and a poor one when few users carry the weight: its degrees of freedom are those
    # of a normal sample whose variance is as uncertain (Satterthwaite 1946).
    kurtosis = groups * float(np.sum(influence**4)) / squares**2 if squares > _ROUNDING**2 else 1.0
    freedom = min(groups - 1, 2 * groups / max(kurtosis - 1, 1))
    bootstrap = _around(value, reach * error if error > 0 else 0.0)
    return Estimate(value, error, _around(value, _student(freedom) * error), bootstrap)


def _around(value: float, width: float) -> Interval:
    return Interval(-math.inf, math.inf) if math.isinf(width) else Interval(value - width, value + width)


def _student(freedom: float) -> float:
    """Student's 97.5% quantile from the normal one (Abramowitz & Stegun 1964, 26.7.5); 1% low at 2 degrees."""
    z = NormalDist().inv_cdf(1 - (1 - _INSIDE) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
