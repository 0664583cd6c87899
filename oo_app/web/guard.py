"""Around everything: limits, origins, guarded documents, closed doors; a line in the log for each request."""

from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from time import perf_counter
from urllib.parse import quote, urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from oo_app import accounts, connections
from oo_app.kit import log
from oo_app.kit.config import is_loopback
from oo_app.kit.errors import ForeignOrigin, NotAllowed, NotFound, OoError, Refused, TooMany
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.web.address import client_address
from oo_app.web.answer import Answer, reads_pages
from oo_app.web.body import limited
from oo_app.web.headers import AnswerHeaders
from oo_app.web.problems import problem
from oo_app.web.routes import QUIET, method_of, route_of
from oo_app.web.security import SAFE_METHODS, bearer_token, page_path, session_token

# Posted by browsers on other sites (Apple's form_post) or by servers; each has a proof of its own.
WEBHOOKS = "/webhooks/"
FOREIGN_POSTS = ("/auth/apple/callback", WEBHOOKS)
MISSED = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
UNLIMITED = "/assets/"  # files that never change
SIGNED_IN_PAGES = frozenset({"/connect", "/tip"})
# What Reflex serves besides pages and socket. Its socket is one only: polling over HTTP would pass by the origin check.
CLOSED = frozenset({"ping", "auth-codespace", "_event", "_health", "_upload", "_all_routes"})
SOCKET = "_event"
FORBIDDEN = 4403
BUSY = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>oO</title><link rel="stylesheet" href="/oo.css">
<main><h1>That was a little fast. Please wait a moment.</h1></main></html>"""
_log = log.get(__name__)


class Guard:
    """Stands before pages, API and websocket, and before whatever Reflex answers by itself."""

    def __init__(self, app: ASGIApp, rt: Runtime, scripts: Sequence[str]) -> None:
        """Wrap an application whose pages hold the given scripts."""
        self._app = app
        self._rt = rt
        self._headers = AnswerHeaders(rt.settings, scripts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        scope["client"] = (client_address(scope, self._rt.settings.oo_trusted_proxy_hops), 0)
        request_id = new_id(self._rt.clock.now())
        scope.setdefault("state", {})["request_id"] = request_id
        # Another service, with rules of its own; where it is not served, nothing is looser for its name.
        is_sandbox = self._rt.settings.has_sandbox and scope["path"].startswith("/sandbox/")
        scope["state"]["is_sandbox"] = is_sandbox
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await (self._request if scope["type"] == "http" else self._socket)(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = Answer(scope, send, self._headers)
        began = perf_counter()
        try:
            await self._answer(scope, receive, answer.send)
        except Exception:
            await answer.fail()
            raise  # the server tells where it rose
        finally:
            self._count_missed(scope, answer.status)
            self._tell(scope, answer.status, perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._count(scope)
            self._check_origin(scope)
            if scope["path"].strip("/").partition("/")[0] in CLOSED:
                raise NotFound
            receive = await limited(scope, receive)
            redirect = self._moved(scope) or await self._guarded(scope)
        except TooMany as error:
            await too_many(error, scope)(scope, receive, send)
        except OoError as error:
            await problem(error, scope["state"]["request_id"])(scope, receive, send)
        else:
            await (redirect or self._app)(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._count(scope)
            if Headers(scope=scope).get("origin") != self._rt.settings.base_url:
                raise ForeignOrigin
            if scope["path"].strip("/") != SOCKET:
                raise NotFound
        except Refused as error:
            _log.info("socket.refused", status=error.status)
            if "websocket.http.response" in scope.get("extensions", {}):
                response = problem(error, scope["state"]["request_id"])
                self._headers.complete(response.headers, scope, error.status)
                await response(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": FORBIDDEN, "reason": error.title})
            return
        began = perf_counter()
        with self._rt.metrics.sockets.track_inprogress():
            await self._app(scope, receive, send)
        _log.info("socket.closed", duration_ms=round((perf_counter() - began) * 1000))

    def _count(self, scope: Scope) -> None:
        """Count a request of the address, and a step of a sign-in."""
        path, address = scope["path"], scope["client"][0]
        if scope["state"]["is_sandbox"]:
            return
        # A source's servers send for everybody from a few addresses; who proves nothing is counted where that shows.
        if path.startswith((UNLIMITED, WEBHOOKS)):
            self._rt.limits.check_unproven(address)
            return
        what = "request"
        try:
            self._rt.limits.request(address)
            if step := sign_in_step(scope):
                what = "sign_in"
                self._rt.limits.sign_in(address, step)
        except TooMany:
            self._rt.metrics.limited.labels(what).inc()
            raise

    def _count_missed(self, scope: Scope, status: int) -> None:
        """Count what asked for a file or a source that is not there, where nothing else is counted."""
        if status in MISSED and scope["path"].startswith((UNLIMITED, WEBHOOKS)):
            with suppress(TooMany):
                self._rt.limits.unproven(scope["client"][0])

    def _check_origin(self, scope: Scope) -> None:
        """Refuse a change asked for by another site; without an Origin only who has no cookie goes on, to a 401."""
        path = scope["path"]
        # Below /api/ a token decides alone, also beside a cookie; elsewhere the cookie does.
        is_program = path.startswith("/api/") and bearer_token(scope) is not None
        if (
            scope["method"] in SAFE_METHODS
            or path.startswith(FOREIGN_POSTS)
            or scope["state"]["is_sandbox"]
            or is_program
        ):
            return
        origin = Headers(scope=scope).get("origin")
        if origin != self._rt.settings.base_url and (origin is not None or session_token(self._rt, scope) is not None):
            raise ForeignOrigin

    def _moved(self, scope: Scope) -> Response | None:
        """Lead people who typed this machine's other name to the one that cookies and the websocket know."""
        base = self._rt.settings.base_url
        name = Headers(scope=scope).get("host", "").rpartition(":")[0]
        is_page = scope["method"] == "GET" and reads_pages(scope)
        is_here = name != urlsplit(base).hostname and is_loopback(name) and self._rt.settings.is_local
        if not is_page or not is_here or scope["state"]["is_sandbox"]:
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
        if caller is not None:
            scope["state"]["user_id"] = caller.user_id
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
            response.delete_cookie(self._rt.settings.person_cookie, path="/", secure=is_https, samesite="lax")
        return response

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        """Count and log what came of a request: ids and templates, never a path, a query or content."""
        route, method = route_of(scope, status), method_of(scope)
        self._rt.metrics.requests.labels(route, method, f"{status // 100}xx").observe(seconds)
        known = {"user_id": user_id} if (user_id := scope["state"].get("user_id")) else {}
        tell = _log.debug if route in QUIET and status < HTTPStatus.INTERNAL_SERVER_ERROR else _log.info
        tell("request", route=route, method=method, status=status, duration_ms=round(seconds * 1000, 1), **known)


def sign_in_step(scope: Scope) -> str | None:
    """Name the step of a sign-in that a request is: on the way out, or back (from Apple, by a form post as well)."""
    first, _, last = scope["path"].strip("/").partition("/")
    step = next((name for name in ("start", "callback") if last.endswith(f"/{name}")), None)
    return f"{scope['method']} {step}" if first == "auth" and step else None


def too_many(error: TooMany, scope: Scope) -> Response:
    """Answer that it was too often: a browser that shows pages reads a sentence."""
    if not reads_pages(scope) or scope["path"].startswith("/api/"):
        return problem(error, scope["state"]["request_id"])
    headers = {"Retry-After": str(error.retry_after), "Cache-Control": "no-store"}
    if scope["path"].startswith("/auth/"):
        return RedirectResponse("/?error=busy", status_code=303, headers=headers)
    return HTMLResponse(BUSY, status_code=error.status, headers=headers)
