"""A person's profile: when in their week they get things done, counted as completions come, and equal to a recount."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select
from sqlmodel import col

from oo_app import signals
from oo_app.accounts import preferences
from oo_app.features.models import Profile
from oo_app.kit.db import Tx, UtcDateTime
from oo_app.kit.errors import NotFound
from oo_app.runtime import Runtime

VERSION = 1
WINDOW = timedelta(days=91)  # three months, so many of each weekday
HOURS = 24
WEEK_HOURS = 7 * HOURS
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
BATCH = 100

_STORED = select(col(Profile.version), col(Profile.time_zone), col(Profile.counts), col(Profile.total)).where(
    col(Profile.user_id) == bindparam("user_id")
)
_DUE = (
    select(col(Profile.user_id))
    .where(col(Profile.since) < bindparam("since", type_=UtcDateTime), col(Profile.user_id) > bindparam("after"))
    .order_by(col(Profile.user_id))
    .limit(BATCH)
)


@dataclass(frozen=True, slots=True)
class Habits:
    """How much a person completed in each hour of their week, from Monday's first to Sunday's last."""

    counts: Sequence[int]
    total: int

    def at(self, local: datetime) -> int:
        """Return how much was completed at this hour of this weekday."""
        return self.counts[hour_of_week(local)]

    def at_hour(self, local: datetime) -> int:
        """Return how much was completed at this hour, whatever the day."""
        return sum(self.counts[local.hour :: HOURS])


def hour_of_week(local: datetime) -> int:
    """Return the hour's place in a week that begins on Monday."""
    return local.weekday() * HOURS + local.hour


async def habits(rt: Runtime, user_id: str, zone: ZoneInfo) -> Habits | None:
    """Return a person's habits in the zone they live in; None where nothing was completed in three months.

    Counted first, when they never were, or in another zone.
    """
    rows = await rt.db.fetch(_STORED, {"user_id": user_id})
    if not rows or (rows[0].version, rows[0].time_zone) != (VERSION, zone.key):
        await fold(rt, user_id)
        rows = await rt.db.fetch(_STORED, {"user_id": user_id})
    return Habits(json.loads(rows[0].counts), rows[0].total) if rows and rows[0].total else None


async def fold(rt: Runtime, user_id: str) -> None:
    """Count the completions that came since; may be said at any time, and as often as one likes.

    What cannot be counted on top (an id out of order, a row that is gone, another zone) is counted from the start.
    """
    with suppress(NotFound):  # a person who is gone has no habits
        zone = (await preferences(rt, user_id)).zone
        async with rt.db.begin() as tx:
            row = await tx.session.get(Profile, user_id)
            if row is None or not await _folded(tx, row, zone):
                await _recounted(tx, row, user_id, zone)


async def recount(rt: Runtime, user_id: str) -> None:
    """Count all of a person's completions of three months anew."""
    with suppress(NotFound):
        zone = (await preferences(rt, user_id)).zone
        async with rt.db.begin() as tx:
            await _recounted(tx, await tx.session.get(Profile, user_id), user_id, zone)


async def recount_due(rt: Runtime) -> int:
    """Recount, once a day, every profile, so that what is older than three months leaves it; return how many."""
    total, last = 0, ""
    while rows := await rt.db.fetch(_DUE, {"since": _window_begins(rt.clock.now()), "after": last}):
        for (user_id,) in rows:
            await recount(rt, user_id)
        total, last = total + len(rows), rows[-1].user_id
    return total


def by_weekday(counts: Sequence[int]) -> Mapping[str, Mapping[str, int]]:
    """Write counts so that a person can read them: `{"Monday": {"09:00": 3}}`."""
    return {
        weekday: {f"{hour:02}:00": count for hour, count in enumerate(counts[start : start + HOURS]) if count}
        for weekday, start in zip(WEEKDAYS, range(0, WEEK_HOURS, HOURS), strict=True)
    }


def counted(times: Iterable[datetime], zone: ZoneInfo) -> Sequence[int]:
    """Count moments by the hour of the week they fall into where the person lives."""
    found = Counter(hour_of_week(at.astimezone(zone)) for at in times)
    return [found[hour] for hour in range(WEEK_HOURS)]


async def _folded(tx: Tx, row: Profile, zone: ZoneInfo) -> bool:
    """Count what is new on top; False when that would not come to what a recount does."""
    if (row.version, row.time_zone) != (VERSION, zone.key):
        return False
    news = await signals.completions(tx, row.user_id, since=row.since, after=row.folded_to)
    if row.total + len(news) != await signals.count_completions(tx, row.user_id, since=row.since):
        return False
    if news:
        fresh = counted([at for _, at in news], zone)
        row.counts = json.dumps([was + more for was, more in zip(json.loads(row.counts), fresh, strict=True)])
        row.total += len(news)
        row.folded_to, row.folded_at = max(completion_id for completion_id, _ in news), tx.now
        tx.session.add(row)
    return True


async def _recounted(tx: Tx, row: Profile | None, user_id: str, zone: ZoneInfo) -> None:
    since = _window_begins(tx.now)
    found = await signals.completions(tx, user_id, since=since)
    values: dict[str, Any] = {
        "version": VERSION,
        "time_zone": zone.key,
        "counts": json.dumps(counted([at for _, at in found], zone)),
        "total": len(found),
        "since": since,
        "folded_to": max((completion_id for completion_id, _ in found), default=""),
        "folded_at": tx.now,
    }
    if row is None:
        tx.session.add(Profile(user_id=user_id, **values))
        return
    row.sqlmodel_update(values)
    tx.session.add(row)


def _window_begins(now: datetime) -> datetime:
    return datetime.combine(now.date() - WINDOW, time(), tzinfo=UTC)
