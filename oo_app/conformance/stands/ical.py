"""The stand-in for a calendar feed: one file at an address, with an entity tag, made anew for each request."""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from oo_app.conformance.calendar_text import line
from oo_app.conformance.stand import ADDRESS, Stand
from oo_app.kit.clock import Clock
from oo_app.sources import Login

NO_TASKS = "a calendar has no tasks to complete"
ONLY_READ = "a feed is read by its address alone"


class IcalStand(Stand):
    """Serves a calendar. `_entries` are the words by number; entry n begins n minutes from now."""

    source = "ical"
    most = 5_000
    lacks: ClassVar = {
        "complete": NO_TASKS,
        "forget_cursors": "a feed is read whole each time",
        "is_let_in": ONLY_READ,
        "expire": ONLY_READ,
        "deliveries": "a feed sends nothing",
    }

    def __init__(self, clock: Clock, folder: Path) -> None:
        """Begin with an empty calendar."""
        super().__init__(clock, folder)
        self._entries: dict[str, str] = {}
        self._numbers = count()
        self._begins_at = clock.now()
        self._address = "/first.ics"
        self.app = Router(routes=[Route("/{name}", self._answer)])

    @property
    def login(self) -> Login:
        """The address; another one after it was withdrawn."""
        self._address = self._address or "/second.ics"
        return Login(f"{ADDRESS}{self._address}")

    async def there(self) -> Sequence[str]:
        """Return the words of all entries."""
        return list(self._entries.values())

    async def add(self, words: str, *, repeats: bool = False) -> str:
        """Add an entry."""
        name = str(next(self._numbers))
        self._entries[name] = words
        return name

    async def change(self, name: str, words: str) -> None:
        """Give an entry other words."""
        self._entries[name] = words

    async def remove(self, name: str) -> None:
        """Delete an entry."""
        del self._entries[name]

    async def revoke(self) -> None:
        """Withdraw the address."""
        self._address = ""

    async def _answer(self, request: Request) -> Response:
        if request.url.path != self._address:
            return Response(status_code=403)
        body = "".join(("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", *map(self._entry, self._entries), "END:VCALENDAR\r\n"))
        tag = f'"{sha256(body.encode()).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304)
        return Response(body.encode(), media_type="text/calendar", headers={"ETag": tag})

    def _entry(self, name: str) -> str:
        at = self._begins_at + timedelta(minutes=int(name))
        return (
            f"BEGIN:VEVENT\r\nUID:{name}@check.test\r\nDTSTART:{at:%Y%m%dT%H%M%SZ}\r\nDURATION:PT5M\r\n"
            f"{line('SUMMARY', self._entries[name])}END:VEVENT\r\n"
        )


STAND = IcalStand
