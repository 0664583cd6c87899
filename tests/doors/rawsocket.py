"""A tab without a browser: Reflex's events spoken raw over a websocket, so that anything can be sent."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

from tests.served import Served

ROOT = "reflex___state____state"
HYDRATE = f"{ROOT}.hydrate"
HYDRATE_AND_LOAD = f"{ROOT}.hydrate_and_load"
TIP = f"{ROOT}.state___base____app_state.state___tip____tip_state"
ANSWERS_WITHIN_S = 30
NAMESPACE = "/_event"


class Tab:
    """One socket, and everything that came by it."""

    def __init__(self, connection: ClientConnection) -> None:
        self.said: list[str] = []
        self.heard: list[str] = []
        self.is_over = False
        self.connection = connection
        self._numbers = count(1)
        self._news = asyncio.Event()

    async def listen(self) -> None:
        """Note what comes, and stay alive as the protocol asks."""
        with suppress(ConnectionClosed):
            async for message in self.connection:
                if message == "2":
                    await self.connection.send("3")
                self.heard.append(str(message))
                self._news.set()
        self.is_over = True
        self._news.set()

    async def send(self, name: str, payload: object = None, *, page: str = "/tip") -> None:
        """Send one event."""
        await self.emit("event", event(name, payload, page=page))

    async def emit(self, kind: str, *data: object) -> None:
        """Send one packet of socket.io to Reflex's namespace."""
        packet = f"42{NAMESPACE},{json.dumps([kind, *data])}"
        self.said.append(packet)
        await self.connection.send(packet)

    async def settled(self) -> str:
        """Wait until all that was sent has been dealt with; return everything heard so far.

        A tab's events are dealt with in order, so an answered hydration that names a number of ours ends the wait.
        """
        mark = f"settled={next(self._numbers)}."
        await self.send(HYDRATE, {}, page=f"/?{mark}")
        await self.until(mark)
        return self.text

    async def until(self, text: str) -> None:
        """Wait for something to be heard."""
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            while not any(text in message for message in self.heard):
                if self.is_over:
                    raise ConnectionClosedOK(None, None)
                self._news.clear()
                await self._news.wait()

    @property
    def text(self) -> str:
        """Everything heard so far."""
        return "\n".join(self.heard)


def event(name: str, payload: object = None, *, page: str = "/tip") -> dict[str, Any]:
    """Return an event as Reflex's own client writes it."""
    router = {"pathname": page.partition("?")[0], "asPath": page, "query": {}}
    return {"name": name, "payload": {} if payload is None else payload, "router_data": router}


@asynccontextmanager
async def tab(
    site: Served,
    cookie: str | None = None,
    *,
    token: str | None = None,
    origin: str | None = None,
    has_origin: bool = True,
    boot: dict[str, Any] | None = None,
) -> AsyncGenerator[Tab]:
    """Open a socket with a session's cookie; `token` names the tab, `boot` is an event sent with the opening."""
    address = f"{site.url.replace('http', 'ws')}/_event/?EIO=4&transport=websocket&token={token or uuid4()}"
    headers = {"Cookie": f"oo_session={cookie}"} if cookie else {}
    headers |= {"Origin": origin or site.url} if has_origin else {}
    async with connect(address, additional_headers=headers, proxy=None) as connection:
        opened = Tab(connection)
        listening = asyncio.create_task(opened.listen())
        await connection.send(f"40{NAMESPACE},{json.dumps({'event': boot}) if boot else ''}")
        await opened.until(f"40{NAMESPACE}")
        try:
            yield opened
        finally:
            await connection.close()
            await listening
