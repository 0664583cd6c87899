"""The sandbox's Todoist put together: OAuth, API v1, sync, webhooks, a page and its knobs."""

from collections.abc import Sequence

import httpx
from starlette.routing import BaseRoute, Mount, Route

from oo_app.kit.clock import Clock
from oo_app.sandbox.faults import Faults
from oo_app.sandbox.signing import Signer
from oo_app.sandbox.state_file import StateFile
from oo_app.sandbox.todoist_auth import TodoistAuth
from oo_app.sandbox.todoist_control import TodoistControl
from oo_app.sandbox.todoist_door import Door
from oo_app.sandbox.todoist_grants import Grants
from oo_app.sandbox.todoist_limits import Limits
from oo_app.sandbox.todoist_page import TodoistPage
from oo_app.sandbox.todoist_paging import Pager
from oo_app.sandbox.todoist_rest import TodoistRest
from oo_app.sandbox.todoist_store import Store
from oo_app.sandbox.todoist_sync import TodoistSync
from oo_app.sandbox.todoist_webhooks import Webhooks


def todoist_routes(
    app_url: str, file: StateFile, clock: Clock, transport: httpx.AsyncBaseTransport | None
) -> Sequence[BaseRoute]:
    """Return everything that lies below /sandbox/todoist."""
    store, grants, faults = Store(clock), Grants(file, clock), Faults(clock)
    webhooks = Webhooks(f"{app_url}/webhooks/todoist", grants, clock, transport)
    door = Door(store, grants, limits=Limits(clock), faults=faults, webhooks=webhooks)
    signer = Signer(file.secret)
    sync = Route("/sync", door.sync(TodoistSync(door, signer).sync), methods=["POST"])
    return (
        *TodoistPage(app_url, door).routes(),
        *TodoistAuth(app_url, grants, faults).routes(),
        Mount("/api/v1", routes=[*TodoistRest(door, Pager(signer)).routes(), sync]),
        Mount("/control", routes=[*TodoistControl(store, grants, faults, webhooks).routes()]),
    )
