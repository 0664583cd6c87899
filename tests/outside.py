"""Turning the outside world: settings, the sandbox's knobs, answers held back; what left for it, what lies on disk."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from oo_app import sandbox, web, wiring
from oo_app.kit.crypto import Vault
from oo_app.kit.http import Http
from oo_app.runtime import Runtime, build, use
from tests.browser import Browser
from tests.conftest import Outside


def with_settings(rt: Runtime, **changes: object) -> Runtime:
    """Return the same runtime under other settings, and put it to use."""
    changed = replace(rt, settings=rt.settings.model_copy(update=changes))
    wiring.bind(changed)
    use(changed)
    return changed


@asynccontextmanager
async def rekeyed(rt: Runtime, secret_keys: str) -> AsyncGenerator[Runtime]:
    """Run with other secret keys, as after a restart, until the block ends."""
    settings = rt.settings.model_copy(update={"oo_secret_keys": SecretStr(secret_keys)})
    vault = Vault(settings)
    await vault.start()
    yield replace(rt, settings=settings, vault=vault)
    await vault.stop()


@asynccontextmanager
async def on_files_of(rt: Runtime, folder: Path, **changes: object) -> AsyncGenerator[Runtime]:
    """Run on a folder's database and keys, as after a restart there, before anything is healed."""
    settings = rt.settings.model_copy(update={"oo_data_dir": folder, **changes})
    later = build(settings, clock=rt.clock, transport=rt.http.transport)
    await later.start()
    wiring.bind(later)
    try:
        yield later
    finally:
        await later.jobs.settle()
        await later.stop()


async def snapshot(rt: Runtime, folder: Path) -> Path:
    """Copy database and keys to another folder."""
    await rt.db.truncate_wal()
    folder.mkdir()
    for file in rt.settings.oo_data_dir.glob("*.db"):
        shutil.copy(file, folder / file.name)
    return folder


def moved(rt: Runtime, base_url: str) -> tuple[Runtime, httpx.ASGITransport]:
    """Return the runtime and the application at another address, the sandbox knowing it."""
    changed = with_settings(rt, oo_base_url=base_url)
    world = outside(rt)
    world.app = FastAPI()
    options = sandbox.SandboxOptions(base_url, changed.settings.sandbox_url, changed.settings.oo_data_dir)
    world.app.mount("/sandbox", sandbox.build(options, rt.clock))
    routes = web.build()
    routes.mount("/", world.app)
    return changed, httpx.ASGITransport(web.guard(changed)(routes))


def outside(rt: Runtime) -> Outside:
    """Return the transport by which our own calls leave."""
    transport = rt.http.transport
    assert isinstance(transport, Outside)
    return transport


def sent(rt: Runtime, path: str) -> list[httpx.Request]:
    """Return our own calls whose path contains a text."""
    return [request for request in outside(rt).requests if path in request.url.path]


async def turn(browser: Browser, knob: str, **settings: Any) -> None:
    """Turn one of the knobs of the sandbox's Todoist."""
    url = browser.rt.settings.todoist_api_url.replace("/api/v1", f"/control/{knob}")
    (await browser.client.post(url, json=settings)).raise_for_status()


class Gate(httpx.AsyncBaseTransport):
    """Holds back the answers to chosen calls until it is opened; the others pass."""

    def __init__(self, inner: httpx.AsyncBaseTransport, holds: Callable[[httpx.Request], bool]) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self._inner = inner
        self._holds = holds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if self._holds(request):
            self.reached.set()
            await self.opened.wait()
        return response


def behind_gate(rt: Runtime, holds: Callable[[httpx.Request], bool]) -> tuple[Runtime, Gate]:
    """Return the runtime with a gate before the outside world, and put it to use."""
    gate = Gate(outside(rt), holds)
    changed = replace(rt, http=Http(rt.clock, gate))
    wiring.bind(changed)
    use(changed)
    return changed, gate


def lies_readable(folder: Path, text: str) -> list[str]:
    """Name the database files, write-ahead logs included, that hold a text in plain."""
    files = [file for file in folder.iterdir() if ".db" in file.name]
    assert files
    return [file.name for file in files if text.encode() in file.read_bytes()]
