"""What slows the sandbox's Todoist down: its rate limits, and faults that a test asks for."""

from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from oo_app.kit.clock import Clock
from oo_app.sandbox.todoist_errors import TodoistRefused, temporary, too_many, unauthorized

WINDOW = timedelta(minutes=15)
LIMITS = {"rest": 1000, "sync": 1000, "full_sync": 100}
RETRY_AFTER_S = 3

Kind = Literal["rest", "sync", "full_sync"]


class Limits:
    """Counts the calls of an account in the last 15 minutes."""

    def __init__(self, clock: Clock) -> None:
        """Start with nobody counted."""
        self._clock = clock
        self._calls: defaultdict[tuple[str, Kind], deque[datetime]] = defaultdict(deque)

    def count(self, account: str, kind: Kind) -> None:
        """Count a call, or refuse it with the time until there is room again."""
        now, calls = self._clock.now(), self._calls[account, kind]
        while calls and calls[0] <= now - WINDOW:
            calls.popleft()
        if len(calls) >= LIMITS[kind]:
            raise too_many(int((calls[0] + WINDOW - now).total_seconds()) + 1)
        calls.append(now)


@dataclass(frozen=True, slots=True)
class Fault:
    """What the next calls meet: a wait, a failure or both; `path` limits it to calls whose path contains it."""

    status: int | None
    count: int
    delay_ms: int
    path: str


class Faults:
    """The faults still to be met, in the order they were asked for."""

    def __init__(self, clock: Clock) -> None:
        """Start without any."""
        self._clock = clock
        self._waiting: list[Fault] = []

    def plan(self, fault: Fault) -> None:
        """Add a fault behind the others."""
        self._waiting += [fault] * fault.count

    def clear(self) -> None:
        """Forget what was planned."""
        self._waiting.clear()

    async def meet(self, path: str) -> None:
        """Suffer the first fault planned for this path, if there is one."""
        fault = next((fault for fault in self._waiting if fault.path in path), None)
        if fault is None:
            return
        self._waiting.remove(fault)
        if fault.delay_ms:
            await self._clock.sleep(fault.delay_ms / 1000)
        if fault.status is not None:
            raise _failure(fault.status)


def _failure(status: int) -> TodoistRefused:
    match status:
        case 401:
            return unauthorized()
        case 429:
            return too_many(RETRY_AFTER_S)
        case _:
            return temporary(status)
