"""The snapshot of a moment: what a policy is given, and what is stored so that learning never recomputes it."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from ml.types import Array
from oo_app.features.definitions import Moment, candidate
from oo_app.features.registry import CANDIDATE_FEATURES, CONTEXT_FEATURES
from oo_app.signals import OpenItem


def moment(now: datetime, zone: ZoneInfo, items: Sequence[OpenItem]) -> Moment:
    """Fix the moment of a decision."""
    return Moment(now=now, local=now.astimezone(zone), zone=zone, open_items=len(items))


def snapshot(at: Moment, items: Sequence[OpenItem]) -> tuple[Array, Array]:
    """Return the context (k,) and the candidates (n, m), columns in the order of the registry; both read-only."""
    context = np.array([feature(at) for feature in CONTEXT_FEATURES], dtype=np.float64)
    known = [candidate(item, at.zone) for item in items]
    rows = [[feature(each, at) for feature in CANDIDATE_FEATURES] for each in known]
    candidates = np.array(rows, dtype=np.float64).reshape(len(items), len(CANDIDATE_FEATURES))
    # What is logged is what was ranked: a policy, also one that is late and still running, cannot change it.
    for array in (context, candidates):
        array.setflags(write=False)
    return context, candidates
