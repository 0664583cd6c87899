"""The list of features; its order is the order of the columns. A change of either is a new schema version."""

from collections.abc import Callable

from oo_app.features import definitions as d
from oo_app.features.definitions import Candidate, Moment

SCHEMA = "1"
CANDIDATE_FEATURES: tuple[Callable[[Candidate, Moment], float], ...] = (
    d.is_overdue,
    d.has_due,
    d.days_until_due,
    d.task_age_days,
    d.priority,
    d.is_recurring,
)
CONTEXT_FEATURES: tuple[Callable[[Moment], float], ...] = (d.hour_of_day, d.day_of_week, d.open_items)
