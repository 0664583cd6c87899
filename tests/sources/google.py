"""A Google that answers what it is told to, as the contract writes it."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import httpx

from oo_app.kit.config import GOOGLE_ISSUER

Answers = Callable[[httpx.Request], httpx.Response]

# An entry as the contract shows it.
DENTIST: dict[str, Any] = {
    "id": "abc123",
    "status": "confirmed",
    "summary": "Dentist",
    "eventType": "default",
    "start": {"dateTime": "2026-11-23T10:00:00+01:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2026-11-23T10:30:00+01:00", "timeZone": "Europe/Berlin"},
    "transparency": "opaque",
    "attendees": [{"self": True, "responseStatus": "accepted"}],
    "a key of next year": {"x": 1},
}


class Google(httpx.AsyncBaseTransport):
    """Describes itself, answers the rest in turn, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Answers = lambda _: listed()
        self.described: dict[str, Any] = {
            "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
            "token_endpoint": "https://oauth2.googleapis.com/token",
            "revocation_endpoint": "https://oauth2.googleapis.com/revoke",
        }

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer by what the test set."""
        if str(request.url).startswith(GOOGLE_ISSUER):
            return httpx.Response(200, json=self.described)
        self.requests.append(request)
        answer = self.answer(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))

    @property
    def asked(self) -> list[dict[str, str]]:
        """The queries of the requests."""
        return [dict(request.url.params) for request in self.requests]

    @property
    def bodies(self) -> list[Any]:
        """What the requests held: a form, or JSON."""
        return [
            dict(parse_qsl(request.content.decode())) if b"=" in request.content[:20] else json.loads(request.content)
            for request in self.requests
        ]


def listed(*items: dict[str, Any], **more: Any) -> httpx.Response:
    """Return the only, or last, page of a list."""
    page = {"summary": "ana@example.com", "timeZone": "Europe/Berlin", "nextSyncToken": "s1", "items": list(items)}
    return httpx.Response(200, json=page | more)


def paged(token: str, *items: dict[str, Any]) -> httpx.Response:
    """Return a page that others follow."""
    return httpx.Response(200, json={"summary": "ana@example.com", "nextPageToken": token, "items": list(items)})


def refused(status: int, reason: str, **headers: str) -> httpx.Response:
    """Return Google's error object."""
    error = {"code": status, "message": reason, "errors": [{"domain": "global", "reason": reason, "message": reason}]}
    return httpx.Response(status, json={"error": error}, headers=headers)


def in_turn(*answers: httpx.Response) -> Answers:
    """Give one answer after the other."""
    waiting = list(answers)
    return lambda _: waiting.pop(0)
