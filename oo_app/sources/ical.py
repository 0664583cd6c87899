"""Calendar feed: any `.ics` address (RFC 5545), read whole each time; what repeats is expanded by a kept library."""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from time import perf_counter
from zoneinfo import ZoneInfo

import recurring_ical_events  # pyright: ignore[reportMissingTypeStubs] -- it brings its types in its code
from icalendar import Calendar, Component

from oo_app.kit import log
from oo_app.kit.addresses import read_url
from oo_app.kit.answer import Answer
from oo_app.kit.config import Settings
from oo_app.kit.errors import Invalid, SourceDown
from oo_app.sources.facts import Event, Owner, Pull, is_tellable
from oo_app.sources.reading import zone_of
from oo_app.sources.rfc5545 import ODD, inside, is_endless, is_hostile, moment, parse, when, without, word
from oo_app.sources.source import Budget, Door, Login, Source, TokenRefused

BEFORE, AHEAD = timedelta(days=1), timedelta(days=60)
MOST_OCCURRENCES = 5_000
EXPANDING_S = 5.0  # hostile files can be dense or endless; real ones take some milliseconds
READING_S = 30.0
MOST_COMPONENTS = 20_000
REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.GONE})
# Tasks and journals are no appointments, and alarms not ours to sound.
LEFT_ALONE = frozenset({"VTODO", "VJOURNAL", "VALARM"})
NO_CALENDAR = "url: There is no calendar at that address"

_log = log.get(__name__)


class Ical(Source):
    """The source. Its login is the address, which is a secret: whoever has it reads the calendar."""

    name = "ical"
    title = "Calendar feed"
    about = "When you are busy, by the address of any calendar (.ics). It gives no tips of its own."
    asks = "address"
    kinds = frozenset({"event"})
    budget = Budget(per_minute=1_200)

    def every(self, settings: Settings) -> timedelta:
        """Be kind: the servers behind such feeds make them anew a few times a day."""
        return timedelta(minutes=30)

    async def open(self, door: Door) -> Login:
        """Look whether a calendar lies at the address."""
        answer = await door.http.foreign.send("GET", door.login.url)
        if answer.status != HTTPStatus.OK or not is_calendar(answer.body):
            raise Invalid(NO_CALENDAR, field="url")
        return Login(str(read_url(door.login.url)))

    def owner_in(self, cursor: str) -> str | None:
        """Return the address; cursors of earlier versions do not have it."""
        kept: dict[str, str] = json.loads(cursor)
        return kept.get("owner")

    async def pull(self, door: Door, cursor: str | None) -> Pull:
        """Read the whole feed, unless it is as it was; a new day looks further ahead, so it reads in any case."""
        url = door.login.url
        kept: dict[str, str] = json.loads(cursor) if cursor else {}
        today = f"{door.now.astimezone(door.zone):%Y-%m-%d} {door.zone.key}"
        is_same_day = kept.get("day") == today
        answer = await door.http.foreign.send("GET", url, headers=_conditions(kept) if is_same_day else {})
        digest = hashlib.sha256(answer.body).hexdigest()
        if answer.status == HTTPStatus.NOT_MODIFIED or (is_same_day and digest == kept.get("digest")):
            return Pull((), cursor or "", is_full=False, owner=None)
        if answer.status in REFUSED:
            raise TokenRefused
        if answer.status != HTTPStatus.OK or not is_calendar(answer.body):
            raise SourceDown(None, status=answer.status, cause="no calendar", retry_after=answer.retry_after)
        try:
            events = await asyncio.wait_for(asyncio.to_thread(read, answer.body, door.now, door.zone), READING_S)
        except TimeoutError as error:  # the thread may go on; nobody waits for it
            raise SourceDown(None, cause="takes too long") from error
        now = {"owner": url, "day": today, "digest": digest, **_validators(answer)}
        return Pull((), json.dumps(now), is_full=True, owner=Owner(url, None), events=tuple(events))


SOURCE = Ical()


def _conditions(kept: dict[str, str]) -> dict[str, str]:
    told = {"If-None-Match": kept.get("etag"), "If-Modified-Since": kept.get("modified")}
    return {name: value for name, value in told.items() if value}


def _validators(answer: Answer) -> dict[str, str]:
    return {"etag": answer.headers.get("etag", ""), "modified": answer.headers.get("last-modified", "")}


def is_calendar(body: bytes) -> bool:
    """Whether a file is a whole calendar: one that is cut off must not read as if everything were gone."""
    text = body.strip().upper()
    return text.removeprefix(b"\xef\xbb\xbf").startswith(b"BEGIN:VCALENDAR") and text.endswith(b"END:VCALENDAR")


