"""The prior that oO ships with: what a simulated population taught, so that nobody's first tip is a blind guess."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np

from ml import mixed
from ml.design import NO_PAIRS, Design, design, scaled, unscaled, wide_names
from ml.mixed import Shared
from ml.offline import Learner
from ml.policies.hybrid import Hybrid
from ml.simulator import SCHEMA, Chooser, Plan, simulate
from ml.types import Index, Logged, Schema

SEEDS = (50, 51, 52)  # of development; what is reported comes from others
PLAN = Plan(people=250, rounds=60)
TEMPER = 0.3  # more chance than in service, so that more is seen
PRODUCTS = 24  # of two columns of a candidate: more of them cost time and gained nothing
FIT_ROUNDS = 30

# What people differ in most; the rest differs by less than a head could learn within a hundred tips.
LABELS = tuple(f"label_bit_{number}" for number in range(8))
OWN = (
    "is_overdue",
    "has_due",
    "days_until_due",
    "task_age_days",
    "priority",
    "estimated_minutes",
    *LABELS,
    "times_shown",
    "hours_since_shown",
    "refusal_fatigue",
)
OF_THE_HOUR = (*LABELS, "estimated_minutes")  # whose worth to a person turns with the hour
HOUR = ("hour_of_day_sin", "hour_of_day_cos")


def train(on_round: Callable[[], None] = lambda: None) -> Shared:
    """Let a policy that starts from nothing learn from simulated people, and fit what they share."""
    logs: list[Sequence[Logged]] = []
    seen: list[Learner] = []
    policy = Hybrid(TEMPER, lambda schema: mixed.begin(_plain(schema)))

    def make(seed: int) -> Chooser:
        seen.append(Learner(policy, SCHEMA, seed))
        return seen[-1]

    simulate({"hybrid": make}, PLAN, SEEDS, on_round=on_round)
    for learner in seen:
        logs += learner.rounds()
    rows = [learner.rows() for learner in seen]
    scaling = scaled(*(np.concatenate(each) for each in zip(*rows, strict=True)))
    wide = replace(_plain(SCHEMA), scaling=scaling, products=_products(SCHEMA))
    chosen = replace(wide, products=_strongest(_fitted(wide, logs)))
    return replace(_fitted(chosen, logs), version=1)


def _fitted(columns: Design, logs: Sequence[Sequence[Logged]]) -> Shared:
    histories = [mixed.history(columns, rounds) for rounds in logs if rounds]
    return mixed.refit(mixed.begin(columns), histories, rounds=FIT_ROUNDS)


def _plain(schema: Schema) -> Design:
    """Return the product's columns: none crossed for everybody, a few with the hour for each person."""
    wide, names = wide_names(schema.context), schema.candidates
    pairs = [(wide.index(wave), names.index(name)) for name in OF_THE_HOUR for wave in HOUR]
    columns = np.array([names.index(name) for name in OWN])
    return replace(design(schema, unscaled(schema), 0), own_columns=columns, own_pairs=np.array(pairs))


def _products(schema: Schema) -> Index:
    """Return every two columns of a candidate, a column and itself too; labels mean nothing across people."""
    plain = [place for place, name in enumerate(schema.candidates) if name not in LABELS]
    return np.array(list(combinations_with_replacement(plain, 2)), dtype=np.intp)


def _strongest(fitted: Shared) -> Index:
    """Return the products whose weight stands out most from what is not known about it."""
    columns, bends, products, *_ = fitted.design.parts
    place = slice(columns + bends, columns + bends + products)
    clear = np.abs(fitted.mean[place]) / np.sqrt(np.diag(fitted.covariance)[place])
    return fitted.design.products[np.sort(np.argsort(-clear)[:PRODUCTS])] if products else NO_PAIRS
