"""The entries of the sandbox's calendar, their occurrences, and their JSON as API v3 writes it."""

import hashlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from oo_app.sandbox.calendar_persona import Entry

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ONE_DAY = timedelta(days=1)
HALF_HOUR_S = 1800
STARTED_BEFORE = timedelta(weeks=8)

Moment = datetime | date


@dataclass(frozen=True, slots=True)
class Span:
    """When something is: aware times, or whole days with the end left out."""

    start: Moment
    end: Moment

    @property
    def is_all_day(self) -> bool:
        """Whether it takes whole days."""
        return not isinstance(self.start, datetime)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """An entry in one of its states; a change makes a new one. `span` is the first occurrence of one that repeats.

    `moved` holds occurrences that lie elsewhere, by where they were; None where one was called off.
    """

    id: str
    summary: str
    span: Span
    zone: str
    created_at: datetime
    updated_at: datetime
    weekdays: tuple[int, ...] = ()
    response: str | None = None
    is_tentative: bool = False
    is_free: bool = False
    event_type: str = "default"
    is_cancelled: bool = False
    moved: Mapping[Moment, Span | None] = field(default_factory=dict[Moment, Span | None])

    @property
    def uid(self) -> str:
        """Its name in calendar files."""
        return f"{self.id}@sandbox.test"

    @property
    def days(self) -> str:
        """The weekdays it repeats on, as a rule writes them."""
        return ",".join(DAYS[day] for day in self.weekdays)

    def occurrences(self, after: datetime, before: datetime) -> Generator["Occurrence"]:
        """Return what lies in a window, cancelled ones too; one that does not repeat is its own only occurrence."""
        for start in self._starts(before):
            found = self.occurrence(start)
            span = found.span or self._span_at(start)
            if moment(span.start, self.zone) < before and moment(span.end, self.zone) > after:
                yield found

    def occurrence(self, start: Moment) -> "Occurrence":
        """Return the occurrence that lay there first."""
        span = None if self.is_cancelled else self.moved.get(start, self._span_at(start))
        return Occurrence(self, start, span)

    def _starts(self, before: datetime) -> Generator[Moment]:
        yield from (each for each in (self.span.start,) if not self.weekdays)
        day = local_day(self.span.start, self.zone)
        while self.weekdays and day <= before.astimezone(ZoneInfo(self.zone)).date() + ONE_DAY:
            if day.weekday() in self.weekdays:
                yield self._on(day)
            day += ONE_DAY

    def _on(self, day: date) -> Moment:
        start = self.span.start
        if not isinstance(start, datetime):
            return day
        zone = ZoneInfo(self.zone)
        return datetime.combine(day, start.astimezone(zone).time(), zone)

    def _span_at(self, start: Moment) -> Span:
        return Span(start, later(start, length(self.span)))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that an entry takes place; `span` is None once it is called off."""

    of: Appointment
    original: Moment
    span: Span | None

    @property
    def id(self) -> str:
        """The id of API v3: the entry's own, and for one that repeats where the occurrence lay first."""
        return f"{self.of.id}_{_stamp(self.original)}" if self.of.weekdays else self.of.id

    def as_json(self, *, with_titles: bool) -> dict[str, Any]:
        """Return the object of the API; of one that was called off, only what it needs to be known by."""
        head: dict[str, Any] = {"id": self.id}
        if self.of.weekdays:
            head |= {"recurringEventId": self.of.id, "originalStartTime": told(self.original, self.of.zone)}
        if self.span is None:
            return {"kind": "calendar#event", "status": "cancelled", **head}
        return head | body(self.of, self.span, with_titles=with_titles)


def body(appointment: Appointment, span: Span, *, with_titles: bool) -> dict[str, Any]:
    """Return what API v3 says of an entry, at a time."""
    found: dict[str, Any] = {
        "kind": "calendar#event",
        "etag": f'"{int(appointment.updated_at.timestamp() * 1000)}"',
        "status": "tentative" if appointment.is_tentative else "confirmed",
        "created": stamp(appointment.created_at),
        "updated": stamp(appointment.updated_at),
        "start": told(span.start, appointment.zone),
        "end": told(span.end, appointment.zone),
        "iCalUID": appointment.uid,
        "eventType": appointment.event_type,
    }
    if appointment.is_free:
        found["transparency"] = "transparent"
    if not with_titles:
        return found | {"visibility": "private"}
    if appointment.response:
        found["attendees"] = [
            {"email": "priya@example.com", "organizer": True, "responseStatus": "accepted"},
            {"self": True, "responseStatus": appointment.response},
        ]
    return found | {"summary": appointment.summary, "description": "Made up by the sandbox."}


def appointment_of(entry: Entry, account: str, zone: str, now: datetime) -> Appointment:
    """Return an entry of the persona as it lies around the present."""
    start = _start(entry, zone, now)
    lasts = timedelta(minutes=entry.minutes) if isinstance(start, datetime) else timedelta(days=entry.days)
    made_at = now - timedelta(days=20)
    return Appointment(
        id=stable_id(account, entry.summary),
        summary=entry.summary,
        span=Span(start, later(start, lasts)),
        zone=zone,
        created_at=made_at,
        updated_at=made_at,
        weekdays=entry.weekdays,
        response=entry.response,
        is_tentative=entry.is_tentative,
        is_free=entry.is_free,
        event_type=entry.event_type,
    )


def _start(entry: Entry, zone: str, now: datetime) -> Moment:
    today = now.astimezone(ZoneInfo(zone)).date()
    if entry.soon is not None:
        half_hours = int(now.timestamp()) // HALF_HOUR_S + entry.soon
        return datetime.fromtimestamp(half_hours * HALF_HOUR_S, UTC).astimezone(ZoneInfo(zone))
    on = today + timedelta(days=entry.in_days)
    if entry.weekdays:
        on = today - STARTED_BEFORE - timedelta(days=today.weekday())
        while on.weekday() not in entry.weekdays:
            on += ONE_DAY
    return on if entry.at is None else datetime.combine(on, time.fromisoformat(entry.at), ZoneInfo(zone))


def stable_id(*parts: str) -> str:
    """Return an id that survives a restart, in Google's letters."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:26]


def moment(when: Moment, zone: str) -> datetime:
    """Return a time, or the midnight a day begins with."""
    return when if isinstance(when, datetime) else datetime.combine(when, time.min, ZoneInfo(zone))


def local_day(when: Moment, zone: str) -> date:
    """Return the day of something where its owner lives."""
    return when.astimezone(ZoneInfo(zone)).date() if isinstance(when, datetime) else when


def length(span: Span) -> timedelta:
    """Return how long something takes."""
    if isinstance(span.start, datetime) and isinstance(span.end, datetime):
        return span.end.astimezone(UTC) - span.start.astimezone(UTC)
    return timedelta(days=span.end.toordinal() - span.start.toordinal())


def later(start: Moment, by: timedelta) -> Moment:
    """Return a later time; hours that pass are counted, not those on the clock."""
    return (start.astimezone(UTC) + by).astimezone(start.tzinfo) if isinstance(start, datetime) else start + by


def told(when: Moment, zone: str) -> dict[str, str]:
    """Return a time as API v3 writes it."""
    if isinstance(when, datetime):
        return {"dateTime": when.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds"), "timeZone": zone}
    return {"date": when.isoformat()}


def stamp(at: datetime) -> str:
    """Return a moment as API v3 writes it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.}{at.microsecond // 1000:03d}Z"


def _stamp(when: Moment) -> str:
    return f"{when.astimezone(UTC):%Y%m%dT%H%M%SZ}" if isinstance(when, datetime) else f"{when:%Y%m%d}"
