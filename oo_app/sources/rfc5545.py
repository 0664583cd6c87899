"""Reading iCalendar (RFC 5545) for the sources that are sent it: components, times, and rules that nobody means."""

import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from typing import Any, cast
from zoneinfo import ZoneInfo

from icalendar import Calendar, Component

MOST_A_DAY = 24
TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})  # nobody's appointments; each could fill the store by itself
# What the libraries raise on odd files, some of them only when a property is looked at.
ODD = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


def parse(text: str) -> list[Component]:
    """Read the calendars of a file; of what the library will not read, only the odd lines are lost.

    Raises one of ODD for what is no calendar at all.
    """
    try:
        return cast("list[Component]", Calendar.from_ical(text, multiple=True))
    except ODD:
        return cast("list[Component]", Calendar.from_ical("".join(_readable(text)), multiple=True))


def content_lines(text: str) -> list[str]:
    """Cut a file into the lines it means, continuations and line ends included: joined, they are the file."""
    return re.split(r"(?<=\n)(?![ \t])", text)


def name_of(line: str) -> str:
    """Return the property that a line gives, in upper case."""
    return re.split("[:;\r\n]", line, maxsplit=1)[0].strip().upper()


def _readable(text: str) -> Iterator[str]:
    within: list[str] = []
    for line in content_lines(text):
        name = name_of(line)
        if name == "BEGIN":
            within.append(line.strip().upper())
        elif name == "END":
            del within[-1:]
        elif within[-1:] != ["BEGIN:VEVENT"] and not _is_readable(line):  # entries forgive by themselves
            continue
        yield line


def _is_readable(line: str) -> bool:
    try:
        Component.from_ical(f"BEGIN:VTODO\n{line.rstrip()}\nEND:VTODO\n")
    except ODD:
        return False
    return True


def inside(calendar: Component, name: str) -> list[Component]:
    """Return what a calendar holds of a kind, in its order."""
    walk = cast("Callable[[str], list[Component]]", calendar.walk)  # pyright: ignore[reportUnknownMemberType]
    return walk(name)


def when(component: Component, name: str) -> object:
    """Return the date, time or duration of a property; None where there is none."""
    return getattr(component.get(name), "dt", None)


def word(component: Component, name: str) -> str:
    """Return a property that is one word of a list, in upper case; empty where there is none."""
    return str(component.get(name, "")).upper()


def moment(when: date, floating: ZoneInfo) -> datetime:
    """Return a day or time as UTC; what has no zone of its own is read in one."""
    if not isinstance(when, datetime):
        when = datetime.combine(when, time.min)
    return (when if when.tzinfo else when.replace(tzinfo=floating)).astimezone(UTC)


def is_hostile(component: Component) -> bool:
    """Whether an entry repeats by the hour or faster, many times a day, or on the spot: nobody's appointment."""
    told: list[Any] = []
    for name in ("RRULE", "EXRULE"):
        rules: Any = component.get(name) or []
        told += cast("list[Any]", rules) if isinstance(rules, list) else [rules]
    for rule in told:
        parts = {str(name).upper(): [str(each).upper() for each in _listed(value)] for name, value in rule.items()}
        a_day = math.prod(max(1, len(parts.get(name, []))) for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
        interval = parts.get("INTERVAL", ["1"])[0]
        if (
            TOO_OFTEN & set(parts.get("FREQ", []))
            or a_day > MOST_A_DAY
            or not interval.isdecimal()
            or int(interval) < 1
        ):
            return True
    return False


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]
