"""The snapshot of a moment: what a policy is given, and what is stored so that learning never recomputes it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from ml.types import Array
from oo_app import signals
from oo_app.connections import Reading, sources_by_name
from oo_app.features.feature import Feature
from oo_app.features.known import HORIZON, Agenda, Dose, Moment, agenda_of, candidate, day_of
from oo_app.features.profile import habits
from oo_app.features.registry import CANDIDATE_FEATURES, CONTEXT_FEATURES
from oo_app.runtime import Runtime
from oo_app.signals import OpenItem

Known = TypeVar("Known")


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose moment it is: the person, where they live, and what they have connected."""

    user_id: str
    zone: ZoneInfo
    readings: Sequence[Reading]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The context (k,) and the candidates (n, m), columns in the order of the registry; both read-only.

    `missing` counts by feature the values that could not be known, so that the default stands in for them.
    """

    context: Array
    candidates: Array
    missing: Mapping[str, int]


async def look(rt: Runtime, whose: Whose, now: datetime, *, dose: Dose, open_items: int) -> Moment:
    """Fix the moment of a decision, and read what is known about it."""
    return Moment(
        now=now,
        local=now.astimezone(whose.zone),
        zone=whose.zone,
        open_items=open_items,
        agenda=await _agenda(rt, whose, now),
        habits=await habits(rt, whose.user_id, whose.zone),
        dose=dose,
        read_at={reading.source: reading.last_read_at for reading in whose.readings},
    )


async def _agenda(rt: Runtime, whose: Whose, now: datetime) -> Agenda | None:
    """Read the day's meetings; None where no calendar was ever read, which is not the same as an empty day."""
    read = [reading.source for reading in whose.readings if reading.last_read_at is not None]
    if not any("event" in sources_by_name()[name].kinds for name in read):
        return None
    begins, ends = day_of(now, whose.zone)
    entries = await signals.agenda(rt, whose.user_id, begins, max(ends, now + HORIZON))
    return agenda_of(entries, now, whose.zone)


def snapshot(moment: Moment, items: Sequence[OpenItem]) -> Snapshot:
    """Compute every feature of a moment and of the items seen at it."""
    missing = Counter[str]()
    context = _within(CONTEXT_FEATURES, [moment], missing)[0]
    candidates = _within(CANDIDATE_FEATURES, [candidate(item, moment) for item in items], missing)
    # What is logged is what was ranked: a policy, also one that is late and still running, cannot change it.
    for array in (context, candidates):
        array.setflags(write=False)
    return Snapshot(context, candidates, missing)


def _within(features: Sequence[Feature[Known]], known: Sequence[Known], missing: Counter[str]) -> Array:
    """Compute features of each that is known (n, m), and keep them within their bounds."""
    columns: list[list[float]] = []
    for feature in features:
        values = [feature.compute(each) for each in known]
        if unknown := values.count(None):
            missing[feature.name] = unknown
        columns.append([feature.default if value is None else value for value in values])
    low, high = [feature.low for feature in features], [feature.high for feature in features]
    matrix = np.array(columns, dtype=np.float64).reshape(len(features), len(known)).T
    # Row by row in memory, as it is stored: sums over another layout could differ in their last bits when replayed.
    return np.ascontiguousarray(np.clip(matrix, low, high))
