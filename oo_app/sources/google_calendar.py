"""Google Calendar, API v3: a person's own calendar, read only, by sync tokens; push channels tell when to read."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from oo_app.kit.answer import Answer
from oo_app.kit.config import Settings
from oo_app.kit.errors import RateLimited, SourceDown, Unproven
from oo_app.kit.http import Http
from oo_app.sources.facts import Event, Owner, Pull
from oo_app.sources.reading import array, body, day, mapping, moment, text, zone_of
from oo_app.sources.source import (
    Call,
    Channel,
    Door,
    Heard,
    NotPermitted,
    OAuth,
    Source,
    TokenRefused,
    Watch,
)

# The narrowest scope that tells when entries are and what they are called: of calendars the person owns, read only.
SCOPE = "https://www.googleapis.com/auth/calendar.events.owned.readonly"
DISCOVERED_FOR = timedelta(hours=1)
BEFORE, AHEAD = timedelta(days=1), timedelta(days=60)
LEAST_AHEAD = timedelta(days=30)  # with less of its window left, everything is read again for a new one
# Asked for at each reading alike, as a sync token demands. `fields` and `maxAttendees` keep descriptions, places,
# links and other people's addresses where they are: of those invited, only the person is told.
ASKED = {
    "singleEvents": "true",
    "maxResults": "2500",
    "maxAttendees": "1",
    "fields": "summary,timeZone,nextPageToken,nextSyncToken,"
    "items(id,status,summary,eventType,transparency,start,end,attendees(self,responseStatus))",
}
MOST_PAGES = 40
NOT_KNOWN = frozenset({HTTPStatus.GONE, HTTPStatus.BAD_REQUEST})
NO_TIME = frozenset({"workingLocation", "birthday"})  # they say something of a day, and take none of it
TOO_OFTEN = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
NO_QUOTA = frozenset({"quotaExceeded", "dailyLimitExceeded"})  # of our project: everybody waits
NOT_SET_UP = "accessNotConfigured"  # the API is not enabled in our project; no person can mend that
LONG_PAUSE_S = 3600.0
LONGEST_ID = 255
LONGEST_CHANNEL = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a reading goes on: the sync token, the end of its window, and whose calendar it is."""

    token: str
    ends: str
    owner: str

    @property
    def ends_at(self) -> datetime:
        return datetime.fromisoformat(self.ends)