def read(body: bytes, now: datetime, zone: ZoneInfo) -> Sequence[Event]:
    """Read a file's appointments between yesterday and two months ahead, what repeats expanded, the earliest first.

    Raises SourceDown for a file that cannot be read, or not within the time that any real one takes.
    """
    text = body.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    if text.count("BEGIN:VEVENT") > MOST_COMPONENTS:
        raise SourceDown(None, cause="too many entries")
    try:
        calendars = parse(without(text, LEFT_ALONE))
    except ODD as error:
        raise SourceDown(None, cause="no calendar") from error
    window = (now - BEFORE, now + AHEAD)
    ends_at = perf_counter() + EXPANDING_S
    found: dict[str, Event] = {}
    for calendar in calendars:
        # The zone of times that have none: the file's own word for it, else the person's.
        floating = zone_of(str(calendar.get("X-WR-TIMEZONE", "")), zone)
        for series in _series(calendar):
            if perf_counter() > ends_at:
                raise SourceDown(None, cause="takes too long")
            found |= {event.external_id: event for event in _events(calendar, series, window, floating)}
    earliest_first = sorted(found.values(), key=_starts)
    if len(earliest_first) > MOST_OCCURRENCES:
        _log.warning("ical.cut", occurrences=len(earliest_first), kept=MOST_OCCURRENCES)
    return earliest_first[:MOST_OCCURRENCES]


def _series(calendar: Component) -> Iterable[list[Component]]:
    """Bring together what belongs together: an entry, and its changed occurrences."""
    by_uid: dict[str, list[Component]] = {}
    for number, component in enumerate(inside(calendar, "VEVENT")):
        by_uid.setdefault(str(component.get("UID") or number), []).append(component)
    return by_uid.values()


def _events(
    calendar: Component, series: list[Component], window: tuple[datetime, datetime], floating: ZoneInfo
) -> Sequence[Event]:
    """Read what there is of an entry in the window; an odd one costs nothing but itself."""
    try:
        read = [_event(component, floating) for component in _occurrences(calendar, series, window)]
    except ODD:
        return ()
    return [event for event in read if event is not None and _lies_in(event, window)]


def _occurrences(
    calendar: Component, series: list[Component], window: tuple[datetime, datetime]
) -> Sequence[Component]:
    if not any(name in component for component in series for name in ("RRULE", "RDATE", "RECURRENCE-ID")):
        return series[-1:]  # of two with one name, the later one counts
    if any(is_hostile(component) or is_endless(component, window[1]) for component in series):
        return ()
    alone = Calendar()
    if "X-WR-TIMEZONE" in calendar:
        alone["X-WR-TIMEZONE"] = calendar["X-WR-TIMEZONE"]
    for component in (*inside(calendar, "VTIMEZONE"), *series):
        alone.add_component(component)
    return list(recurring_ical_events.of(alone, skip_bad_series=True).between(*window))


def _event(component: Component, floating: ZoneInfo) -> Event | None:
    """Read an entry; None where it does not say when, or was called off."""
    if word(component, "STATUS") == "CANCELLED":
        return None
    start = when(component, "DTSTART")
    if not isinstance(start, date):
        return None
    is_all_day = not isinstance(start, datetime)
    starts_at = moment(start, floating)
    ends_at = max(_ends(component, start, floating), starts_at)
    if not (is_tellable(starts_at) and is_tellable(ends_at)):
        return None
    name = when(component, "RECURRENCE-ID")
    name = name if isinstance(name, date) else start
    identity = f"{component.get('UID', '')}\x1f{name.isoformat()}"
    return Event(
        external_id=hashlib.sha256(identity.encode(errors="replace")).hexdigest(),
        starts_at=starts_at,
        ends_at=ends_at,
        is_all_day=is_all_day,
        is_busy=_is_busy(component),
        title=str(component.get("SUMMARY", "")),
    )


def _ends(component: Component, start: date, floating: ZoneInfo) -> datetime:
    """Return when an entry ends: as it says, after its duration, or with the day; a moment without either has none."""
    end = when(component, "DTEND")
    if isinstance(end, date):
        return moment(end, floating)
    duration = when(component, "DURATION")
    if isinstance(duration, timedelta):
        return moment(start + duration, floating)
    return moment(start if isinstance(start, datetime) else start + timedelta(days=1), floating)


def _is_busy(component: Component) -> bool:
    is_free = word(component, "TRANSP") == "TRANSPARENT"
    return not is_free and word(component, "X-MICROSOFT-CDO-BUSYSTATUS") != "FREE"


def _lies_in(event: Event, window: tuple[datetime, datetime]) -> bool:
    after, before = window
    return (
        event.starts_at is not None and event.ends_at is not None and event.starts_at < before and event.ends_at > after
    )


def _starts(event: Event) -> datetime:
    return event.starts_at or datetime.max.replace(tzinfo=UTC)
