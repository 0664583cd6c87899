"""What decisions say of their features, hour by hour: how often values were missing, or older than promised."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Row, bindparam, func, select, text
from sqlmodel import col

from oo_app import features
from oo_app.features import Late, Tally
from oo_app.kit.db import UtcDateTime
from oo_app.runtime import Runtime
from oo_app.tips.models import Decision

FLOAT_BYTES = 8

_OF_CANDIDATES = [feature.name for feature in features.CANDIDATE_FEATURES]
_OF_CONTEXTS = [feature.name for feature in features.CONTEXT_FEATURES]

_OF_AN_HOUR = select(col(Decision.stale), col(Decision.missing), func.length(col(Decision.propensities))).where(
    text("length(context) > 0"),  # as the index says it: no other row is looked at
    col(Decision.schema_version) == features.SCHEMA,
    col(Decision.at) >= bindparam("since", type_=UtcDateTime),
    col(Decision.at) < bindparam("until", type_=UtcDateTime),
)


async def note_freshness(rt: Runtime) -> int:
    """Note every hour that has passed how fresh and how whole its decisions' features were; return how many hours."""
    hours = await features.hours_to_note(rt)
    for hour in hours:
        rows = await rt.db.fetch(_OF_AN_HOUR, {"since": hour, "until": hour + features.HOUR})
        tallies = await asyncio.to_thread(_tallied, hour, rows)
        await features.note(rt, hour, tallies, has_slept=len(hours) > 1)
    return len(hours)


def stale_text(lates: Sequence[Late]) -> str:
    """Write down which sources were late at a decision, and by what age."""
    return json.dumps({each.source: each.age and each.age.total_seconds() for each in lates})


def read_stale(stale: str) -> tuple[Late, ...]:
    """Read what `stale_text` wrote."""
    ages: dict[str, float | None] = json.loads(stale)
    return tuple(Late(source, None if age is None else timedelta(seconds=age)) for source, age in ages.items())


def _tallied(hour: datetime, rows: Sequence[Row[str, str, int]]) -> Sequence[Tally]:
    """Count by feature: of the context's one value a decision, of a candidate's as many as there were candidates."""
    checked, breaches, missing = Counter[str](), Counter[str](), Counter[str]()
    oldest: dict[str, float] = {}
    for stale, unknown, length in rows:
        values = dict.fromkeys(_OF_CANDIDATES, length // FLOAT_BYTES) | dict.fromkeys(_OF_CONTEXTS, 1)
        checked.update(values)
        missing.update(json.loads(unknown))
        ages = {name: each.age for each in read_stale(stale) for name in features.fed_by(each.source)}
        breaches.update({name: values[name] for name in ages})
        for name, age in ages.items():
            if age is not None:
                oldest[name] = max(oldest.get(name, 0.0), age.total_seconds())
    return [
        Tally(hour, "feature", name, count, breaches[name], missing[name], oldest.get(name))
        for name, count in checked.items()
    ]