class GoogleCalendar(Source):
    """The source. It reads the primary calendar, from yesterday to two months ahead, what repeats expanded."""

    name = "google_calendar"
    title = "Google Calendar"
    about = "When you are busy. It gives no tips of its own."
    kinds = frozenset({"event"})
    has_webhooks = True
    has_channels = True

    def takes_channels(self, settings: Settings) -> bool:
        """Google sends over https only; its stand-in is content with this machine."""
        return settings.is_https or settings.is_stand_in(settings.google_calendar_api_url)

    async def oauth(self, http: Http, settings: Settings) -> OAuth | None:
        """Return the registration that sign-in has too; `consent` is asked for each time, to get a refresh token."""
        if not settings.google_client_id:
            return None
        described = await _described(http, settings)
        return OAuth(
            authorize_url=_endpoint(described, "authorization_endpoint"),
            token_url=_endpoint(described, "token_endpoint"),
            client_id=settings.google_client_id,
            client_secret=settings.google_client_secret.get_secret_value(),
            scope=SCOPE,
            needs=frozenset({SCOPE}),
            has_pkce=True,
            extra={"access_type": "offline", "prompt": "consent"},
        )

    async def pull(self, door: Door, cursor: str | None) -> Pull:
        """Read the whole window, or what changed since; a token that is no longer known reads the window again."""
        place = _Place(**json.loads(cursor)) if cursor else None
        if place and place.ends_at - door.now >= LEAST_AHEAD:
            changed = await self._read(door, {"syncToken": place.token}, place.ends_at, is_full=False)
            if changed is not None:
                return changed
        after, before = door.now - BEFORE, (door.now + AHEAD).replace(microsecond=0)
        window = {"timeMin": f"{after:%Y-%m-%dT%H:%M:%SZ}", "timeMax": f"{before:%Y-%m-%dT%H:%M:%SZ}"}
        everything = await self._read(door, window, before, is_full=True)
        if everything is None:
            raise SourceDown(None, cause="the window is refused")
        return everything

    def owner_in(self, cursor: str) -> str | None:
        """Return the calendar's name, which is the account's address unless the person gave it another."""
        return _Place(**json.loads(cursor)).owner or None

    async def revoke(self, door: Door) -> None:
        """Take the grant back. That ends all our grants of the account; signing in works on, since it keeps none."""
        endpoint = _endpoint(await _described(door.http, door.settings), "revocation_endpoint")
        answer = await door.http.send("POST", endpoint, form={"token": door.access_token})
        if answer.status == HTTPStatus.BAD_REQUEST:
            raise TokenRefused
        if answer.status != HTTPStatus.OK:
            raise SourceDown(None, status=answer.status)

    async def shares_grant(self, door: Door, other: Door) -> bool:
        """Whether both open the same account; where one of them opens nothing any more, it cannot be told apart."""
        try:
            return await self._owner(door) == await self._owner(other)
        except (TokenRefused, NotPermitted, SourceDown):
            return True

    def prove(self, settings: Settings, call: Call) -> None:
        """Take what names a channel and its secret; whether they belong together, whoever opened it knows."""
        if not (call.headers.get("x-goog-channel-id") and call.headers.get("x-goog-channel-token")):
            raise Unproven

    def hear(self, call: Call) -> Heard:
        """Read which channel has news: a message says nothing more, and the first one only that it is open."""
        channel_id = call.headers.get("x-goog-channel-id", "")
        number = call.headers.get("x-goog-message-number", "")
        return Heard(
            delivery_id=f"{channel_id}:{number}" if number else "",
            channel_id=channel_id,
            channel_token=call.headers.get("x-goog-channel-token", ""),
        )

    async def watch(self, door: Door, channel: Channel) -> Watch:
        """Open a channel for a week."""
        until = door.now + LONGEST_CHANNEL
        wish = {
            "id": channel.id,
            "type": "web_hook",
            "address": channel.address,
            "token": channel.token,
            "expiration": int(until.timestamp() * 1000),
        }
        opened = body(await _call(door, "POST", "/calendars/primary/events/watch", json=wish))
        resource_id, told = text(opened.get("resourceId")), str(opened.get("expiration", ""))
        if not resource_id:
            raise SourceDown(None, cause="no resourceId")
        if told.isdecimal():
            with suppress(OverflowError, ValueError, OSError):  # years that no calendar has
                until = min(until, datetime.fromtimestamp(int(told) / 1000, UTC))
        return Watch(resource_id, until)

    async def unwatch(self, door: Door, channel_id: str, resource_id: str) -> None:
        """Stop a channel."""
        answer = await _call(door, "POST", "/channels/stop", json={"id": channel_id, "resourceId": resource_id})
        if answer.status not in {HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND}:
            raise SourceDown(None, status=answer.status)

    async def _read(self, door: Door, since: Mapping[str, str], ends_at: datetime, *, is_full: bool) -> Pull | None:
        """Read all pages; None where Google does not know the token (any more)."""
        params, events = {**ASKED, **since}, dict[str, Event]()
        for _ in range(MOST_PAGES):
            answer = await _call(door, "GET", "/calendars/primary/events", params=params)
            if answer.status in NOT_KNOWN and not is_full:
                return None
            if answer.status == HTTPStatus.NOT_FOUND:
                raise NotPermitted  # an account for which calendars are switched off
            page = body(answer)
            zone = zone_of(page.get("timeZone"), door.zone)
            window = (door.now - BEFORE, ends_at)
            rows = [_event(mapping(row), zone, window) for row in array(page.get("items"))]
            events |= {event.external_id: event for event in rows if event is not None}
            if token := text(page.get("nextSyncToken")):
                place = _Place(token, ends_at.isoformat(), text(page.get("summary")))
                return Pull(
                    items=(),
                    cursor=json.dumps(asdict(place)),
                    is_full=is_full,
                    owner=Owner(place.owner, text(page.get("timeZone")) or None) if place.owner else None,
                    events=tuple(events.values()),
                )
            if not (more := text(page.get("nextPageToken"))):
                raise SourceDown(None, cause="no nextSyncToken")
            params = {**params, "pageToken": more}
        raise SourceDown(None, cause="too many pages")

    async def _owner(self, door: Door) -> str:
        params = {"maxResults": "1", "fields": "summary"}
        return text(body(await _call(door, "GET", "/calendars/primary/events", params=params)).get("summary"))


