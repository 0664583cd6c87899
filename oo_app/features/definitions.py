"""The features, by theme: numbers about a candidate or about the moment, computed once and stored with the decision."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
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


def due_moment(item: OpenItem, zone: ZoneInfo) -> datetime | None:
    """Return when an item is late, in UTC: a day ends at local midnight, a floating time is the person's."""
    if item.due_at is not None:
        return item.due_at
    if item.due_floating is not None:
        return datetime.fromisoformat(item.due_floating).replace(tzinfo=zone).astimezone(UTC)
    day = item.due_on or item.deadline_on
    return None if day is None else datetime.combine(day, END_OF_DAY, tzinfo=zone).astimezone(UTC)


def is_overdue(item: OpenItem, moment: Moment) -> float:
    """1 when the due time has passed."""
    due = due_moment(item, moment.zone)
    return float(due is not None and due < moment.now)


def has_due(item: OpenItem, moment: Moment) -> float:
    """1 when there is a due time at all."""
    return float(due_moment(item, moment.zone) is not None)


def days_until_due(item: OpenItem, moment: Moment) -> float:
    """Days until due, negative when late, cut at thirty either way; thirty without a due time."""
    due = due_moment(item, moment.zone)
    return FAR_DAYS if due is None else _cut((due - moment.now) / timedelta(days=1), -FAR_DAYS, FAR_DAYS)


def task_age_days(item: OpenItem, moment: Moment) -> float:
    """Days since the item was made, cut at a year."""
    return _cut((moment.now - item.created_at) / timedelta(days=1), 0.0, 365.0)


def priority(item: OpenItem, _moment: Moment) -> float:
    """1 (normal) to 4 (urgent), as its source says."""
    return float(item.priority)


def is_recurring(item: OpenItem, _moment: Moment) -> float:
    """1 when it comes again."""
    return float(item.is_recurring)


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
