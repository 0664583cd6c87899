"""Whether the evaluated policy is better than the one that was logged, where the log can tell at all."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ml.evaluate.estimates import RESAMPLES, Estimate, Estimator, Interval, estimate_gain
from ml.evaluate.logged import LoggedData, effective_sample

FEWEST = 50


class Outcome(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    OPEN = "open"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`sentence` says in plain words what was found, or why nothing was."""

    outcome: Outcome
    sentence: str
    gain: Estimate | None  # over the logging policy, per decision; none when refused


def verdict(data: LoggedData, estimator: Estimator, rng: np.random.Generator, *, resamples: int = RESAMPLES) -> Verdict:
    """Compare with the logging policy on the same decisions; both intervals must agree, and the log must suffice."""
    effective = effective_sample(data.weights())
    if effective < FEWEST:
        return Verdict(Outcome.REFUSED, _too_little(len(data.rewards), effective), None)
    gains = estimate_gain(data, rng, resamples=resamples)
    if estimator not in gains:
        raise ValueError(f"{estimator} needs a reward model")
    gain = gains[estimator]
    outcome = _outcome(gain.asymptotic, gain.bootstrap)
    return Verdict(outcome, _found(outcome, gain), gain)


def _too_little(decisions: int, effective: float) -> str:
    return (
        f"The {decisions} logged decisions tell no more about this policy than {int(effective)} of its own would; "
        f"a verdict needs {FEWEST}."
    )


def _outcome(*intervals: Interval) -> Outcome:
    if all(each.low > 0 for each in intervals):
        return Outcome.BETTER
    return Outcome.WORSE if all(each.high < 0 for each in intervals) else Outcome.OPEN


def _found(outcome: Outcome, gain: Estimate) -> str:
    says = {
        Outcome.BETTER: "It would have earned more than the policy that served",
        Outcome.WORSE: "It would have earned less than the policy that served",
    }.get(outcome, "The log does not show whether it would have earned more or less than the policy that served")
    low, high = min(gain.asymptotic.low, gain.bootstrap.low), max(gain.asymptotic.high, gain.bootstrap.high)
    if math.isinf(high):
        return f"{says}: it holds too few people."
    return f"{says}: {gain.value:+.3f} a decision, between {low:+.3f} and {high:+.3f}."
