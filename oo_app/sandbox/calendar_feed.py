"""The same calendar as a file that others may subscribe to (RFC 5545)."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, date
from typing import cast

from icalendar import Calendar, Component, Event
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oo_app.sandbox.calendar_errors import not_found
from oo_app.sandbox.calendar_model import Appointment, Span
from oo_app.sandbox.calendar_store import NAME, Account, Store

FIRST_DAY = date(2024, 1, 1)  # the rules of a zone from then on are told


class CalendarFeed:
    """GET answers the file, or that it is as it was."""

    def __init__(self, store: Store) -> None:
        """Serve these accounts."""
        self._store = store

    def routes(self) -> Sequence[Route]:
        """Return the route below /sandbox/calendar."""
        return (Route("/{account}/basic.ics", self._file, methods=["GET"]),)

    async def _file(self, request: Request) -> Response:
        if not NAME.fullmatch(request.path_params["account"]):
            raise not_found()
        text = written(self._store.account(request.path_params["account"]))
        etag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={"ETag": etag})
        return Response(text, media_type="text/calendar", headers={"ETag": etag, "Cache-Control": "no-cache"})


def written(account: Account) -> bytes:
    """Return an account's calendar as a file."""
    calendar = Calendar()
    _set(calendar, "PRODID", "-//oO//Sandbox//EN")
    _set(calendar, "VERSION", "2.0")
    _set(calendar, "X-WR-CALNAME", account.email)
    _set(calendar, "X-WR-TIMEZONE", account.zone)
    for appointment in account.appointments():
        if not appointment.is_cancelled:
            _write(calendar, appointment)
    calendar.add_missing_timezones(first_date=FIRST_DAY)
    return calendar.to_ical()


def _write(calendar: Calendar, appointment: Appointment) -> None:
    if not appointment.weekdays:
        span = appointment.occurrence(appointment.span.start).span
        if span is not None:
            calendar.add_component(_entry(appointment, span))
        return
    series = _entry(appointment, appointment.span)
    _set(series, "RRULE", {"FREQ": "WEEKLY", "BYDAY": appointment.days.split(",")})
    off = [start for start, span in appointment.moved.items() if span is None]
    if off:
        _set(series, "EXDATE", off)
    calendar.add_component(series)
    for start, span in appointment.moved.items():
        if span is not None:
            elsewhere = _entry(appointment, span)
            _set(elsewhere, "RECURRENCE-ID", start)
            calendar.add_component(elsewhere)


def _entry(appointment: Appointment, span: Span) -> Event:
    event = Event()
    _set(event, "UID", appointment.uid)
    _set(event, "DTSTAMP", appointment.updated_at.astimezone(UTC))
    _set(event, "SUMMARY", appointment.summary)
    _set(event, "DTSTART", span.start)
    _set(event, "DTEND", span.end)
    _set(event, "STATUS", "TENTATIVE" if appointment.is_tentative else "CONFIRMED")
    _set(event, "TRANSP", "TRANSPARENT" if appointment.is_free or appointment.response == "declined" else "OPAQUE")
    return event


def _set(component: Component, name: str, value: object) -> None:
    add = cast("Callable[[str, object], None]", component.add)  # pyright: ignore[reportUnknownMemberType]
    add(name, value)
