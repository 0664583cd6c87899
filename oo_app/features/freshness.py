"""Whether features keep what their sources promise: what was late at a decision, and how it went hour by hour."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import bindparam, delete, func, insert, select
from sqlmodel import col

from oo_app.connections import Reading, ages, sources_by_name
from oo_app.features.feature import FED_BY
from oo_app.features.models import Freshness
from oo_app.features.registry import FEATURES
from oo_app.kit.db import UtcDateTime
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.sources import Kind

HOUR = timedelta(hours=1)
KEPT = timedelta(days=90)
MOST_HOURS = 24  # made up for after a pause; what came before that is told by the decisions themselves

_NEWEST = select(func.max(col(Freshness.hour)))
_SINCE = (
    select(
        col(Freshness.hour),
        col(Freshness.kind),
        col(Freshness.name),
        col(Freshness.checked),
        col(Freshness.breaches),
        col(Freshness.missing),
        col(Freshness.oldest_s),
    )
    .where(col(Freshness.hour) >= bindparam("since", type_=UtcDateTime))
    .order_by(col(Freshness.hour), col(Freshness.kind), col(Freshness.name))
)


@dataclass(frozen=True, slots=True)
class Late:
    """A source that was read too long ago when a decision rested on it; `age` is None when it was never read."""

    source: str
    age: timedelta | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How a feature's values, or a source's connections, kept their promise in an hour."""

    hour: datetime
    kind: Literal["feature", "source"]
    name: str
    checked: int
    breaches: int
    missing: int
    oldest_s: float | None


def late(rt: Runtime, readings: Sequence[Reading], now: datetime) -> tuple[Late, ...]:
    """Return the sources that are older than they promise, or were never read."""
    aged = [
        Late(reading.source, None if reading.last_read_at is None else now - reading.last_read_at)
        for reading in readings
    ]
    return tuple(
        each for each in aged if each.age is None or each.age > sources_by_name()[each.source].late_after(rt.settings)
    )


def fed_by(source_name: str) -> frozenset[str]:
    """Name the features that a source feeds; none where there is no such source any more."""
    source = sources_by_name().get(source_name)
    kinds = source.kinds if source else frozenset[Kind]()
    return frozenset(feature.name for feature in FEATURES if FED_BY.get(feature.origin) in kinds)


async def hours_to_note(rt: Runtime) -> Sequence[datetime]:
    """Return the whole hours that have passed and are not noted yet, the latest last."""
    this = rt.clock.now().replace(minute=0, second=0, microsecond=0)
    rows = await rt.db.fetch(_NEWEST, {})
    newest = rows[0][0] or this - 2 * HOUR
    return [this - HOUR * back for back in range(MOST_HOURS, 0, -1) if this - HOUR * back > newest]


async def note(rt: Runtime, hour: datetime, of_features: Sequence[Tally], *, has_slept: bool) -> None:
    """Write down an hour: the features as decisions had them, the sources as they stand now.

    After a pause, in which nothing could be read, none of a source's connections is checked. Said again, it replaces
    what was noted of that hour.
    """
    of_sources = [
        Tally(hour, "source", each.source, 0, 0, 0, None)
        if has_slept
        else Tally(hour, "source", each.source, each.connections, each.late, 0, each.oldest.total_seconds())
        for each in await ages(rt)
    ]
    async with rt.db.begin() as tx:
        await tx.session.execute(delete(Freshness).where(col(Freshness.hour) == hour))
        rows = [{"id": new_id(tx.now)} | asdict(tally) for tally in (*of_features, *of_sources)]
        if rows:
            await tx.session.execute(insert(Freshness), rows)


async def freshness(rt: Runtime, since: datetime) -> Sequence[Tally]:
    """Return what was noted since, by hour, kind and name."""
    return [Tally(*row) for row in await rt.db.fetch(_SINCE, {"since": since})]


async def purge_freshness(rt: Runtime, most: int) -> int:
    """Drop what was noted more than ninety days ago, up to so many rows; return how many."""
    return await rt.db.drop(Freshness, lambda now: col(Freshness.hour) < now - KEPT, most)
