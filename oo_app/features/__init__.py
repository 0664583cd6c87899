"""Numbers about a candidate and a moment."""

from oo_app.features.context import moment, snapshot
from oo_app.features.definitions import Moment
from oo_app.features.registry import CANDIDATE_FEATURES, CONTEXT_FEATURES, SCHEMA

__all__ = ["CANDIDATE_FEATURES", "CONTEXT_FEATURES", "SCHEMA", "Moment", "moment", "snapshot"]
