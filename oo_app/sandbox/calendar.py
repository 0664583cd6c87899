"""The sandbox's Google Calendar put together: API v3, channels, a feed of the same, a page and its knobs."""

from collections.abc import Sequence

import httpx
from starlette.routing import BaseRoute, Mount

from oo_app.kit.clock import Clock
from oo_app.sandbox.calendar_api import CalendarApi
from oo_app.sandbox.calendar_channels import Channels
from oo_app.sandbox.calendar_control import CalendarControl
from oo_app.sandbox.calendar_errors import CalendarFaults
from oo_app.sandbox.calendar_feed import CalendarFeed
from oo_app.sandbox.calendar_page import CalendarPage
from oo_app.sandbox.calendar_store import Store
from oo_app.sandbox.oidc_grants import Grants
from oo_app.sandbox.signing import Signer
from oo_app.sandbox.state_file import StateFile


def calendar_routes(
    addresses: tuple[str, str],
    file: StateFile,
    clock: Clock,
    *,
    grants: Grants,
    transport: httpx.AsyncBaseTransport | None,
) -> Sequence[BaseRoute]:
    """Return everything that lies below /sandbox/calendar; `grants` are those of the sandbox's Google."""
    store, faults, channels = Store(clock), CalendarFaults(clock), Channels(clock, transport)
    api = CalendarApi(clock, store, grants, Signer(file.secret), faults=faults, channels=channels)
    return (
        *CalendarPage(addresses, clock, store, channels).routes(),
        Mount("/v3", routes=[*api.routes()]),
        Mount("/control", routes=[*CalendarControl(store, grants, faults, channels).routes()]),
        *CalendarFeed(store).routes(),
    )
