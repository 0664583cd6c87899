"""Whether a request came straight from who asks, for what only this machine may see in development."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from oo_app.kit.config import is_loopback

# A proxy that passes something on says so in one of these; what begins with the latter are all proxies' own words.
NAMES = frozenset({"via", "forwarded", "true-client-ip", "client-ip", "x-client-ip", "x-real-ip", "cf-connecting-ip"})
BEGINNINGS = ("x-forwarded", "x-original-")


def is_forwarded(names: Iterable[str]) -> bool:
    """Tell by the names of a request's headers whether a proxy passed it on."""
    return any(name.lower() in NAMES or name.lower().startswith(BEGINNINGS) for name in names)


def is_loopback_host(host: str) -> bool:
    """Tell whether a Host header names this machine, so that a name that was bent to it (DNS rebinding) does not."""
    try:
        return is_loopback(urlsplit(f"http://{host}").hostname or "")
    except ValueError:
        return False
