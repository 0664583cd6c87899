"""A state as Reflex holds it for one tab: the whole tree, with the cookie the tab's socket came with."""

from typing import Any, TypeVar

from reflex.event import Event
from reflex.state import BaseState, State
from reflex.utils.format import json_dumps

from oo_app.runtime import Runtime
from state.base import SessionBinding
from tests.browser import Browser

S = TypeVar("S", bound=BaseState)


class Tab:
    """One tab of a browser: its states outlive the socket, as in Reflex."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        self.root = State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]

    async def open(self, browser: Browser | None = None, path: str = "/", **cookies: str) -> None:
        """Open a socket with the browser's cookies, on a page."""
        name = self.rt.settings.session_cookie
        if browser is not None and (value := browser.client.cookies.get(name)):
            cookies[name] = value
        header = "; ".join(f"{key}={value}" for key, value in cookies.items())
        data = {
            "headers": {"cookie": header, "origin": self.rt.settings.base_url},
            "pathname": path.partition("?")[0],
            "asPath": path,
        }
        self.root._update_router_vars(data, self.root.router_data)
        self.root.router_data = data
        await self.send("hydrate_and_load")

    async def send(self, name: str) -> None:
        """Let an event of the client pass by what stands before every event."""
        event = Event(name=f"state.{name}", router_data=self.root.router_data)
        await SessionBinding().preprocess(None, self.root, event)  # pyright: ignore[reportArgumentType]

    async def screen(self, kind: type[S]) -> S:
        """Return one screen's state."""
        return await self.root.get_state(kind)

    def leaving(self) -> str:
        """Return everything that a hydration would send."""
        return json_dumps(self.root.dict())


def said(events: Any) -> str:
    """Return the sentence of a notice, or the address of a redirect."""
    return next(str(value._var_value) for name, value in events.args if name._js_expr in {"value", "path"})
