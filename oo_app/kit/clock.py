"""The only source of time: handed in, so that tests and the demo can turn it."""

import asyncio
from datetime import UTC, datetime, timedelta


class Clock:
    """The real clock. Times are aware UTC."""

    def now(self) -> datetime:
        """Return the current time."""
        return datetime.now(UTC)

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

    async def sleep(self, seconds: float) -> None:
        """Move on by that long, at once, letting other tasks run."""
        self.advance(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    def advance(self, by: timedelta) -> None:
        """Move the time forward."""
        self._now += by
