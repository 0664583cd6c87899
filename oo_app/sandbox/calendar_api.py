"""API v3 of the sandbox's calendar: the list of events with all its rules, watching it, and partial answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from starlette.background import BackgroundTask
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from oo_app.kit.clock import Clock
from oo_app.sandbox.calendar_channels import Channels
from oo_app.sandbox.calendar_errors import (
    CalendarFaults,
    CalendarRefused,
    full_sync_required,
    insufficient,
    invalid,
    not_found,
    unauthorized,
)
from oo_app.sandbox.calendar_fields import picked
from oo_app.sandbox.calendar_model import Occurrence, body
from oo_app.sandbox.calendar_store import Account, Store
from oo_app.sandbox.oidc_grants import Grants
from oo_app.sandbox.oidc_request import CONSENTS
from oo_app.sandbox.signing import Signer

NOT_WITH_SYNC_TOKEN = (
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
)
REPEATED = ("singleEvents", "eventTypes", "maxAttendees")
KNOWN = {*NOT_WITH_SYNC_TOKEN, *REPEATED, "maxResults", "pageToken", "syncToken", "showDeleted", "timeZone", "fields"}
DEFAULT_PAGE, MOST = 250, 2500

Call = Callable[[Request, Account], Awaitable[Response]]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Listing:
    """What is asked for, page after page: since which change, and what every page has to repeat."""

    since: int | None
    until: int
    asked: str

    def sealed(self, account: Account, **more: Any) -> dict[str, Any]:
        return {"account": account.name, "life": account.life, "asked": self.asked, **more}


class CalendarApi:
    """The calls of API v3 that a reader of calendars makes."""

    def __init__(
        self, clock: Clock, store: Store, grants: Grants, signer: Signer, *, faults: CalendarFaults, channels: Channels
    ) -> None:
        """Serve these accounts to whoever holds a token of the sandbox's Google."""
        self._clock = clock
        self._store = store
        self._grants = grants
        self._signer = signer
        self._faults = faults
        self._channels = channels

    def routes(self) -> Sequence[Route]:
        """Return the routes below /sandbox/calendar/v3."""
        return (
            Route("/calendars/{calendar}/events", self._admitting(self._list), methods=["GET"]),
            Route("/calendars/{calendar}/events/watch", self._admitting(self._watch), methods=["POST"]),
            Route("/channels/stop", self._admitting(self._stop), methods=["POST"]),
        )

    def _admitting(self, call: Call) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            await self._faults.meet(request.url.path)
            scheme, _, text = request.headers.get("authorization", "").partition(" ")
            token = self._grants.open_token("access", text, self._clock.now())
            if scheme.lower() != "bearer" or token is None:
                raise unauthorized()
            if not token.scopes & CONSENTS.keys():
                raise insufficient()
            account = self._store.account(token.person.email)
            if request.path_params.get("calendar", "primary") not in {"primary", account.email}:
                raise not_found()
            return await call(request, account)

        return endpoint

    async def _list(self, request: Request, account: Account) -> Response:
        query = request.query_params
        _check(query)
        is_single = query.get("singleEvents") == "true"
        listing = self._listing(query, account)
        rows = _rows(query, account, listing, is_single=is_single)
        size = _whole(query, "maxResults", DEFAULT_PAGE)
        after = self._after(query, account, listing)
        is_empty = not after and self._faults.takes_empty_page()
        page = [] if is_empty else rows[after : after + size]
        answer: dict[str, Any] = {
            "kind": "calendar#events",
            "summary": account.email,
            "timeZone": account.zone,
            "accessRole": "freeBusyReader" if account.is_free_busy_only else "owner",
            "defaultReminders": [],
            "items": [_with_attendees(row, query) for row in page],
        }
        if after + len(page) < len(rows) or is_empty:
            next_page = listing.sealed(account, after=after + len(page), since=listing.since, until=listing.until)
            answer["nextPageToken"] = self._signer.seal("calendar page", next_page)
        elif "orderBy" not in query and "q" not in query and "iCalUID" not in query:
            answer["nextSyncToken"] = self._signer.seal("calendar sync", listing.sealed(account, until=listing.until))
        return JSONResponse(picked(answer, query["fields"]) if "fields" in query else answer)

    def _listing(self, query: QueryParams, account: Account) -> _Listing:
        asked = str([query.getlist(name) for name in REPEATED])
        if "pageToken" in query:
            told = self._opened("calendar page", query["pageToken"], account)
            if told is None:
                raise invalid("Invalid page token value.")
            return _Listing(told["since"], told["until"], asked)
        if "syncToken" not in query:
            return _Listing(None, account.sequence, asked)
        told = self._opened("calendar sync", query["syncToken"], account)
        if told is None:
            raise full_sync_required()
        if told["asked"] != asked:
            raise invalid("The parameters must be those of the first sync.")
        return _Listing(told["until"], account.sequence, asked)

    def _after(self, query: QueryParams, account: Account, listing: _Listing) -> int:
        told = self._opened("calendar page", query.get("pageToken", ""), account)
        return told["after"] if told and told["asked"] == listing.asked else 0

    def _opened(self, kind: str, text: str, account: Account) -> dict[str, Any] | None:
        told = self._signer.open(kind, text)
        return told if told and (told["account"], told["life"]) == (account.name, account.life) else None

    async def _watch(self, request: Request, account: Account) -> Response:
        opened = self._channels.open(account, await _json(request))
        if self._channels.is_hasty:
            await self._channels.greet(opened)
            return JSONResponse(opened.as_json())
        return JSONResponse(opened.as_json(), background=BackgroundTask(self._channels.greet, opened))

    async def _stop(self, request: Request, account: Account) -> Response:
        asked = await _json(request)
        if not self._channels.stop(account, str(asked.get("id")), str(asked.get("resourceId"))):
            raise CalendarRefused(404, "notFound", f"Channel '{asked.get('id')}' not found for project")
        return Response(status_code=204)


