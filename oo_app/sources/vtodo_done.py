"""Completing a task in the text that a CalDAV server keeps: whatever else stands there stays as it is, byte for byte.

A task that repeats by its rule alone goes on to its next occurrence, as most programs do it; where occurrences are
written down beside it already, the current one is marked there, since moving the task would orphan them.
"""

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice

from icalendar import Component

from oo_app.sources.rfc5545 import content_lines, moment, name_of, when
from oo_app.sources.vtodo import UTC_ZONE, Resource, is_closed, occurrences, read, upcoming

Values = Mapping[str, str | None]
TASK = "VTODO"
BASIC = "%Y%m%dT%H%M%S"
COMMAND = "X-OO-COMMAND"  # names the command that completed an occurrence, so that it is carried out once
# What a changed occurrence does not take over from its task.
NOT_INHERITED = frozenset(
    {"RRULE", "RDATE", "EXDATE", "EXRULE", "DTSTART", "DUE", "DURATION", "STATUS", "COMPLETED", "PERCENT-COMPLETE"}
    | {"LAST-MODIFIED", COMMAND}
)


@dataclass(frozen=True, slots=True)
class _Line:
    """A property as it stands in the text, with its place there."""

    number: int
    name: str
    text: str

    @property
    def head(self) -> str:
        """What follows the name before the value: the parameters."""
        return self._cut()[0][len(self.name) :]

    @property
    def value(self) -> str:
        """What it says."""
        return self._cut()[1]

    def _cut(self) -> tuple[str, str]:
        unfolded = re.sub(r"\r?\n[ \t]", "", self.text).strip()
        head = re.match(r'(?:[^":]|"[^"]*")*', unfolded)  # a quoted parameter may hold a colon
        end = head.end() if head else 0
        return unfolded[:end], unfolded[end + 1 :]


@dataclass(frozen=True, slots=True)
class _Part:
    """A VTODO in a text: its first and last line, and the properties that are its own, not its alarms'."""

    begin: _Line
    end: _Line
    own: Sequence[_Line]

    def named(self, *names: str) -> list[_Line]:
        """Return the properties of these names."""
        return [line for line in self.own if line.name in names]

    def line(self, name: str, value: str) -> str:
        """Write a property as a line like its others; a value may bring its parameters."""
        end = "\r\n" if self.begin.text.endswith("\r\n") else "\n"
        return f"{name}{value if value.startswith((':', ';')) else f':{value}'}{end}"


def completed(text: str, command_id: str, now: datetime) -> str | None:
    """Return the text with its task, or the current occurrence of it, done; None where nothing is left to do.

    Raises one of ODD where the text cannot be understood well enough to be changed.
    """
    resource = read(text)
    if resource is None:
        msg = "no task"
        raise ValueError(msg)
    lines = content_lines(text)
    parts = list(_parts(lines))
    task = next(part for part in parts if not part.named("RECURRENCE-ID"))
    if is_closed(resource.task) or any(line.value == command_id for part in parts for line in part.named(COMMAND)):
        return None
    at = f"{now.astimezone(UTC):{BASIC}}Z"
    done = {"STATUS": "COMPLETED", "PERCENT-COMPLETE": "100", "COMPLETED": at, "LAST-MODIFIED": at}
    if not resource.is_recurring:
        return _changed(lines, task, done)
    if not resource.is_plain:
        return _with_occurrence(resource, lines, parts, done | {COMMAND: command_id})
    following = next(islice(occurrences(resource), 1, 2), None)
    if following is None:
        return _changed(lines, task, done)
    still = {"STATUS": "NEEDS-ACTION", "PERCENT-COMPLETE": None, "COMPLETED": None, "LAST-MODIFIED": at}
    return _changed(lines, task, {**_moved(resource.task, following, task), **still, COMMAND: command_id})


def _parts(lines: Sequence[str]) -> Generator[_Part]:
    within: list[str] = []
    begin, own = _Line(0, "", ""), list[_Line]()
    for line in (_Line(number, name_of(text), text) for number, text in enumerate(lines)):
        if line.name == "BEGIN":
            within.append(line.value.upper())
            if within[-1] == TASK:
                begin, own = line, []
        elif line.name == "END":
            if within[-1:] == [TASK]:
                yield _Part(begin, line, own)
            del within[-1:]
        elif within[-1:] == [TASK]:
            own.append(line)


def _changed(lines: Sequence[str], part: _Part, values: Values) -> str:
    """Write properties of a VTODO anew; `None` takes one away."""
    dropped = {line.number for line in part.named(*values)}
    fresh = [part.line(name, value) for name, value in values.items() if value is not None]
    kept = ["" if number in dropped else line for number, line in enumerate(lines)]
    return "".join([*kept[: part.begin.number + 1], *fresh, *kept[part.begin.number + 1 :]])


def _moved(task: Component, following: Component, part: _Part) -> Values:
    """Return what changes of its times when a task goes on to its next occurrence."""
    moved: dict[str, str | None] = dict(_times(task, following, part))
    for line in part.named("RRULE"):
        fewer = re.sub(r"(?i)(?<=COUNT=)\d+", lambda count: str(int(count[0]) - 1), line.value)
        moved["RRULE"] = f"{line.head}:{fewer}"
    return moved


def _times(task: Component, occurrence: Component, part: _Part) -> Values:
    """Write the times of an occurrence in the form they have in the task: parameters, zone, a day or a time."""
    return {
        line.name: f"{line.head}:{_written(when(task, line.name), when(occurrence, line.name), line.value)}"
        for line in part.named("DTSTART", "DUE")
    }


def _written(was: object, told: object, like: str) -> str:
    if not isinstance(was, date) or not isinstance(told, date):
        msg = "no time"
        raise TypeError(msg)
    if not isinstance(was, datetime):
        return f"{told:%Y%m%d}"
    if not isinstance(told, datetime):
        told = datetime.combine(told, was.timetz())
    is_utc = like.upper().endswith("Z")
    if was.tzinfo is not None:
        told = told.astimezone(UTC if is_utc else was.tzinfo)
    return f"{told:{BASIC}}{'Z' if is_utc else ''}"


def _with_occurrence(resource: Resource, lines: Sequence[str], parts: Sequence[_Part], values: Values) -> str | None:
    """Mark the current occurrence as done: where it is written down already, else in a part of its own."""
    now = upcoming(resource)
    if now is None:
        return None
    changed = [part for part in parts if part.named("RECURRENCE-ID")]
    for component, part in zip(resource.changed, changed, strict=True):
        if _is_same(when(component, "RECURRENCE-ID"), when(now, "RECURRENCE-ID")):
            return _changed(lines, part, values)
    task = next(part for part in parts if part not in changed)
    after = task.end.number + 1
    return "".join([*lines[:after], *_occurrence(resource.task, now, task, values), *lines[after:]])


def _is_same(one: object, other: object) -> bool:
    return isinstance(one, date) and isinstance(other, date) and moment(one, UTC_ZONE) == moment(other, UTC_ZONE)


def _occurrence(task: Component, now: Component, part: _Part, values: Values) -> list[str]:
    """Write a changed occurrence: what its task says, with its own times and what is new."""
    times = _times(task, now, part)
    fresh = {"RECURRENCE-ID": times.get("DTSTART") or times["DUE"], **times, **values}
    inherited = [line.text for line in part.own if line.name not in NOT_INHERITED]
    told = [part.line(name, value) for name, value in fresh.items() if value is not None]
    return [part.begin.text, *told, *inherited, part.end.text]
