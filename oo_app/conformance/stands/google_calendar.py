"""The stand-in for Google Calendar: a calendar in memory, sync tokens, channels, and the grants to it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any, ClassVar

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from oo_app.conformance.stand import ADDRESS, Stand
from oo_app.sources import Call

SCOPE = "https://www.googleapis.com/auth/calendar.events.owned.readonly"
LIFETIME = timedelta(hours=1)
API = "/calendar/v3"
MUCH = 1_000  # entries of which as many are told at once as were asked for; of fewer, a few


class GoogleCalendarStand(Stand):
    """Serves a calendar. `_rows` are its entries by id, `_seq` counts changes, `_life` what tokens are good for.

    `_grants` are the living refresh tokens, `_tokens` the access tokens with their ends, `_channels` what was watched.
    """

    source = "google_calendar"
    page = 20
    lacks: ClassVar = {"complete": "a calendar has no tasks to complete"}

    def __init__(self, *parts: Any) -> None:
        """Begin with an empty calendar."""
        super().__init__(*parts)
        self._rows: dict[str, dict[str, Any]] = {}
        self._numbers = count(1)
        self._seq = self._life = 0
        self._begins_at = self.clock.now()
        self._grants: set[str] = set()
        self._tokens: dict[str, datetime] = {}
        self._channels: dict[str, str] = {}
        self._told: list[Call] = []
        self.app = Router(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/token", self._token, methods=["POST"]),
                Route("/revoke", self._revoke, methods=["POST"]),
                Route(f"{API}/calendars/primary/events", self._list),
                Route(f"{API}/calendars/primary/events/watch", self._watch, methods=["POST"]),
                Route(f"{API}/channels/stop", self._stop, methods=["POST"]),
            ]
        )

    @property
    def settings(self) -> Mapping[str, object]:
        """The settings that lead here; channels are opened to an https address only."""
        return {
            "google_client_id": "check",
            "google_client_secret": SecretStr("check"),
            "google_issuer": ADDRESS,
            "google_calendar_api_url": f"{ADDRESS}{API}",
            "oo_base_url": "https://check.test",
        }

    async def there(self) -> Sequence[str]:
        """Return the titles of what was not called off."""
        return [row["summary"] for row in self._rows.values() if row["status"] != "cancelled"]

    async def add(self, words: str, *, repeats: bool = False) -> str:
        """Add an entry; the nth begins n minutes after the first."""
        number = next(self._numbers)
        at = self._begins_at + timedelta(minutes=number)
        start, end = ({"dateTime": when.isoformat()} for when in (at, at + timedelta(minutes=5)))
        self._changed(f"e{number}", {"id": f"e{number}", "status": "confirmed", "start": start, "end": end}, words)
        return f"e{number}"

    async def change(self, name: str, words: str) -> None:
        """Give an entry another title."""
        self._changed(name, self._rows[name], words)

    async def remove(self, name: str) -> None:
        """Call an entry off."""
        self._changed(name, {"id": name, "status": "cancelled"}, "")

    async def forget_cursors(self) -> None:
        """Answer every sync token of before with 410."""
        self._life += 1

    async def expire(self) -> None:
        """End all access tokens."""
        self._tokens.clear()

    async def revoke(self) -> None:
        """End all grants, as on Google's own page of permissions."""
        self._grants.clear()
        self._tokens.clear()

    async def is_let_in(self) -> bool:
        """Tell whether a grant stands."""
        return bool(self._grants)

    async def deliveries(self) -> Sequence[Call]:
        """Return the messages of the channels."""
        told, self._told = self._told, []
        return told

    def _changed(self, name: str, row: Mapping[str, Any], words: str) -> None:
        self._seq += 1
        self._rows[name] = {**row, "summary": words, "seq": self._seq}
        for channel, token in self._channels.items():
            headers = {"x-goog-channel-id": channel, "x-goog-channel-token": token}
            self._told.append(Call({**headers, "x-goog-message-number": str(self._seq)}, b""))

    async def _describe(self, _: Request) -> Response:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "revocation_endpoint": "revoke"}
        return JSONResponse({name: f"{ADDRESS}/{path}" for name, path in names.items()})

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        is_renewal = form["grant_type"] == "refresh_token"
        if is_renewal and form["refresh_token"] not in self._grants:
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = f"access-{next(self._numbers)}"
        self._tokens[token] = self.clock.now() + LIFETIME
        told = {"access_token": token, "expires_in": LIFETIME.seconds, "scope": SCOPE}
        if is_renewal:
            return JSONResponse(told)
        self._grants.add(f"refresh-{token}")
        return JSONResponse({**told, "refresh_token": f"refresh-{token}"})

    async def _revoke(self, request: Request) -> Response:
        is_known = str((await request.form())["token"]) in self._tokens
        if is_known:
            await self.revoke()
        return JSONResponse({}, 200 if is_known else 400)

    def _is_let_in_by(self, request: Request) -> bool:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return token in self._tokens and self.clock.now() < self._tokens[token]

    async def _list(self, request: Request) -> Response:
        if not self._is_let_in_by(request):
            return JSONResponse({"error": {"code": 401}}, 401)
        told = request.query_params.get("pageToken") or f"{request.query_params.get('syncToken', f'{self._life}.-1')}."
        life, since, after, until = [*told.split("."), "", ""][:4]
        if life != str(self._life):
            return JSONResponse({"error": {"code": 410}}, 410)
        start, end = int(after or 0), int(until or self._seq)
        size = self.page if len(self._rows) < MUCH else int(request.query_params["maxResults"])
        changed = [row for row in self._rows.values() if row["seq"] > int(since)]
        rows = [row for row in changed if since != "-1" or row["status"] != "cancelled"]
        answer: dict[str, Any] = {"summary": "ada@check.test", "timeZone": "Europe/Berlin"}
        answer["items"] = [_told(row) for row in rows[start : start + size]]
        if start + size < len(rows):
            answer["nextPageToken"] = f"{life}.{since}.{start + size}.{end}"
        else:
            answer["nextSyncToken"] = f"{life}.{end}"
        return JSONResponse(answer)

    async def _watch(self, request: Request) -> Response:
        if not self._is_let_in_by(request):
            return JSONResponse({"error": {"code": 401}}, 401)
        asked = await request.json()
        self._channels[asked["id"]] = asked["token"]
        return JSONResponse({"id": asked["id"], "resourceId": "events", "expiration": str(asked["expiration"])})

    async def _stop(self, request: Request) -> Response:
        self._channels.pop((await request.json())["id"], None)
        return Response(status_code=204)


def _told(row: Mapping[str, Any]) -> Mapping[str, Any]:
    shown = {"id", "status"} if row["status"] == "cancelled" else row.keys() - {"seq"}
    return {name: row[name] for name in shown}


STAND = GoogleCalendarStand
