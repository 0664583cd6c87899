"""The list of features; its order is the order of the columns. A change of either is a new schema version."""

from oo_app.features.moments import CONTEXT_FEATURES
from oo_app.features.tasks import CANDIDATE_FEATURES

SCHEMA = "2"
FEATURES = (*CANDIDATE_FEATURES, *CONTEXT_FEATURES)
# The columns of candidates and context by schema: decisions made under an earlier one are still read by their names.
COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "1": (
        ("is_overdue", "has_due", "days_until_due", "task_age_days", "priority", "is_recurring"),
        ("hour_of_day", "day_of_week", "open_items"),
    ),
    SCHEMA: (
        tuple(feature.name for feature in CANDIDATE_FEATURES),
        tuple(feature.name for feature in CONTEXT_FEATURES),
    ),
}
