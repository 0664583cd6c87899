"""Where a request came from: the socket's peer, or what our own proxies say about it."""

from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

from oo_app.kit.config import is_loopback
from oo_app.kit.forwarded import is_forwarded, is_loopback_host


def client_address(scope: Scope, proxy_hops: int) -> str:
    """Return the address that the outermost of our proxies saw.

    Each of them appends what it saw, so with n proxies it is the n-th from the right; what stands further left was
    written by the client. A header that is too short, or holds no address there, did not pass all of them.
    """
    peer: str = (scope.get("client") or ("", 0))[0]
    if not proxy_hops:
        return peer
    told = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
    if len(told) < proxy_hops:
        return peer
    return _address(told[-proxy_hops]) or peer


def is_direct(scope: Scope) -> bool:
    """Whether a request comes from this machine, under one of its own names, and no proxy passed it on."""
    headers = Headers(scope=scope)
    is_here = is_loopback(scope["client"][0]) and is_loopback_host(headers.get("host", ""))
    return is_here and not is_forwarded(headers)


def _address(text: str) -> str | None:
    """Read an address that may carry a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`."""
    plain = text.strip()
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        return str(ip_address(plain))
    except ValueError:
        return None
