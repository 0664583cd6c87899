"""Numbers about a candidate and a moment, the profiles they draw on, and how fresh it all is."""

from oo_app.features.context import Snapshot, Whose, look, snapshot
from oo_app.features.feature import Feature, Origin, Privacy
from oo_app.features.freshness import (
    HOUR,
    Late,
    Tally,
    fed_by,
    freshness,
    hours_to_note,
    late,
    note,
    purge_freshness,
)
from oo_app.features.known import Dose, Moment, day_of
from oo_app.features.profile import by_weekday, fold, recount, recount_due
from oo_app.features.registry import CANDIDATE_FEATURES, COLUMNS, CONTEXT_FEATURES, FEATURES, SCHEMA

__all__ = [
    "CANDIDATE_FEATURES",
    "COLUMNS",
    "CONTEXT_FEATURES",
    "FEATURES",
    "HOUR",
    "SCHEMA",
    "Dose",
    "Feature",
    "Late",
    "Moment",
    "Origin",
    "Privacy",
    "Snapshot",
    "Tally",
    "Whose",
    "by_weekday",
    "day_of",
    "fed_by",
    "fold",
    "freshness",
    "hours_to_note",
    "late",
    "look",
    "note",
    "purge_freshness",
    "recount",
    "recount_due",
    "snapshot",
]
