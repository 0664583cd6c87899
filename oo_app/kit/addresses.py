"""Which addresses given by people may be connected to: public ones, and private ones that the operator names.

Resolved here, so that what was checked is what is connected to: a name that answers otherwise next time gains nothing.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote

import httpx

from oo_app.kit.errors import Invalid, SourceDown

Ip = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[Ip]]]

LONGEST = 2_000
NOT_PUBLIC = "url: Nothing answers at that address, or it is not a public one."
NO_ADDRESS = "url: That is not an address like https://example.com/calendar.ics"
NO_NAME_INSIDE = "url: An address must not hold a name or a password"
NO_PLAIN = "url: That address has to begin with https://"
ALL = frozenset({"1", "true", "yes", "on", "*"})
NONE = frozenset({"", "0", "false", "no", "off"})
MOST_LOOKUPS = 16
NAT64 = ip_network("64:ff9b::/96")
# Where clouds hand out the machine's own credentials (Azure's lies in a public range), and a prefix under which a
# network may hide any address: let through only by their very names.
CLOUDS = ("169.254.0.0/16", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::/32", "fd20:ce::/32")
BY_NAME_ONLY = tuple(map(ip_network, (*CLOUDS, "64:ff9b:1::/48")))
NOWHERE = ip_network("240.0.0.0/4")  # the broadcast address among them: nobody listens there by itself
UNICAST = ip_network("2000::/3")  # the only part of IPv6 that was ever given out
# Not public although Python says so, at least the versions of it that we run on: documentation, 6to4 and its relays.
NEVER_PUBLIC = tuple(map(ip_network, ("192.88.99.0/24", "2002::/16", "3fff::/20")))
LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
HOST = re.compile(rf"{LABEL}(\.{LABEL})*|[0-9a-f:]*:[0-9a-f:.]*")
PORTS = range(1, 65_536)
# Ports on which something else than HTTP listens, and can be made to act by it (fetch.spec.whatwg.org, "bad port").
BAD_PORTS = frozenset(
    {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110}
    | {111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531}
    | {532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3306, 3659, 4045, 4190}
    | {5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 9200, 10080, 11211, 27017}
)


@dataclass(frozen=True, slots=True)
class Private:
    """What the operator lets through besides public addresses. A name may say its port."""

    everything: bool = False
    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def read(cls, text: str) -> "Private":
        """Read OO_ALLOW_PRIVATE_HOSTS; ValueError names the part that is no host."""
        word = text.strip().lower()
        if word in ALL or word in NONE:
            return cls(everything=word in ALL)
        parts = [part.strip().lower().rstrip(".") for part in text.split(",") if part.strip()]
        networks = {part: network for part in parts if (network := _network(part)) is not None}
        names = frozenset(_name(part) for part in parts if part not in networks)
        return cls(names=names, networks=tuple(networks.values()))

    def allows(self, host: str, port: int, address: Ip) -> bool:
        """Whether an address that is not public may be connected to under this name."""
        told = {host, f"{host}:{port}", f"[{host}]:{port}"}
        if told & self.names:
            return True
        inner = _embedded(address)
        if any(inner in network for network in BY_NAME_ONLY):
            return ip_network(inner) in self.networks
        if inner.is_multicast or inner in NOWHERE:
            return False
        return self.everything or any(
            address in network for network in self.networks if network.version == address.version
        )


def by_system() -> Resolve:
    """Return the system's way to ask for a name's addresses, in threads of its own.

    A name server of somebody's own may take its time: it shall hold up other names at most, not whatever else the
    process does in threads.
    """
    threads = ThreadPoolExecutor(MOST_LOOKUPS, "names")

    async def resolve(host: str, port: int) -> Sequence[Ip]:
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(threads, ask)
        return [ip_address(str(each[4][0]).partition("%")[0]) for each in found]

    return resolve


class Addresses:
    """Checks addresses given by people. `prefixes` are whole addresses of our own sandbox that are let through."""

    def __init__(
        self,
        private: Private = Private(),
        *,
        is_strict: bool = False,
        prefixes: Sequence[str] = (),
        resolve: Resolve | None = None,
    ) -> None:
        """Let through what is public; `is_strict` wants https of it."""
        self._private = private
        self._is_strict = is_strict
        self._prefixes = tuple(prefixes)
        self._resolve = resolve or by_system()

    async def check(self, text: str | httpx.URL) -> httpx.URL:
        """Return an address as it will be asked for; Invalid with a sentence where it will not be."""
        url = read_url(str(text))
        if not self._is_ours(url):
            addresses = await self.lookup(host_of(url), port_of(url))
            if self._is_strict and url.scheme != "https" and any(map(is_public, addresses)):
                raise Invalid(NO_PLAIN, field="url")
        return url

    async def lookup(self, host: str, port: int) -> Sequence[Ip]:
        """Resolve a host and return what to connect to; Invalid unless all of it may be connected to."""
        name = host.lower().rstrip(".")
        try:
            found = [ip_address(name.strip("[]"))]
        except ValueError:
            try:
                found = list(await self._resolve(name, port))
            except (OSError, UnicodeError) as error:  # UnicodeError: a label that is empty or too long
                raise Invalid(NOT_PUBLIC, field="url") from error
        if not found or not all(is_public(each) or self._private.allows(name, port, each) for each in found):
            raise Invalid(NOT_PUBLIC, field="url")
        return found

    async def to_connect(self, host: str, port: int) -> Sequence[Ip]:
        """Return what to connect to, at the moment of connecting; the sandbox was let through as a whole address."""
        if any(host == httpx.URL(prefix).host and port == port_of(httpx.URL(prefix)) for prefix in self._prefixes):
            return [ip_address(host)]
        return await self.lookup(host, port)

    def _is_ours(self, url: httpx.URL) -> bool:
        path = unquote(url.path)
        is_plain = not any(part in {".", ".."} for part in path.split("/")) and "\\" not in path and "%" not in path
        return is_plain and any(str(url).startswith(prefix) for prefix in self._prefixes)


def read_url(text: str) -> httpx.URL:
    """Read an address as httpx will; Invalid with a sentence where it is none that we ask for."""
    told = text.strip()
    scheme, _, rest = told.partition("://")
    if scheme.lower() in {"webcal", "webcals"}:
        told = f"https://{rest}"
    if len(told) > LONGEST or any(ord(letter) <= ord(" ") or letter in "\\\x7f" for letter in told):
        raise Invalid(NO_ADDRESS, field="url")
    try:
        url = httpx.URL(told).copy_with(fragment=None)
        port, host = port_of(url), url.host.rstrip(".")  # a name in xn-- that stands for none fails only when read
        if url.host != host:  # no certificate is made out to a name that ends in a dot
            url = url.copy_with(host=host)
    except (httpx.InvalidURL, ValueError) as error:
        raise Invalid(NO_ADDRESS, field="url") from error
    if url.scheme not in {"http", "https"} or not host or "%" in host or port in BAD_PORTS or port not in PORTS:
        raise Invalid(NO_ADDRESS, field="url")
    if url.userinfo:
        raise Invalid(NO_NAME_INSIDE, field="url")
    return url


def port_of(url: httpx.URL) -> int:
    """Return the port that an address leads to."""
    return url.port if url.port is not None else (443 if url.scheme == "https" else 80)


def host_of(url: httpx.URL) -> str:
    """Return an address's host as it is connected to, whatever alphabet it was typed in."""
    return url.raw_host.decode("ascii")


