"""The outside of every test: a migrated database copied per test, a fake clock, the sandbox as the outside world."""

import asyncio
import gc
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from oo_app import sandbox, web, wiring
from oo_app.kit import log, sqlite
from oo_app.kit.clock import Clock, FakeClock
from oo_app.kit.config import Settings
from oo_app.runtime import Runtime, build, use
from oo_app.serve import migrate
from tests.browser import Browser
from tests.commands import run  # noqa: F401 -- a fixture of all tests

# How long an example takes is the machine's business: with another program beside it, any may take long once.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday morning
KEY = "0123456789abcdef0123456789abcdef"


@cache
def settings_in(folder: Path, **changes: object) -> Settings:
    """Return development settings that write below a folder only."""
    base = Settings.model_validate(
        {
            "oo_data_dir": folder,
            "oo_secret_keys": KEY,
            "oo_encryption_keys": KEY[::-1],
            "oo_rate_factor": 1000,  # the clock stands still, so no bucket would fill again
            **changes,
        }
    )
    return base.with_stand_ins(sandbox.apple_private_key(folder))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate one database; every test copies it."""
    log.configure(as_json=False)
    gc.collect()
    gc.freeze()  # what is imported stays; going through it again and again took a third of the suite's time
    gc.set_threshold(20_000)
    folder = tmp_path_factory.mktemp("migrated")
    settings = settings_in(folder)
    migrate(settings)
    asyncio.run(_with_signing_keys(settings))
    return folder


async def _with_signing_keys(settings: Settings) -> None:
    """Have the sandbox make its keys, which takes a quarter of a second each time it must."""
    options = sandbox.SandboxOptions(settings.base_url, settings.sandbox_url, settings.oo_data_dir)
    stand_in = httpx.ASGITransport(sandbox.build(options, FakeClock(START)))
    async with httpx.AsyncClient(transport=stand_in, base_url=settings.sandbox_url) as client:
        for provider in ("google", "apple"):
            (await client.get(f"/{provider}/keys")).raise_for_status()


@pytest.fixture(scope="session", autouse=True)
def _compile_once() -> Generator[None]:
    """Let all engines of one kind share what they compiled; each test's own would compile every statement anew."""
    first: dict[str, Engine] = {}

    def sharing(url: str, **options: Any) -> AsyncEngine:
        engine = create_async_engine(url, **options)
        known = first.setdefault(str(sorted(options)), engine.sync_engine)
        engine.sync_engine.dialect = engine.sync_engine.pool._dialect = known.dialect
        engine.sync_engine._compiled_cache = known._compiled_cache
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "create_async_engine", sharing)
        yield


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still on a Monday morning."""
    return FakeClock(START)


class Faults:
    """The world between us and the sandbox: set `fault` to answer or raise in its stead."""

    fault: Callable[[httpx.Request], httpx.Response | None] | None = None


def streamed(answer: httpx.Response) -> httpx.Response:
    """Return an answer that is still to be read, as from a socket."""
    return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))


class Outside(httpx.AsyncBaseTransport):
    """Leads our own calls to the sandbox application; no socket is opened."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.app: FastAPI | None = None
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer by fault, or by the sandbox."""
        self.requests.append(request)
        if self.faults.fault and (answer := self.faults.fault(request)):
            return streamed(answer)
        if self.app is None:
            msg = "no world outside"
            raise httpx.ConnectError(msg)
        return await httpx.ASGITransport(self.app).handle_async_request(request)


@pytest.fixture
def faults() -> Faults:
    """What goes wrong outside."""
    return Faults()


@asynccontextmanager
async def running(folder: Path, settings: Settings, clock: Clock, faults: Faults) -> AsyncGenerator[Runtime]:
    """Run a whole runtime on a folder, its outside world the sandbox; nothing runs by itself."""
    outside = Outside(faults)
    runtime = build(settings, clock=clock, transport=outside)
    outside.app = FastAPI()
    options = sandbox.SandboxOptions(settings.base_url, settings.sandbox_url, folder)
    outside.app.mount("/sandbox", sandbox.build(options, clock))
    use(runtime)
    await runtime.start()
    wiring.bind(runtime)
    yield runtime
    await runtime.jobs.settle()
    await runtime.stop()


def transport(rt: Runtime) -> httpx.ASGITransport:
    """Return the application as a transport: routes, guard and sandbox, without the pages."""
    outside = rt.http.transport
    assert isinstance(outside, Outside)
    assert outside.app is not None
    routes = web.build()
    routes.mount("/", outside.app)
    return httpx.ASGITransport(web.guard(rt)(routes))


@pytest.fixture(scope="session")
def settled(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> tuple[Path, httpx.Cookies]:
    """Sign Ada in and connect her once, all the way; tests that begin there copy what that left behind."""
    folder = tmp_path_factory.mktemp("settled")
    _copy(migrated, folder)
    settings = settings_in(migrated).model_copy(update={"oo_data_dir": folder})

    async def sign_in_and_connect() -> httpx.Cookies:
        async with running(folder, settings, FakeClock(START), Faults()) as rt, Browser(rt, transport(rt)) as browser:
            await browser.sign_in("ada@sandbox.test")
            await browser.connect_todoist()
            await rt.db.truncate_wal()
            return browser.client.cookies

    return folder, asyncio.run(sign_in_and_connect())


def _copy(folder: Path, to: Path) -> None:
    for file in folder.iterdir():
        shutil.copy(file, to / file.name)


@pytest.fixture
async def rt(
    request: pytest.FixtureRequest, tmp_path: Path, migrated: Path, clock: FakeClock, faults: Faults
) -> AsyncIterator[Runtime]:
    """A whole runtime on a database of the test's own: fresh, or as Ada's first minutes left it."""
    begins_settled = "settled" in request.fixturenames
    _copy(request.getfixturevalue("settled")[0] if begins_settled else migrated, tmp_path)
    settings = settings_in(migrated).model_copy(update={"oo_data_dir": tmp_path})
    async with running(tmp_path, settings, clock, faults) as runtime:
        yield runtime


@pytest.fixture
def app(rt: Runtime) -> httpx.ASGITransport:
    """The application as a transport: routes, guard and sandbox, without the pages."""
    return transport(rt)


@pytest.fixture
async def browser(rt: Runtime, app: httpx.ASGITransport) -> AsyncIterator[Browser]:
    """A browser of a new person."""
    async with Browser(rt, app) as new:
        yield new


@pytest.fixture
def ada(browser: Browser, settled: tuple[Path, httpx.Cookies]) -> Browser:
    """Ada, signed in with Google and connected to Todoist, her tasks read.

    The sandbox has started again since, so the next reading takes everything.
    """
    browser.client.cookies = httpx.Cookies(settled[1])
    return browser
