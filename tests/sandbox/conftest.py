import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from oo_app.kit.clock import FakeClock
from oo_app.sandbox import SandboxOptions, build

APP = "http://localhost:8000"
OWN = "http://127.0.0.1:8000"


@dataclass
class Inbox(httpx.AsyncBaseTransport):
    """Stands where the app's webhook address is: keeps what arrives, answers with `status`."""

    status: int = 200
    requests: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        return httpx.Response(self.status)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 23, 9, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state file with all keys in it: making RSA keys takes longer than all tests."""
    folder = tmp_path_factory.mktemp("sandbox")
    options = SandboxOptions(APP, OWN, folder)
    from oo_app.sandbox.oidc_keys import SigningKeys  # noqa: PLC0415  (only this fixture looks inside)
    from oo_app.sandbox.state_file import StateFile  # noqa: PLC0415

    for provider in ("google", "apple"):
        SigningKeys(StateFile(options.data_dir), provider).active()
    return folder / "sandbox.json"


@pytest.fixture
def data_dir(made_once: Path, tmp_path: Path) -> Path:
    shutil.copy(made_once, tmp_path / "sandbox.json")
    return tmp_path


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def mounted(data_dir: Path, clock: FakeClock, inbox: Inbox | None = None) -> Starlette:
    sandbox = build(SandboxOptions(APP, OWN, data_dir), clock, transport=inbox)
    return Starlette(routes=[Mount("/sandbox", sandbox)])


def client_of(app: Starlette, base_url: str = OWN) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url)


@pytest.fixture
async def http(data_dir: Path, clock: FakeClock, inbox: Inbox) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(mounted(data_dir, clock, inbox)) as client:
        yield client
