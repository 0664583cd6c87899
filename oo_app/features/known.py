"""What features are made of: a moment with what is known about it, and an item seen at that moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from oo_app.features.profile import Habits
from oo_app.signals import Busy, OpenItem

END_OF_DAY = time(23, 59, 59)
MINUTE = timedelta(minutes=1)
HORIZON = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Dose:
    """What oO has told a person lately. `refusals` counts the snoozes and dismisses since something else was answered.

    `last_at` is when the last tip was shown; None when none ever was.
    """

    tips_today: int
    last_at: datetime | None
    refusals: int


class Agenda(NamedTuple):
    """What the calendars leave of the day: minutes until the next meeting, and until the one under way is over."""

    free_minutes: float
    busy_minutes: float
    meetings: int
    meetings_left: int


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where a decision is made, and what is known then. `now` is UTC, `local` the same in the person's zone.

    `agenda` is None where no calendar was ever read, `habits` where nothing was completed in three months. `read_at`
    says of each connected source when it was read last, None when it never was.
    """

    now: datetime
    local: datetime
    zone: ZoneInfo
    open_items: int
    agenda: Agenda | None
    habits: Habits | None
    dose: Dose
    read_at: Mapping[str, datetime | None]


class Candidate(NamedTuple):
    """An item that could be suggested, seen at a moment, and when it is late (UTC), worked out once for all."""

    item: OpenItem
    due: datetime | None
    deadline: datetime | None
    moment: Moment


def candidate(item: OpenItem, moment: Moment) -> Candidate:
    """Work out when an item is late: a day ends at local midnight, a floating time is the person's."""
    deadline = None if item.deadline_on is None else _end_of(item.deadline_on, moment.zone)
    return Candidate(item, _due(item, deadline, moment.zone), deadline, moment)


def _due(item: OpenItem, deadline: datetime | None, zone: ZoneInfo) -> datetime | None:
    if item.due_at is not None:
        return item.due_at
    if item.due_floating is not None:
        return datetime.fromisoformat(item.due_floating).replace(tzinfo=zone).astimezone(UTC)
    return deadline if item.due_on is None else _end_of(item.due_on, zone)


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the last second of a day: where clocks go back before midnight, that of the second time it is told."""
    return datetime.combine(day, END_OF_DAY, tzinfo=zone).replace(fold=1).astimezone(UTC)


def day_of(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when the person's day began and when it ends, in UTC: 23 to 25 hours where clocks change."""
    today = now.astimezone(zone).date()
    first, last = (datetime.combine(day, time(), tzinfo=zone) for day in (today, today + timedelta(days=1)))
    return first.astimezone(UTC), last.astimezone(UTC)


def agenda_of(entries: Sequence[Busy], now: datetime, zone: ZoneInfo) -> Agenda:
    """Work out what the entries of a day and of the hours ahead leave of it; they come in order."""
    day_begins, day_ends = day_of(now, zone)
    today = [each for each in entries if each.starts_at < day_ends and each.ends_at > day_begins]
    busy_until = now
    for each in entries:  # meetings that follow one another without a gap are one stretch
        if each.starts_at <= busy_until < each.ends_at:
            busy_until = each.ends_at
    ahead = [each.starts_at for each in entries if each.starts_at > now]
    free_until = now if busy_until > now else min([*ahead, now + HORIZON])
    return Agenda(
        free_minutes=(free_until - now) / MINUTE,
        busy_minutes=(min(busy_until, now + HORIZON) - now) / MINUTE,
        meetings=len(today),
        meetings_left=sum(each.starts_at > now for each in today),
    )
