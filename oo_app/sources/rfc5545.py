"""Reading iCalendar (RFC 5545) for the sources that are sent it: components, times, and rules that nobody means."""

import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from itertools import count
from threading import Lock
from typing import Any, cast
from zoneinfo import ZoneInfo

from icalendar import Calendar, Component
from icalendar.timezone import tzp

MOST_A_DAY = 24
MOST_ZONES, MOST_RULES = 50, 100
MOST_LINES = 300_000  # the library reads some fifty thousand a second
DAYS_A_YEAR = 366
YEARLY_STEPS = {"DAILY": 366, "WEEKLY": 53, "MONTHLY": 12 * 5, "YEARLY": 1}
MOST_STEPS = 100_000  # of a rule, from its beginning: each is taken, and ten years of every hour are fewer
ZONE_RULE = frozenset({"FREQ", "INTERVAL", "BYMONTH", "BYDAY", "BYMONTHDAY", "UNTIL", "COUNT", "WKST"})
SHORTEST_MONTH = 28
TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})  # nobody's appointments; each could fill the store by itself
SELDOM = frozenset({"MONTHLY", "YEARLY"})
ONLY_SELDOM = frozenset({"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"})
# What the libraries raise on odd files, some of them only when a property is looked at.
ODD = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)

_ZONE = frozenset({"VTIMEZONE"})
# The library keeps the zones that files define for the whole process, by name: a file of one person's would tell the
# times in another's. So it starts anew for each file.
_alone = Lock()


def parse(text: str) -> list[Component]:
    """Read the calendars of a file; of what the library will not read, only the odd lines are lost.

    Raises one of ODD for what is no calendar at all, or has more lines than any real one of its size.
    """
    if text.count("\n") > MOST_LINES:
        msg = "too many lines"
        raise ValueError(msg)
    seen = count()
    usual = replaced(text, _ZONE, lambda zone: zone if _is_usual(zone) and next(seen) < MOST_ZONES else "")
    with _alone:
        tzp.use_default()
        try:
            return cast("list[Component]", Calendar.from_ical(usual, multiple=True))
        except ODD:
            return cast("list[Component]", Calendar.from_ical("".join(_readable(without(text, _ZONE))), multiple=True))


def _is_usual(zone: str) -> bool:
    """Whether a zone's clocks change once a year, on a day that comes: the library follows other rules for ever."""
    rules = [line.partition(":")[2] for line in content_lines(zone) if name_of(line) in {"RRULE", "EXRULE"}]
    return len(rules) <= MOST_RULES and all(map(_is_yearly, rules))


def _is_yearly(rule: str) -> bool:
    told = re.sub(r"\s", "", rule).upper()
    parts: dict[str, str] = {name: value for name, _, value in (part.partition("=") for part in told.split(";"))}
    days = [int(day) for day in parts.get("BYMONTHDAY", "").split(",") if day.removeprefix("-").isdecimal()]
    return (
        parts.get("FREQ") == "YEARLY"
        and parts.get("INTERVAL", "1") == "1"
        and parts.keys() <= ZONE_RULE
        and re.fullmatch("(-?[1-4])?[A-Z]{2}" if not days else "[A-Z]{2}", parts.get("BYDAY", "SU")) is not None
        and ("BYMONTHDAY" not in parts or any(0 < abs(day) <= SHORTEST_MONTH for day in days))
    )


def without(text: str, kinds: frozenset[str]) -> str:
    """Leave out components of some kinds, with all that is in them."""
    return replaced(text, kinds, lambda _: "")


def replaced(text: str, kinds: frozenset[str], by: Callable[[str], str]) -> str:
    """Put something else in the place of each component of some kinds; one that never ends stays as it is.

    Line by line, since a pattern that looks for each one's end takes hours for a file of beginnings.
    """
    lines = text.split("\n")
    told = [_edge(line) for line in lines]
    last_end = {edge.removeprefix("END:"): number for number, edge in enumerate(told) if edge.startswith("END:")}
    kept: list[str] = []
    begun, kind = 0, ""
    for number, (line, edge) in enumerate(zip(lines, told, strict=True)):
        opens = edge.removeprefix("BEGIN:") if edge.startswith("BEGIN:") else ""
        if kind:
            if edge == f"END:{kind}":
                kept.append(by("\n".join([*lines[begun : number + 1], ""])).removesuffix("\n"))
                kind = ""
        elif opens in kinds and last_end.get(opens, -1) > number:
            begun, kind = number, opens
        else:
            kept.append(line)
    return "\n".join(kept)


def _edge(line: str) -> str:
    """Return where a line begins or ends a component, in upper case; empty for any other."""
    return line.rstrip().upper() if line[:6].upper() == "BEGIN:" or line[:4].upper() == "END:" else ""


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
    """Whether an entry repeats by the hour or faster, many times a day, on the spot, or by what its rule cannot have.

    The last of these may never come about, and looking for it until the year 9999 takes ten seconds.
    """
    told: list[Any] = []
    for name in ("RRULE", "EXRULE"):
        rules: Any = component.get(name) or []
        told += cast("list[Any]", rules) if isinstance(rules, list) else [rules]
    return any(_is_hostile(rule) for rule in told)


def is_endless(component: Component, until: datetime) -> bool:
    """Whether an entry's rule takes more steps from its beginning to some time than any that somebody means."""
    start, rules = when(component, "DTSTART"), cast("Any", component.get("RRULE") or [])
    if not isinstance(start, date):
        return False
    days = max((until.date() - (start.date() if isinstance(start, datetime) else start)).days, 1)
    return any(_steps(rule, days) > MOST_STEPS for rule in _listed(rules))


def _steps(rule: Any, days: int) -> float:
    """Estimate how many occurrences a rule has in so many days, `COUNT` left aside unless it ends it sooner."""
    parts = {str(name).upper(): [str(each).upper() for each in _listed(value)] for name, value in rule.items()}
    a_day = math.prod(max(1, len(parts.get(name, []))) for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
    of_days = [len(parts.get(name, [])) for name in ("BYMONTHDAY", "BYYEARDAY", "BYDAY", "BYWEEKNO")]
    a_year = (
        YEARLY_STEPS.get(parts.get("FREQ", [""])[0], DAYS_A_YEAR)
        * max(1, *of_days)
        * max(1, len(parts.get("BYMONTH", [])))
    )
    interval = max(int(parts.get("INTERVAL", ["1"])[0]), 1)
    steps = days / DAYS_A_YEAR * min(a_year, DAYS_A_YEAR) * a_day / interval
    told = parts.get("COUNT", [""])[0]
    return min(steps, int(told) * a_day) if told.isdecimal() else steps


def _is_hostile(rule: Any) -> bool:
    parts = {str(name).upper(): [str(each).upper() for each in _listed(value)] for name, value in rule.items()}
    a_day = math.prod(max(1, len(parts.get(name, []))) for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
    interval = parts.get("INTERVAL", ["1"])[0]
    is_often = not SELDOM & set(parts.get("FREQ", []))
    return (
        bool(TOO_OFTEN & set(parts.get("FREQ", [])))
        or a_day > MOST_A_DAY
        or not interval.isdecimal()
        or int(interval) < 1
        or (is_often and not ONLY_SELDOM.isdisjoint(parts))
    )


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]