SOURCE = GoogleCalendar()


async def _described(http: Http, settings: Settings) -> Mapping[str, Any]:
    url = f"{settings.google_issuer}/.well-known/openid-configuration"
    return mapping(await http.cached_json(url, DISCOVERED_FOR))


def _endpoint(described: Mapping[str, Any], name: str) -> str:
    if not (url := text(described.get(name))):
        raise SourceDown(None, cause=f"no {name}")
    return url


async def _call(
    door: Door,
    method: str,
    path: str,
    *,
    params: Mapping[str, str] | None = None,
    json: Mapping[str, Any] | None = None,
) -> Answer:
    answer = await door.http.send(
        method,
        f"{door.settings.google_calendar_api_url}{path}",
        headers={"Authorization": f"Bearer {door.access_token}"},
        params=params,
        json=json,
        is_repeatable=method == "GET",
    )
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise TokenRefused
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise RateLimited(None, retry_after=answer.retry_after, status=answer.status)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SourceDown(None, retry_after=answer.retry_after, status=answer.status)
    if answer.status == HTTPStatus.FORBIDDEN:
        raise _forbidden(answer)
    return answer


def _forbidden(answer: Answer) -> Exception:
    """Tell apart what Google answers 403: asked too often, our own set-up, or a grant that does not reach."""
    reasons = _reasons(answer)
    if reasons & NO_QUOTA:
        pause = answer.retry_after or LONG_PAUSE_S
        return RateLimited(None, retry_after=pause, is_for_all=True, status=answer.status)
    if reasons & TOO_OFTEN:
        return RateLimited(None, retry_after=answer.retry_after, status=answer.status)
    if NOT_SET_UP in reasons:
        return SourceDown(None, retry_after=LONG_PAUSE_S, cause=NOT_SET_UP)
    return NotPermitted()


def _reasons(answer: Answer) -> frozenset[str]:
    try:
        error = mapping(mapping(answer.json()).get("error"))
    except SourceDown:  # a refusal without Google's words
        return frozenset()
    return frozenset(text(mapping(each).get("reason")) for each in array(error.get("errors")))


def _event(row: Mapping[str, Any], zone: ZoneInfo, window: tuple[datetime, datetime]) -> Event | None:
    """Read an entry; None where it says nothing we understand. Moved out of the window it is gone, as when cancelled.

    A cancelled one may hold its id and nothing else.
    """
    name = text(row.get("id"))
    name = name if len(name) <= LONGEST_ID else hashlib.sha256(name.encode()).hexdigest()
    if not name:
        return None
    if row.get("status") == "cancelled":
        return Event(name, is_gone=True)
    start, end = mapping(row.get("start")), mapping(row.get("end"))
    starts_at = _moment(start, zone)
    if starts_at is None:
        return None
    ends_at = max(_moment(end, zone) or starts_at, starts_at)
    after, before = window
    if starts_at >= before or ends_at <= after:
        return Event(name, is_gone=True)
    return Event(
        external_id=name,
        starts_at=starts_at,
        ends_at=ends_at,
        is_all_day="date" in start,
        is_busy=_is_busy(row),
        title=text(row.get("summary")),
    )


def _moment(told: Mapping[str, Any], zone: ZoneInfo) -> datetime | None:
    """Read a time, or a day as its midnight where the calendar is; the end of whole days is the day after the last."""
    if (at := moment(told.get("dateTime"))) is not None:
        return at
    if (on := day(told.get("date"))) is not None:
        return datetime.combine(on, time.min, zone).astimezone(UTC)
    return None


def _is_busy(row: Mapping[str, Any]) -> bool:
    declined = any(
        mapping(each).get("self") and mapping(each).get("responseStatus") == "declined"
        for each in array(row.get("attendees"))
    )
    is_opaque = row.get("transparency", "opaque") == "opaque"
    return is_opaque and not declined and row.get("eventType") not in NO_TIME
