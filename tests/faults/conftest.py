"""The application with a line of ours between it and its Todoist."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doors.stage import Somebody, call, cookie_of, signed_in
from tests.doors.watch import change, select
from tests.elsewhere import Account, Elsewhere, elsewhere
from tests.proxy import Proxy, proxied
from tests.served import Served, free_port, served

A_DAY_MS = "86400000"
LONG_AGO = "2020-01-01 00:00:00.000000"
HEALS_WITHIN_S = 60


@dataclass(frozen=True)
class Line:
    """An application, the Todoist it speaks with, and the port of the line between them."""

    site: Served
    world: Elsewhere
    port: int


@dataclass
class Story:
    """A person whose Todoist is at the other end of the line."""

    line: Line
    proxy: Proxy
    somebody: Somebody
    account: Account
    took_s: float = 0.0

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Call the application, and note how long it took."""
        began = time.monotonic()
        answer = await asyncio.to_thread(call, self.line.site, self.somebody.cookie, method, path, json=body)
        self.took_s = time.monotonic() - began
        return answer

    async def tip(self) -> dict[str, Any]:
        """Ask for the tip."""
        answer = await self.ask("POST", "/api/v1/recommend", {"surface": "web"})
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()["tip"]

    async def answer(self, tip: dict[str, Any], action: str) -> httpx.Response:
        """Answer it."""
        body = {"impression_id": tip["impression_id"], "action": action, "dwell_ms": 20_000}
        return await self.ask("POST", "/api/v1/feedback", body)

    def make_stale(self) -> None:
        """Let the tasks have been read, and tips answered, long ago: the next decision reads them again first."""
        folder = self.line.site.folder
        change(folder, "UPDATE connection SET last_read_at = ? WHERE id = ?", LONG_AGO, self.somebody.connection)
        change(folder, "UPDATE reaction SET received_at = ? WHERE user_id = ?", LONG_AGO, self.somebody.user_id)

    def let_time_pass(self) -> None:
        """Let everything be due that waits for its time."""
        folder, user = self.line.site.folder, self.somebody.user_id
        change(folder, "UPDATE closing SET next_at = ? WHERE user_id = ? AND done_at IS NULL", LONG_AGO, user)
        change(folder, "UPDATE connection SET next_read_at = ? WHERE user_id = ?", LONG_AGO, user)

    def external_id(self, tip: dict[str, Any]) -> str:
        """Return Todoist's id of a tip's task."""
        return str(select(self.line.site.folder, "SELECT external_id FROM item WHERE id = ?", tip["id"])[0][0])

    async def until(self, query: str, *values: Any) -> None:
        """Wait for the database to answer a question with yes."""
        async with asyncio.timeout(HEALS_WITHIN_S):
            while not select(self.line.site.folder, query, *values):  # noqa: ASYNC110 -- another process changes it
                await asyncio.sleep(0.1)

    async def has_asked(self) -> None:
        """Wait until the application has spoken by the line once more, or tried to."""
        before = self.proxy.accepted, self.proxy.asked
        async with asyncio.timeout(HEALS_WITHIN_S):
            while (self.proxy.accepted, self.proxy.asked) == before:  # noqa: ASYNC110 -- a proxy tells nobody
                await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Generator[Line]:
    """Run both ends; each test lays the line anew."""
    folder: Path = tmp_path_factory.mktemp("faults")
    port, between = free_port(), free_port()
    quiet = {"TODOIST_SYNC_INTERVAL_MS": A_DAY_MS}
    with (
        elsewhere(f"http://localhost:{port}", folder) as world,
        served(folder, port=port, **world.variables(between), **quiet) as site,
    ):
        yield Line(site, world, between)


@pytest.fixture
async def proxy(line: Line) -> AsyncGenerator[Proxy]:
    """The line, which passes everything on until a test spoils it."""
    async with proxied(line.world.port, line.port) as laid:
        yield laid


@pytest.fixture
async def story(line: Line, proxy: Proxy) -> Story:
    """A new person, connected, with a tip on screen."""
    return await new_story(line, proxy)


async def new_story(line: Line, proxy: Proxy) -> Story:
    """Begin a story of a new person."""
    name = f"f{secrets.token_hex(5)}"
    somebody = await asyncio.to_thread(signed_in, line.site, f"{name}@sandbox.test", name)
    return Story(line, proxy, somebody, line.world.account(name))


@dataclass
class Newcomer:
    """A browser that Todoist sends back with a code."""

    client: httpx.Client
    back: str

    def come_back(self) -> float:
        """Follow it back; return how long the answer took."""
        began = time.monotonic()
        answer = self.client.get(self.back)
        self.client.close()
        assert answer.status_code == httpx.codes.SEE_OTHER
        return time.monotonic() - began


def agreed(site: Served, account: str) -> Newcomer:
    """Sign a new person in and let them agree at Todoist, who have not come back from there."""
    cookies = {"oo_session": cookie_of(site, f"{secrets.token_hex(5)}@sandbox.test")}
    client = httpx.Client(base_url=site.url, cookies=cookies, timeout=30, trust_env=False)
    asked = client.get("/connect/todoist/start").headers["location"]
    answer = httpx.post(asked, data={"account": account, "answer": "agree"}, trust_env=False)
    return Newcomer(client, answer.headers["location"])