def _check(query: QueryParams) -> None:
    """Refuse what API v3 refuses."""
    for name in query:
        if name not in KNOWN:
            raise invalid(f"Unknown name: {name}")
    if "syncToken" in query:
        for name in NOT_WITH_SYNC_TOKEN:
            if name in query:
                raise invalid(f"Sync token cannot be combined with {name}.")
        if query.get("showDeleted") == "false":
            raise invalid("Sync token always tells of deleted events.")
    if query.get("orderBy") == "startTime" and query.get("singleEvents") != "true":
        raise invalid("The requested ordering is not available for the particular query.")


def _rows(query: QueryParams, account: Account, listing: _Listing, *, is_single: bool) -> list[Row]:
    """Return every row of a list, before it is cut into pages."""
    with_titles = not account.is_free_busy_only
    tells_deleted = query.get("showDeleted") == "true" or "updatedMin" in query or listing.since is not None
    if listing.since is not None:
        found = account.changed_since(listing.since)
    else:
        found = account.occurrences(_time(query, "timeMin"), _time(query, "timeMax"))
    kept = [each for each in found if (tells_deleted or each.span is not None) and _fits(query, each)]
    if is_single:
        return [each.as_json(with_titles=with_titles) for each in kept]
    return _unexpanded(kept, with_titles=with_titles)


def _unexpanded(found: Sequence[Occurrence], *, with_titles: bool) -> list[Row]:
    """Return entries with their rules, each once, and what lies elsewhere or was called off beside them."""
    rows: dict[str, Row] = {}
    for each in found:
        if not each.of.weekdays or each.original in each.of.moved:
            rows[each.id] = each.as_json(with_titles=with_titles)
        if each.of.weekdays and not each.of.is_cancelled:
            rule = f"RRULE:FREQ=WEEKLY;BYDAY={each.of.days}"
            entry = body(each.of, each.of.span, with_titles=with_titles)
            rows[each.of.id] = {"id": each.of.id, **entry, "recurrence": [rule]}
        elif each.of.weekdays:
            rows[each.of.id] = {"kind": "calendar#event", "id": each.of.id, "status": "cancelled"}
    return list(rows.values())


def _fits(query: QueryParams, each: Occurrence) -> bool:
    types = query.getlist("eventTypes")
    since = _time(query, "updatedMin")
    return (
        (not types or each.of.event_type in types)
        and query.get("q", "").lower() in each.of.summary.lower()
        and query.get("iCalUID", each.of.uid) == each.of.uid
        and (since is None or each.of.updated_at >= since)
    )


def _with_attendees(row: Row, query: QueryParams) -> Row:
    """Cut the list of those invited: with fewer asked for than there are, only the reader is told."""
    invited: list[Row] = row.get("attendees", [])
    if len(invited) <= _whole(query, "maxAttendees", MOST):
        return row
    return row | {"attendees": [each for each in invited if each.get("self")], "attendeesOmitted": True}


def _whole(query: QueryParams, name: str, otherwise: int) -> int:
    text = query.get(name, str(otherwise))
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise invalid(f"Invalid value for {name}: {text}")
    return min(int(text), MOST)


def _time(query: QueryParams, name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(query[name]) if name in query else None
    except ValueError as error:
        raise invalid(f"Invalid value for {name}") from error
    if found is not None and found.tzinfo is None:
        raise invalid(f"Invalid value for {name}: an offset is missing")
    return found


async def _json(request: Request) -> Mapping[str, Any]:
    try:
        read: Any = await request.json()
    except ValueError as error:
        raise CalendarRefused(400, "parseError", "Parse Error") from error
    if not isinstance(read, dict):
        raise CalendarRefused(400, "parseError", "Parse Error")
    return cast("Mapping[str, Any]", read)
