"""How often somebody may ask: token buckets in memory, bounded, on the injected clock."""

import math
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from oo_app.kit.clock import Clock
from oo_app.kit.errors import TooMany

MOST_KEPT = 10_000  # buckets of a kind; the one unused for longest goes first
MINUTE_S = 60.0
TOLERANCE_S = 0.001  # what a thousand additions to a time of day may be off
SENTENCE = "That was a little fast. Please wait a moment."


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and so many a minute after that."""

    burst: int
    per_minute: int


REQUESTS = Rate(burst=600, per_minute=600)
SIGN_INS = Rate(burst=20, per_minute=20)
WRITES = Rate(burst=20, per_minute=60)


class Limits:
    """Counts requests and sign-ins of an address, writes of a session. One instance a process."""

    def __init__(self, clock: Clock, factor: float) -> None:
        """Multiply every limit by a factor."""
        self._clock = clock
        self._requests = _Buckets(REQUESTS, factor)
        self._sign_ins = _Buckets(SIGN_INS, factor)
        self._writes = _Buckets(WRITES, factor)
        self._unproven = _Buckets(REQUESTS, factor)
        self.readings = Pace(clock)

    def unproven(self, address: str) -> None:
        """Count a delivery of an address that proved nothing; TooMany when there were too many."""
        self._unproven.take(network(address), self._now())

    def check_unproven(self, address: str) -> None:
        """Refuse an address that sent too many of them, before its next one is even read; nothing is counted."""
        self._unproven.check(network(address), self._now())

    def request(self, address: str) -> None:
        """Count a request of an address; TooMany when there were too many."""
        self._requests.take(network(address), self._now())

    def sign_in(self, address: str, step: str) -> None:
        """Count a step of a sign-in of an address, each kind of step by itself; TooMany when there were too many."""
        self._sign_ins.take(f"{step} {network(address)}", self._now())

    def write(self, session_id: str) -> None:
        """Count a change asked for by a session or a token; TooMany when there were too many."""
        self._writes.take(session_id, self._now())

    def _now(self) -> float:
        return self._clock.now().timestamp()


class _Buckets:
    """Buckets of one rate. Of each only the time is kept at which it will be full again (GCRA, ITU-T I.371)."""

    def __init__(self, rate: Rate, factor: float) -> None:
        self._pause_s = MINUTE_S / (rate.per_minute * factor)
        self._depth_s = rate.burst * factor * self._pause_s
        self._full_at: dict[str, float] = {}

    def check(self, key: str, now: float) -> None:
        wait_s = self._wait_s(min(max(self._full_at.get(key, now), now), now + self._depth_s), now)
        if wait_s > TOLERANCE_S:
            raise TooMany(SENTENCE, retry_after=math.ceil(wait_s))

    def _wait_s(self, full_at: float, now: float) -> float:
        return full_at + self._pause_s - self._depth_s - now

    def take(self, key: str, now: float) -> None:
        # No further ahead than an empty bucket, should the time of day have been set back.
        full_at = min(max(self._full_at.pop(key, now), now), now + self._depth_s)
        wait_s = self._wait_s(full_at, now)
        is_empty = wait_s > TOLERANCE_S
        self._full_at[key] = full_at if is_empty else full_at + self._pause_s  # put at the end: used last
        if len(self._full_at) > MOST_KEPT:
            del self._full_at[next(iter(self._full_at))]
        if is_empty:
            raise TooMany(SENTENCE, retry_after=math.ceil(wait_s))


class Pace:
    """How fast sources are read for all people together: so many a minute, evenly, and not at all while one rests."""

    def __init__(self, clock: Clock) -> None:
        """Begin with every source rested."""
        self._clock = clock
        self._since: dict[str, float] = {}
        self._rests_until: dict[str, float] = {}

    def share(self, source: str, per_minute: float, most: int) -> int:
        """Take as many readings of a source as its pace allows by now; what is not taken lapses after a second."""
        now = self._now()
        if self.rests(source):
            return 0
        since = max(self._since.get(source, now - 1), now - 1)
        allowed = min(int((now - since) * per_minute / MINUTE_S + TOLERANCE_S), most)
        if allowed:
            self._since[source] = since + allowed * MINUTE_S / per_minute
        return allowed

    def rest(self, source: str, seconds: float) -> None:
        """Let a source rest that said it was asked too often by all of us."""
        self._rests_until[source] = max(self._rests_until.get(source, 0), self._now() + seconds)

    def rests(self, source: str) -> bool:
        """Tell whether a source is resting."""
        return self._rests_until.get(source, 0) > self._now()

    def _now(self) -> float:
        return self._clock.now().timestamp()


@lru_cache(maxsize=4096)
def network(address: str) -> str:
    """Return what shares one bucket: an IPv4 address, the /64 of an IPv6 one, of which everybody has plenty."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or f"{int(parsed) >> 64:x}::/64")
    return str(parsed)
