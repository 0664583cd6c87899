"""A task as CalDAV servers keep it (VTODO, RFC 5545), read as an item.

Of a task that repeats, the item is its current occurrence. Programs complete one in two ways: most move the task on to
the next occurrence, some write beside it which occurrences were changed (RECURRENCE-ID). Both are read.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, cast
from zoneinfo import ZoneInfo

import recurring_ical_events  # pyright: ignore[reportMissingTypeStubs] -- it brings its types in its code
from icalendar import Calendar, Component, vDDDTypes, vRecur
from icalendar import Todo as Task

from oo_app.sources.facts import Completion, Due, Item, is_tellable
from oo_app.sources.rfc5545 import ODD, inside, is_hostile, moment, parse, when, word

CLOSED = frozenset({"COMPLETED", "CANCELLED"})
MOST_OCCURRENCES = 2_000  # looked through for one that is still to do
MOST_SKIPPED = 60  # occurrences a task may have gone on by, and it still counts as done, not as put off
MOST_LABELS = 50
DETAIL_LENGTH, URL_LENGTH = 500, 500
MINUTES_OF_A_DAY = 1440
PRIORITIES = {1: 4, 2: 3, 3: 3, 4: 3, 5: 2}  # 1 is the highest there, 9 the lowest, 0 says nothing
UTC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Resource:
    """What one resource holds: the task, occurrences of it that were changed, and the zones they name."""

    task: Component
    changed: Sequence[Component] = ()
    zones: Sequence[Component] = ()

    @property
    def is_recurring(self) -> bool:
        """Whether the task repeats, by a rule that anybody could mean."""
        return ("RRULE" in self.task or "RDATE" in self.task) and not is_hostile(self.task)

    @property
    def is_plain(self) -> bool:
        """Whether it repeats by its rule alone, so that it can go on to its next occurrence."""
        return not self.changed and not any(name in self.task for name in ("RDATE", "EXDATE", "EXRULE"))


def read(text: str) -> Resource | None:
    """Read a resource; None where it holds no task, or nothing that can be read."""
    try:
        calendars = parse(text)
    except ODD:
        return None
    todos = [todo for calendar in calendars for todo in inside(calendar, "VTODO")]
    tasks = [todo for todo in todos if "RECURRENCE-ID" not in todo]
    if not tasks:
        return None
    zones = [zone for calendar in calendars for zone in inside(calendar, "VTIMEZONE")]
    return Resource(tasks[0], [todo for todo in todos if "RECURRENCE-ID" in todo], zones)


def item(resource: Resource, external_id: str, *, is_completable: bool) -> Item:
    """Return a task as an item.

    `changed_at` is left out: each program writes it by a clock of its own, so an older one may be the newer state.
    """
    task = resource.task
    now = upcoming(resource)
    is_open = now is not None and not is_closed(task)
    shown = task if now is None else now
    return Item(
        external_id=external_id,
        is_open=is_open,
        content=str(shown.get("SUMMARY", "")),
        detail=str(shown.get("DESCRIPTION", "")).strip()[:DETAIL_LENGTH],
        url=_url(task),
        due=due(shown, is_recurring=resource.is_recurring),
        priority=_priority(shown),
        is_recurring=resource.is_recurring,
        is_completable=is_completable and not is_hostile(task),
        minutes=_minutes(shown),
        labels=tuple(_labels(task)[:MOST_LABELS]),
        created_at=_at(task, "CREATED"),
        completed_at=None if is_open else _last_done(resource),
    )


def upcoming(resource: Resource) -> Component | None:
    """Return the occurrence that is to be done next; None when none is left. What does not repeat is its own."""
    if not resource.is_recurring or resource.is_plain:
        return resource.task
    with suppress(*ODD):
        return next((each for each in islice(occurrences(resource), MOST_OCCURRENCES) if not is_closed(each)), None)
    return resource.task


def occurrences(resource: Resource) -> Generator[Component]:
    """Return the occurrences of a task that repeats, one after the other; there may be no end to them."""
    starts = [start for each in (resource.task, *resource.changed) if (start := _start(each)) is not None]
    whole = Calendar()
    for component in (*resource.zones, resource.task, *resource.changed):
        whole.add_component(component)
    every = recurring_ical_events.of(whole, components=["VTODO"], skip_bad_series=True)
    yield from every.after(min(moment(start, UTC_ZONE) for start in starts) - timedelta(days=2))


def occurrence_of(resource: Resource) -> str:
    """Return the name of the current occurrence: when it begins; empty for a task that does not repeat."""
    now = upcoming(resource) if resource.is_recurring else None
    start = None if now is None else _start(now)
    return "" if start is None else start.isoformat()


def done_since(resource: Resource, external_id: str, before: str, read_at: datetime) -> Sequence[Completion]:
    """Return what was done of a task that repeats since `before` was its current occurrence.

    One that went on by its rule was done, at a time that only its last change tells; one that was moved to any other
    time was put off.
    """
    if not (resource.is_recurring and before):
        return ()
    with suppress(*ODD):
        if resource.is_plain:
            at = _at(resource.task, "LAST-MODIFIED") or read_at
            return (Completion(external_id, at),) if _went_on(resource, before) else ()
        return [
            Completion(external_id, at, due(each, is_recurring=True).name)
            for each in resource.changed
            if word(each, "STATUS") == "COMPLETED"
            and (at := _at(each, "COMPLETED") or read_at)
            and (start := when(each, "RECURRENCE-ID"))
            and moment(cast("date", start), UTC_ZONE) >= moment(_read_start(before), UTC_ZONE)
        ]
    return ()


def past(resource: Resource, external_id: str) -> Sequence[Completion]:
    """Return all that a task says was done of it."""
    last = _last_done(resource) if is_closed(resource.task) else None
    moments = [_at(each, "COMPLETED") for each in resource.changed if word(each, "STATUS") == "COMPLETED"]
    return [Completion(external_id, at) for at in (last, *moments) if at is not None]


def _went_on(resource: Resource, before: str) -> bool:
    """Whether the task stands at one of the next occurrences that its rule makes of an earlier one."""
    now, start = _start(resource.task), _read_start(before)
    if now is None or moment(now, UTC_ZONE) <= moment(start, UTC_ZONE):
        return False
    zone = getattr(now, "tzinfo", None)
    earlier = Task()
    if zone and isinstance(start, datetime) and start.tzinfo:
        start = start.astimezone(zone)
    earlier["DTSTART"] = vDDDTypes(start)
    rule = cast("Mapping[str, Any]", resource.task["RRULE"])
    earlier["RRULE"] = vRecur({name: value for name, value in rule.items() if name.upper() != "COUNT"})
    following = islice(occurrences(Resource(earlier, (), resource.zones)), 1, MOST_SKIPPED)
    return any(_start(each) == now for each in following)


def is_closed(todo: Component) -> bool:
    """Whether a task, or an occurrence of it, is done or called off."""
    return word(todo, "STATUS") in CLOSED or ("STATUS" not in todo and "COMPLETED" in todo)


def due(todo: Component, *, is_recurring: bool) -> Due:
    """Return when a task is due; one that repeats may say only when it begins."""
    told = when(todo, "DUE")
    start, duration = when(todo, "DTSTART"), when(todo, "DURATION")
    if not isinstance(told, date) and isinstance(start, date):
        told = start + duration if isinstance(duration, timedelta) else (start if is_recurring else None)
    if not isinstance(told, date) or not is_tellable(told):
        return Due()
    if not isinstance(told, datetime):
        return Due(on=told)
    return Due(floating=told) if told.tzinfo is None else Due(at=moment(told, UTC_ZONE))


def _start(todo: Component) -> date | None:
    told = when(todo, "DTSTART") or when(todo, "DUE")
    return told if isinstance(told, date) else None


def _read_start(text: str) -> date:
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _last_done(resource: Resource) -> datetime | None:
    """Return when a task that is closed was done; None when it was called off."""
    if word(resource.task, "STATUS") == "CANCELLED":
        return None
    if is_closed(resource.task):
        return _at(resource.task, "COMPLETED") or _at(resource.task, "LAST-MODIFIED") or _at(resource.task, "DTSTAMP")
    return max((at for each in resource.changed if (at := _at(each, "COMPLETED"))), default=None)


def _at(todo: Component, name: str) -> datetime | None:
    told = when(todo, name)
    return moment(told, UTC_ZONE) if isinstance(told, datetime) and is_tellable(told) else None


def _priority(todo: Component) -> int:
    with suppress(*ODD):
        return PRIORITIES.get(int(todo.get("PRIORITY", 0)), 1)
    return 1


def _minutes(todo: Component) -> int | None:
    """Return how long a task takes: as estimated (the draft of calext's tasks), else as it lasts."""
    with suppress(*ODD):
        told = todo.get("ESTIMATED-DURATION")
        length = Calendar.from_ical(f"BEGIN:VTODO\nDURATION:{told}\nEND:VTODO\n") if told else todo
        lasts = when(cast("Component", length), "DURATION")
        minutes = lasts // timedelta(minutes=1) if isinstance(lasts, timedelta) else 0
        return minutes if 0 < minutes <= MINUTES_OF_A_DAY else None
    return None


def _labels(task: Component) -> list[str]:
    told: Any = task.get("CATEGORIES", [])
    groups = cast("list[Any]", told if isinstance(told, list) else [told])
    return [label for group in groups for each in getattr(group, "cats", ()) if (label := str(each).strip())]


def _url(task: Component) -> str | None:
    told = str(task.get("URL", ""))
    return told if told.startswith(("https://", "http://")) and len(told) <= URL_LENGTH else None
