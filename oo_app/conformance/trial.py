"""One check's own world: a fresh database, a stand-in, a line between, a clock that is told to move, and a person."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from oo_app import connections, ops, signals
from oo_app.accounts import Person, sign_in
from oo_app.conformance.line import Fault, Line
from oo_app.conformance.stand import Lacking, Stand
from oo_app.events import CalendarSynced, SourceFailed, TaskCompleted, TasksSynced
from oo_app.kit.bus import Delivered
from oo_app.kit.clock import Clock, FakeClock
from oo_app.kit.config import Settings
from oo_app.runtime import Runtime, build
from oo_app.sources import Asks, Kind, Source

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = "the-key-of-a-database-of-a-minute"
BROWSER = "the-browser-of-the-check"
HEARD = (TasksSynced, CalendarSynced, TaskCompleted, SourceFailed)
MOST_SHOWN = 3

MakeStand = Callable[[Clock, Path], Stand]


class Failed(Exception):
    """The source did not hold; the text says what was expected and what was seen."""


class DoesNotApply(Exception):
    """The source is of a kind that the check has nothing to ask; the text says why."""


class HastyClock(FakeClock):
    """A clock that stands still; with `patience_s`, whoever waits in real time waits no longer than that."""

    patience_s: float | None = None

    def timeout(self, seconds: float) -> asyncio.Timeout:
        """Limit what is awaited inside."""
        return asyncio.timeout(seconds if self.patience_s is None else min(seconds, self.patience_s))


class TheirClock(Clock):
    """The clock of the other side, which may be off."""

    def __init__(self, ours: Clock) -> None:
        """Go by ours at first."""
        self._ours = ours
        self.skew = timedelta(0)

    def now(self) -> datetime:
        """Return the time as they have it."""
        return self._ours.now() + self.skew

    async def sleep(self, seconds: float) -> None:
        """Wait as we do."""
        await self._ours.sleep(seconds)


@dataclass
class Trial:
    """What a check gets. `first_seen` is what the first reading held, where the stand-in cannot tell what it holds."""

    source: Source
    stand: Stand
    line: Line
    clock: HastyClock
    their_clock: TheirClock
    rt: Runtime
    user_id: str
    connection_id: str = ""
    heard: list[Delivered] = field(default_factory=list[Delivered])
    first_seen: list[str] | None = None

    async def connect(self) -> None:
        """Let oO in, as a person does; what was read before is read from the start."""
        if self.source.asks == "consent":
            url = await connections.start(self.rt, self.user_id, self.source.name, BROWSER)
            back = parse_qs(urlsplit(await self.stand.agree(url)).query)
            code, state = back["code"][0], back["state"][0]
            self.connection_id = await connections.finish(
                self.rt, self.user_id, self.source.name, code=code, state=state, browser=BROWSER
            )
        else:
            self.connection_id = await connections.connect(self.rt, self.user_id, self.source.name, self.stand.login)

    async def read(self) -> bool:
        """Read the connection as the application does."""
        return await signals.sync(self.rt, self.connection_id)

    async def read_well(self, when: str) -> None:
        """Read, and find exactly what is there."""
        if not await self.read():
            raise Failed(f"{when}: expected a reading, but it failed ({await self.trouble()})")
        await self.holds_the_truth(when)

    async def reads_anew(self, when: str) -> None:
        """Connect and read from the start, and find exactly what is there."""
        await self.connect()
        await self.read_well(when)

    async def holds_the_truth(self, when: str) -> None:
        """Compare what oO holds with what is there."""
        held, there = await self.held(), await self.truth()
        missing, surplus = Counter(there) - Counter(held), Counter(held) - Counter(there)
        if missing or surplus:
            raise Failed(
                f"{when}: expected the {len(there)} that are there, saw {len(held)}"
                f"{_some(' without', missing)}{_some(' with', surplus)}"
            )

    async def truth(self) -> list[str]:
        """Return what is there: as the stand-in tells, else as it was first read."""
        try:
            there = list(await self.stand.there())
        except Lacking as lacking:
            if lacking.reason is None:
                raise
            if self.first_seen is None:
                self.first_seen = await self.held()
            there = self.first_seen
        return sorted(there)

    async def held(self) -> list[str]:
        """Return the words of what oO holds open."""
        items = [row["content"] for row in await self.rows("item") if row["is_open"]]
        return sorted([*items, *(row["title"] for row in await self.rows("calendar_event"))])

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """Return what oO holds of the person in a table, as it would give it to them."""
        return [row async for row in ops.held(self.rt, self.user_id, table)]

    async def news(self, subject: str) -> int:
        """Count the events of a subject so far."""
        await self.rt.bus.drain()
        return sum(each.subject == subject for each in self.heard)

    async def completions(self) -> int:
        """Count the completions that were told as news so far."""
        return await self.news(TaskCompleted.subject)

    async def state(self) -> str:
        """Return whether the source is connected, and living."""
        for reading in await connections.readings(self.rt, self.user_id):
            if reading.source == self.source.name:
                return "needs_attention" if reading.needs_attention else "connected"
        return "not_connected"

    async def trouble(self) -> str:
        """Return what went wrong with the last reading."""
        (row,) = await self.rows("connection")
        return "it needs attention" if row["needs_attention"] else str(row["failure"])

    async def requests(self, fault: Fault | None = None) -> int:
        """Read once through a fault, and count what was asked for; the fault is taken away again."""
        before, self.line.fault = len(self.line.asked), fault
        try:
            await self.read()
        finally:
            self.line.fault = None
        return len(self.line.asked) - before

    def only_of(self, *asks: Asks) -> None:
        """Go on only with a source that lets itself in one of these ways."""
        if self.source.asks not in asks:
            words = {"consent": "consent", "address": "an address only", "login": "a name and a password"}
            raise DoesNotApply(f"it asks for {words[self.source.asks]}")

    def only_with(self, kind: Kind) -> None:
        """Go on only with a source that has things of this kind."""
        if kind not in self.source.kinds:
            raise DoesNotApply(f"it has no {kind}s")


@asynccontextmanager
async def trial(source: Source, make_stand: MakeStand, template: Path) -> AsyncGenerator[Trial]:
    """Build a world from a folder with a migrated database; nothing of it stays."""
    with TemporaryDirectory(prefix="oo-check-") as name:
        folder = Path(name)
        shutil.copytree(template, folder, dirs_exist_ok=True)
        clock = HastyClock(START)
        theirs = TheirClock(clock)
        stand = make_stand(theirs, folder)
        line = Line(stand.app)
        rt = build(settings_in(folder).model_copy(update=dict(stand.settings)), clock=clock, transport=line)
        await rt.start()
        try:
            user_id, _ = await sign_in(rt, Person("https://check.test", "1", "check@check.test", None), replacing=None)
            found = Trial(source, stand, line, clock, theirs, rt, user_id)

            async def hear(event: Delivered) -> None:
                found.heard.append(event)

            rt.bus.bind({event.subject: (hear,) for event in HEARD})
            yield found
        finally:
            await rt.jobs.settle()
            await rt.stop()


def settings_in(folder: Path) -> Settings:
    """Return settings that write below a folder only; what the environment and `.env` say is not looked at."""
    return Settings.model_construct(
        oo_data_dir=folder,
        oo_secret_keys=SecretStr(KEY),
        oo_encryption_keys=SecretStr(KEY[::-1]),
        oo_allow_private_hosts="1",
        oo_sandbox=False,
        oo_base_url="http://localhost:8000",
    )


def _some(word: str, told: Counter[str]) -> str:
    shown: Sequence[str] = sorted(told.elements())[:MOST_SHOWN]
    more = ", …" if told.total() > MOST_SHOWN else ""
    return f"{word} {told.total()} ({', '.join(each[:40] for each in shown)!r}{more})" if told else ""