def is_public(address: Ip) -> bool:
    """Whether an address belongs to the public internet.

    An IPv4 address wrapped in another does not, but for NAT64: where that is in use, names resolve to it.
    """
    if address in NAT64:
        return is_public(_embedded(address))
    if any(address in network for network in (*BY_NAME_ONLY, *NEVER_PUBLIC)):
        return False
    if isinstance(address, IPv6Address) and address not in UNICAST:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _embedded(address: Ip) -> Ip:
    """Return the IPv4 address that an IPv6 one stands for (mapped, compatible, 6to4, Teredo, NAT64), else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64 or int(address) >> 32 == 0:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


def _name(text: str) -> str:
    """Return a host, or a host with its port, as addresses will say it; ValueError where it is neither."""
    with suppress(httpx.InvalidURL, ValueError):
        url = httpx.URL(f"any://{text}/")  # a scheme that has no port of its own, which would be left out
        if HOST.fullmatch(host_of(url)) and not url.userinfo and url.path == "/" and url.port in {None, *PORTS}:
            return url.netloc.decode("ascii")
    msg = f"{text!r} is not a host, a host with its port, or a network"
    raise ValueError(msg)


def unreachable(host: str, cause: str) -> SourceDown:
    """Say that nothing sensible came from somebody's address: the log learns the host, nobody more."""
    return SourceDown("That address cannot be reached just now", host=host, cause=cause)
