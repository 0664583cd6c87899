"""Who is asking: the cookie of a session, or a program's token."""

import posixpath
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope

from oo_app import accounts
from oo_app.kit.errors import NotAllowed, TooMany
from oo_app.runtime import Runtime, current

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# They describe the two ways in; who is asking is read from the request itself, the same for all routes.
_cookie = APIKeyCookie(
    name="oo_session",
    scheme_name="session",
    description="A signed-in browser. On https the cookie is called __Host-oo_session.",
    auto_error=False,
)
_bearer = HTTPBearer(scheme_name="token", description="A token from /api/v1/tokens.", auto_error=False)


async def signed_in(request: Request, _: Annotated[str | None, Security(_cookie)]) -> accounts.Caller:
    """Return whose browser is asking; NotSignedIn when nobody's is, NotAllowed when a program is."""
    rt = current()
    if (token := bearer_token(request.scope)) is not None:
        await accounts.bearer(rt, token)
        msg = "A token cannot do this; it needs its person, signed in"
        raise NotAllowed(msg)
    return counted(rt, request, await accounts.caller(rt, session_token(rt, request.scope)))


async def signed_in_or_token(
    request: Request,
    cookie: Annotated[str | None, Security(_cookie)],
    _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> accounts.Caller:
    """Return who is asking, by a token where there is one, else by the cookie; NotSignedIn when neither is alive."""
    token = bearer_token(request.scope)
    if token is None:
        return await signed_in(request, cookie)
    rt = current()
    return counted(rt, request, await accounts.bearer(rt, token))


SignedIn = Annotated[accounts.Caller, Security(signed_in)]
SignedInOrToken = Annotated[accounts.Caller, Security(signed_in_or_token)]


def counted(rt: Runtime, request: Request, caller: accounts.Caller) -> accounts.Caller:
    """Note who it is for the log, and count a change; TooMany when the session or token makes too many.

    Only here, where the session is known to live: a made-up cookie would otherwise bring a full bucket each time.
    """
    request.state.user_id = caller.user_id
    if request.method not in SAFE_METHODS:
        count_write(rt, caller)
    return caller


def count_write(rt: Runtime, caller: accounts.Caller) -> None:
    """Count a change; TooMany when the session or token makes too many."""
    try:
        rt.limits.write(caller.session_id)
    except TooMany:
        rt.metrics.limited.labels("write").inc()
        raise


def session_token(rt: Runtime, scope: Scope) -> str | None:
    """Return the session cookie's value if there is one, read exactly as the routes read it."""
    return HTTPConnection(scope).cookies.get(rt.settings.session_cookie)


def bearer_token(scope: Scope) -> str | None:
    """Return the token of an `Authorization: Bearer` header; no page of another site can send one unasked."""
    scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def page_path(path: str) -> str:
    """Return the address of the page that the file server would give for a path, however it is written."""
    plain = posixpath.normpath("/" + path.strip("/"))
    page = plain.removesuffix("/index.html").removesuffix(".html")
    return "/" if page in {"", "/index"} else page
