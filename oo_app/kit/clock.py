"""The only source of time: handed in, so that tests and the demo can turn it."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """The real clock. Times are aware UTC."""

    def now(self) -> datetime:
        """Return the current time."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Return seconds that only ever grow, also while the machine sleeps or somebody sets the time of day."""
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the loop."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        """Limit what is awaited inside, in real time; TimeoutError when it takes longer."""
        return asyncio.timeout(seconds)


class FakeClock(Clock):
    """A clock that stands still until it is told to move."""

    def __init__(self, start: datetime) -> None:
        """Start at an aware time."""
        self._now = start

    def now(self) -> datetime:
        """Return the time it was last moved to."""
        return self._now

    def elapsed(self) -> float:
        """Return seconds that grow as the time is moved."""
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Move on by that long, at once, letting other tasks run."""
        self.advance(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    def advance(self, by: timedelta) -> None:
        """Move the time forward."""
        self._now += by
