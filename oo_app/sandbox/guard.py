"""Keeps the sandbox on this machine: loopback clients, loopback hosts, nothing forwarded, no foreign pages."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from oo_app.kit.forwarded import is_forwarded


class LoopbackOnly:
    """ASGI middleware that answers 403 to whatever did not start and end on this machine."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application to be kept at home."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a local request on; refuse any other with a sentence."""
        refusal = _refusal(scope) if scope["type"] in {"http", "websocket"} else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse(refusal, status_code=403)(scope, receive, send)


def is_loopback_url(url: str) -> bool:
    """Say whether a URL is http(s) to this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and _is_loopback_name(parts.hostname)


def _refusal(scope: Scope) -> str | None:
    headers = Headers(scope=scope)
    if is_forwarded(headers):
        return "The sandbox does not answer forwarded requests."
    if not _is_loopback_client(scope.get("client")):
        return "The sandbox answers this machine only."
    if not is_loopback_url(f"http://{headers.get('host', '')}"):
        return "The sandbox answers under a loopback host name only."
    # A page of the outside world, open in the developer's browser, must not steer the sandbox.
    if not _is_local_origin(headers.get("origin")):
        return "The sandbox does not answer pages of other hosts."
    return None


def _is_loopback_client(client: tuple[str, int] | None) -> bool:
    return client is not None and _is_loopback_name(client[0])


def _is_local_origin(origin: str | None) -> bool:
    return origin is None or is_loopback_url(origin)


def _is_loopback_name(name: str | None) -> bool:
    if name is None:
        return False
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
