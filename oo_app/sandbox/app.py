"""Puts the sandbox together as one ASGI application, to be mounted at /sandbox on a development machine only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
from fastapi import FastAPI
from starlette.routing import Mount

from oo_app.kit.clock import Clock
from oo_app.sandbox import calendar_errors
from oo_app.sandbox.calendar import calendar_routes
from oo_app.sandbox.calendar_errors import CalendarRefused
from oo_app.sandbox.guard import LoopbackOnly, is_loopback_url
from oo_app.sandbox.oidc import OidcProvider
from oo_app.sandbox.oidc_request import Provider
from oo_app.sandbox.state_file import StateFile
from oo_app.sandbox.todoist import todoist_routes
from oo_app.sandbox.todoist_errors import TodoistRefused, refusal


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Where the app and the sandbox are reached, and where the sandbox keeps its file."""

    app_url: str
    own_url: str
    data_dir: Path


def build(options: SandboxOptions, clock: Clock, *, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """Return the sandbox; nothing is read or written before the first request. Webhooks leave by `transport`."""
    for url in (options.app_url, options.own_url):
        if not is_loopback_url(url):
            raise ValueError(f"The sandbox runs on a loopback address only, not at {url}.")
    file = StateFile(options.data_dir)
    app = FastAPI(title="Sandbox", openapi_url=None)
    google = OidcProvider(_provider(options, "google", "Google"), file, clock)
    apple = OidcProvider(_provider(options, "apple", "Apple"), file, clock)
    addresses = (options.app_url, options.own_url)
    calendar = calendar_routes(addresses, file, clock, grants=google.grants, transport=transport)
    app.router.routes.append(Mount("/google", routes=[*google.routes()]))
    app.router.routes.append(Mount("/apple", routes=[*apple.routes()]))
    app.router.routes.append(Mount("/calendar", routes=[*calendar]))
    app.router.routes.append(Mount("/todoist", routes=[*todoist_routes(options.app_url, file, clock, transport)]))
    app.add_exception_handler(TodoistRefused, refusal)
    app.add_exception_handler(CalendarRefused, calendar_errors.refusal)
    app.add_middleware(LoopbackOnly)
    return app


def _provider(options: SandboxOptions, name: Literal["google", "apple"], title: str) -> Provider:
    return Provider(
        name=name,
        title=title,
        issuer=f"{options.own_url}/sandbox/{name}",
        client_id=f"oo-sandbox-{name}",
        redirect_uri=f"{options.app_url}/auth/{name}/callback",
        app_url=options.app_url,
        connect_uri=f"{options.app_url}/connect/google_calendar/callback" if name == "google" else None,
    )
