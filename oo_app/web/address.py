"""Where a request came from: the socket's peer, or what our own proxies say about it."""

from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

FORWARDING = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


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


def is_forwarded(scope: Scope) -> bool:
    """Whether anything says that a proxy passed the request on."""
    headers = Headers(scope=scope)
    return any(name in headers for name in FORWARDING)


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
