"""Off-policy evaluation: what another policy would have earned, from decisions logged with their propensities."""

from ml.evaluate.estimates import Estimate, Estimator, Interval, estimate, estimate_gain
from ml.evaluate.logged import LoggedData, Modelled, Weights, expected, weigh
from ml.evaluate.reward_model import cross_fit
from ml.evaluate.verdict import Outcome, Verdict, verdict

__all__ = [
    "Estimate",
    "Estimator",
    "Interval",
    "LoggedData",
    "Modelled",
    "Outcome",
    "Verdict",
    "Weights",
    "cross_fit",
    "estimate",
    "estimate_gain",
    "expected",
    "verdict",
    "weigh",
]
