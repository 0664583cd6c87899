"""What the sandbox's Todoist refuses: calls over its rate limits, and those that a test asks it to."""

from collections import defaultdict, deque
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


def failure(status: int) -> TodoistRefused:
    """Return the refusal that a status stands for."""
    match status:
        case 401:
            return unauthorized()
        case 429:
            return too_many(RETRY_AFTER_S)
        case _:
            return temporary(status)
