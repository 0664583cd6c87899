"""Who is asking, from where, and how refusals are answered: the guard around all, and problem+json (RFC 9457)."""

import json
import posixpath
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast
from urllib.parse import quote, urlsplit

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oo_app import accounts, connections
from oo_app.kit import log
from oo_app.kit.config import is_loopback
from oo_app.kit.errors import ForeignOrigin, Invalid, NotAllowed, OoError, Refused, TooLarge, TooMany
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime, current
from oo_app.web.headers import AnswerHeaders

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
UNREADABLE = 400  # what FastAPI calls a body that is no text or nests too deeply
BODY_LIMIT = 64 * 1024
WEBHOOK_LIMIT = 1024 * 1024
# Posted by browsers on other sites (Apple's form_post) or by servers; each has a proof of its own.
FOREIGN_POSTS = ("/auth/apple/callback", "/webhooks/", "/sandbox/")
SIGNED_IN_PAGES = frozenset({"/connect", "/tip"})
LONGEST_NAME = 64
_log = log.get(__name__)


async def signed_in(request: Request) -> accounts.Caller:
    """Return who is calling; NotSignedIn when nobody is."""
    rt = current()
    return await accounts.caller(rt, request.cookies.get(rt.settings.session_cookie))


SignedIn = Annotated[accounts.Caller, Depends(signed_in)]


class Guard:
    """Around pages, API and websocket: request ids, limits, origins, guarded documents, headers."""

    def __init__(self, app: ASGIApp, rt: Runtime, scripts: Sequence[str]) -> None:
        """Wrap an application whose pages hold the given scripts."""
        self._app = app
        self._rt = rt
        self._headers = AnswerHeaders(rt.settings, scripts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "websocket" and Headers(scope=scope).get("origin") != self._rt.settings.base_url:
            await send({"type": "websocket.close", "code": 4403, "reason": ForeignOrigin.title})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_id(self._rt.clock.now())
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        send = self._headers.added(send, scope["path"], scope["query_string"])
        try:
            self._check_origin(scope)
            receive = await _limited(scope, receive)
            redirect = self._moved(scope) or await self._guarded(scope)
        except OoError as error:
            await problem(error, request_id)(scope, receive, send)
            return
        await (redirect or self._app)(scope, receive, send)

    def _check_origin(self, scope: Scope) -> None:
        """Refuse a change asked for by another site; without an Origin only who has no cookie goes on, to a 401."""
        if scope["method"] in SAFE_METHODS or scope["path"].startswith(FOREIGN_POSTS):
            return
        origin = Headers(scope=scope).get("origin")
        if origin != self._rt.settings.base_url and (origin is not None or session_token(self._rt, scope) is not None):
            raise ForeignOrigin

    def _moved(self, scope: Scope) -> Response | None:
        """Lead people who typed this machine's other name to the one that cookies and the websocket know."""
        headers = Headers(scope=scope)
        base = self._rt.settings.base_url
        name = headers.get("host", "").rpartition(":")[0]
        is_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
        is_here = name != urlsplit(base).hostname and is_loopback(name) and self._rt.settings.is_local
        if not is_page or not is_here or scope["path"].startswith("/sandbox/"):
            return None
        query = scope["query_string"].decode("latin-1")
        return RedirectResponse(f"{base}{quote(scope['path'])}{'?' if query else ''}{query}", status_code=307)

    async def _guarded(self, scope: Scope) -> Response | None:
        """Answer document requests that are not for this caller; scripts are public, data is not."""
        path = page_path(scope["path"])
        is_admin = path == "/admin" or path.startswith("/admin/")
        if scope["method"] not in SAFE_METHODS or not (path == "/" or path in SIGNED_IN_PAGES or is_admin):
            return None
        token = session_token(self._rt, scope)
        caller = await accounts.find_caller(self._rt, token)
        if is_admin and (caller is None or caller.role != "admin"):
            raise NotAllowed
        if caller is None and (path in SIGNED_IN_PAGES or token is not None):
            return self._to_the_door(scope, has_dead_cookie=token is not None)
        if path == "/" and caller is not None:
            target = "/tip" if await connections.has_any(self._rt, caller.user_id) else "/connect"
            return RedirectResponse(target, status_code=303, headers={"Cache-Control": "no-store"})
        return None

    def _to_the_door(self, scope: Scope, *, has_dead_cookie: bool) -> Response:
        """Send a visitor to the sign-in page, taking away a cookie that opens nothing any more."""
        said = scope["query_string"].decode("latin-1") if page_path(scope["path"]) == "/" else ""
        response = RedirectResponse(
            f"/?{said}" if said else "/", status_code=303, headers={"Cache-Control": "no-store"}
        )
        if has_dead_cookie:
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
            name, is_https = self._rt.settings.session_cookie, self._rt.settings.is_https
            response.delete_cookie(name, path="/", secure=is_https, httponly=True, samesite="lax")
        return response


def session_token(rt: Runtime, scope: Scope) -> str | None:
    """Return the session cookie's value if there is one, read exactly as the routes read it."""
    return HTTPConnection(scope).cookies.get(rt.settings.session_cookie)


def page_path(path: str) -> str:
    """Return the address of the page that the file server would give for a path, however it is written."""
    plain = posixpath.normpath("/" + path.strip("/"))
    page = plain.removesuffix("/index.html").removesuffix(".html")
    return "/" if page in {"", "/index"} else page


def problem(error: OoError, request_id: str) -> Response:
    """Answer a refusal or an outage as problem+json."""
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooMany) else {}
    return _described(error.status, error.title, error.detail, request_id, headers=headers)


def _described(status: int, title: str, detail: str, request_id: str, *, headers: Mapping[str, str] | None) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "request_id": request_id}
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Turn every exception of the routes into problem+json; this and state/errors.py are the only such places."""

    async def refused(request: Request, error: Exception) -> Response:
        expected = cast("OoError", error)
        level = _log.info if isinstance(error, Refused) else _log.warning
        route = getattr(request.scope.get("route"), "path", "")
        level("request.refused", route=route, status=expected.status, **expected.facts)
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
        return _described(known.status_code, said, said, request.state.request_id, headers=known.headers)

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


async def _limited(scope: Scope, receive: Receive) -> Receive:
    """Read the whole body within its limit, so that nobody behind has to think about it."""
    if scope["method"] in SAFE_METHODS or scope["path"].startswith("/sandbox/"):
        return receive
    limit = WEBHOOK_LIMIT if scope["path"].startswith("/webhooks/") else BODY_LIMIT
    body = bytearray()
    is_more = True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
        if len(body) > limit:
            msg = f"The body may have {limit} bytes at most"
            raise TooLarge(msg)
    replayed = [cast("Message", {"type": "http.request", "body": bytes(body), "more_body": False})]

    async def replay() -> Message:
        return replayed.pop() if replayed else await receive()

    return replay


def as_json(value: object) -> str:
    """Serialise for a download, times as RFC 3339."""
    return json.dumps(value, default=lambda v: v.isoformat(), ensure_ascii=False, indent=2)
