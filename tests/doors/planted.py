"""Doors without a lock, planted beside the real ones: the attacks have to find them.

Only the process that is to be attacked imports this, since it changes the application.
"""

from typing import Any

import reflex as rx

from oo_app import accounts, serve
from oo_app.kit.config import Settings
from oo_app.runtime import current
from oo_app.web import system
from state.base import AppState
from tests.doors.stage import CHANGING_ROUTE, LEAKY_ROUTE


class PlantedState(AppState):
    """Handlers that do not ask who is calling."""

    email: str = ""

    @rx.event
    async def look_up(self, user_id: str):
        """Show anybody's address."""
        self.email = (await accounts.profile(current(), user_id)).email

    async def rest(self, user_id: str):
        """Change anybody's preferences; no decorator is needed to be called."""
        await accounts.choose(current(), user_id, allow_remote_ai=True)


@system.router.get(LEAKY_ROUTE)
async def leaky(user_id: str) -> dict[str, Any]:
    """Tell anybody's address."""
    return {"email": (await accounts.profile(current(), user_id)).email}


@system.router.post(CHANGING_ROUTE)
async def changing(user_id: str) -> dict[str, Any]:
    """Change anybody's preferences."""
    await accounts.choose(current(), user_id, paused=True)
    return {}


def main() -> None:
    """Serve the application with them."""
    serve.run(Settings.load())
