"""Errors as answers: problem+json (RFC 9457), the same everywhere; state/errors.py does this for the pages' events."""

from collections.abc import Mapping
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from oo_app.kit import log
from oo_app.kit.errors import Invalid, NotSignedIn, OoError, Refused, TooMany

MEDIA_TYPE = "application/problem+json"
UNREADABLE = 400  # what FastAPI calls a body that is no text or nests too deeply
LONGEST_NAME = 64
_log = log.get(__name__)


def problem(error: OoError, request_id: str) -> Response:
    """Answer a refusal or an outage as problem+json."""
    headers: dict[str, str] = {}
    if isinstance(error, TooMany):
        headers = {"Retry-After": str(error.retry_after)}
    elif isinstance(error, NotSignedIn):
        headers = {"WWW-Authenticate": 'Bearer realm="oO"'}  # RFC 9110 wants one; browsers ask nobody for this kind
    return described(error.status, error.title, error.detail, request_id, headers=headers)


def described(status: int, title: str, detail: str, request_id: str, *, headers: Mapping[str, str] | None) -> Response:
    """Answer any error as problem+json."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "request_id": request_id}
    headers = {"Cache-Control": "no-store", "X-Request-ID": request_id, **(headers or {})}
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Turn every exception of the routes into problem+json; this and state/errors.py are the only such places."""

    async def refused(request: Request, error: Exception) -> Response:
        expected = cast("OoError", error)
        level = _log.info if isinstance(error, Refused) else _log.warning
        route = getattr(request.scope.get("route"), "path", "")
        level("request.refused", **{**expected.facts, "route": route, "status": expected.status})
        return problem(expected, request.state.request_id)

    async def invalid(request: Request, error: Exception) -> Response:
        if door := _door_of(request.url.path):
            return RedirectResponse(f"{door}?error=unknown", status_code=303)
        return problem(Invalid(first_fault(cast("RequestValidationError", error))), request.state.request_id)

    async def http(request: Request, error: Exception) -> Response:
        known = cast("HTTPException", error)
        if known.status_code == UNREADABLE and (door := _door_of(request.url.path)):
            return RedirectResponse(f"{door}?error=unknown", status_code=303)
        if known.status_code == UNREADABLE:
            return problem(Invalid("body: could not be read"), request.state.request_id)
        said = str(known.detail)
        return described(known.status_code, said, said, request.state.request_id, headers=known.headers)

    async def bug(request: Request, error: Exception) -> Response:
        _log.error("request.failed", cause=type(error).__name__, exc_info=error)
        return problem(OoError(), request.state.request_id)

    app.add_exception_handler(OoError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, bug)


def _door_of(path: str) -> str | None:
    """Return the page on which a browser that comes back from another site reads what went wrong."""
    first, *_, last = path.strip("/").split("/")
    return {"auth": "/", "connect": "/connect"}.get(first) if last == "callback" else None


def first_fault(error: RequestValidationError) -> str:
    """Name the first field that does not fit, and what it should be; never what was sent in it."""
    first: dict[str, Any] = dict(error.errors()[0])
    if first["type"] == "json_invalid":
        return "body: is not valid JSON"
    parts = (str(part) for part in first["loc"] if part not in {"body", "query", "path"})
    name = ".".join(parts).encode("ascii", "replace").decode()[:LONGEST_NAME]
    return f"{name or 'body'}: {first['msg'].removeprefix('Value error, ')}"
