"""Whatever is sent to the API over a real socket, it never answers 5xx, and it answers as it describes itself."""

import asyncio
import shutil
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from oo_app import sandbox, web, wiring
from oo_app.runtime import Runtime, build, use
from tests.browser import Browser
from tests.conftest import settings_in
from tests.served import free_port

pytestmark = pytest.mark.server

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
UNREADABLE = "Invalid HTTP request received."  # the server's own 400, as to an address of more than 64 KiB
# Each ends the session it is called with, so each call gets a session of its own.
ENDS_THE_SESSION = {("DELETE", "/api/v1/me"), ("POST", "/auth/signout")}

schema = schemathesis.openapi.from_dict(web.build().openapi())
schema.config.generation.with_security_parameters = False  # made-up tokens and cookies would end most calls at the door


@dataclass(frozen=True)
class Served:
    """The application on a real port, and the cookies of somebody signed in there."""

    rt: Runtime
    url: str
    cookies: dict[str, str]

    def sign_in(self, *, is_connected: bool) -> dict[str, str]:
        """Sign somebody in at the sandbox; return the cookies."""
        return asyncio.run(self._sign_in(is_connected=is_connected))

    def open_tip(self) -> str:
        """Return the impression that is open for the somebody signed in, while there is any."""
        body, headers = {"surface": "web"}, {"Origin": self.url}
        url = f"{self.url}/api/v1/recommend"
        answer = httpx.post(url, json=body, headers=headers, cookies=self.cookies, trust_env=False).json()
        return answer["tip"]["impression_id"] if answer["tip"] else "nothing-left"

    async def _sign_in(self, *, is_connected: bool) -> dict[str, str]:
        async with Browser(self.rt, httpx.AsyncHTTPTransport()) as browser:
            await browser.sign_in(f"{uuid4()}@sandbox.test")
            if is_connected:
                await browser.open("/connect/todoist/start")
                await browser.press("Agree")
            return dict(browser.client.cookies)


def assembled(rt: Runtime) -> FastAPI:
    """Return the routes with the sandbox beside them."""
    routes = web.build()
    options = sandbox.SandboxOptions(rt.settings.base_url, rt.settings.sandbox_url, rt.settings.oo_data_dir)
    routes.mount("/sandbox", sandbox.build(options, rt.clock))
    return routes


@pytest.fixture(scope="module")
def served(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Serve the application in a thread until the last test is done."""
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copytree(migrated, folder, dirs_exist_ok=True)
    rt = build(settings_in(folder, port=free_port()), transport=httpx.AsyncHTTPTransport())
    use(rt)
    app = web.guard(rt)(assembled(rt))
    config = uvicorn.Config(app, port=rt.settings.port, http="httptools", log_level="error", lifespan="off")
    server = uvicorn.Server(config)

    async def serve() -> None:
        async with wiring.running(rt):
            await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="oo-fuzz")
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.05)
    somebody = Served(rt, rt.settings.base_url, {})
    yield Served(rt, rt.settings.base_url, somebody.sign_in(is_connected=True))
    server.should_exit = True
    thread.join()


@schema.parametrize()
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_no_request_is_answered_5xx(case: schemathesis.Case, served: Served):
    is_last = (case.method, case.path) in ENDS_THE_SESSION
    cookies = served.sign_in(is_connected=False) if is_last else served.cookies

    if case.path.endswith("/feedback") and isinstance(case.body, dict) and "impression_id" in case.body:
        case.body["impression_id"] = served.open_tip()

    response = case.call(base_url=served.url, cookies=cookies, headers={"Origin": served.url}, allow_redirects=False)

    if response.text != UNREADABLE:
        case.validate_response(response, checks=CHECKS)


def test_the_description_that_was_tested_is_the_one_served(served: Served):
    response = httpx.get(f"{served.url}/api/openapi.json", trust_env=False)

    assert response.json() == web.build().openapi()


def test_after_all_of_this_the_session_still_works(served: Served):
    response = httpx.get(f"{served.url}/api/v1/me", cookies=served.cookies, trust_env=False)

    assert response.status_code == 200
