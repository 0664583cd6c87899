"""The features, by theme: numbers about a candidate or about the moment, computed once and stored with the decision."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from oo_app.signals import OpenItem

END_OF_DAY = time(23, 59, 59)
FAR_DAYS = 30.0


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where a decision is made. `now` is UTC, `local` the same in the person's zone."""

    now: datetime
    local: datetime
    zone: ZoneInfo
    open_items: int


class Candidate(NamedTuple):
    """An item that could be suggested, and when it is late (UTC), worked out once for all features."""

    item: OpenItem
    due: datetime | None


def candidate(item: OpenItem, zone: ZoneInfo) -> Candidate:
    """Work out when an item is late: a day ends at local midnight, a floating time is the person's."""
    if item.due_at is not None:
        return Candidate(item, item.due_at)
    if item.due_floating is not None:
        return Candidate(item, datetime.fromisoformat(item.due_floating).replace(tzinfo=zone).astimezone(UTC))
    day = item.due_on or item.deadline_on
    return Candidate(item, None if day is None else datetime.combine(day, END_OF_DAY, tzinfo=zone).astimezone(UTC))


def is_overdue(candidate: Candidate, moment: Moment) -> float:
    """1 when the due time has passed."""
    return float(candidate.due is not None and candidate.due < moment.now)


def has_due(candidate: Candidate, _moment: Moment) -> float:
    """1 when there is a due time at all."""
    return float(candidate.due is not None)


def days_until_due(candidate: Candidate, moment: Moment) -> float:
    """Days until due, negative when late, cut at thirty either way; thirty without a due time."""
    due = candidate.due
    return FAR_DAYS if due is None else _cut((due - moment.now) / timedelta(days=1), -FAR_DAYS, FAR_DAYS)


def task_age_days(candidate: Candidate, moment: Moment) -> float:
    """Days since the item was made, cut at a year."""
    return _cut((moment.now - candidate.item.created_at) / timedelta(days=1), 0.0, 365.0)


def priority(candidate: Candidate, _moment: Moment) -> float:
    """1 (normal) to 4 (urgent), as its source says."""
    return float(candidate.item.priority)


def is_recurring(candidate: Candidate, _moment: Moment) -> float:
    """1 when it comes again."""
    return float(candidate.item.is_recurring)


def hour_of_day(moment: Moment) -> float:
    """Local hour with its fraction, 0 to 24."""
    return moment.local.hour + moment.local.minute / 60


def day_of_week(moment: Moment) -> float:
    """Local weekday, Monday 0 to Sunday 6."""
    return float(moment.local.weekday())


def open_items(moment: Moment) -> float:
    """How many items could be suggested."""
    return float(moment.open_items)


def _cut(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
