"""A process of its own that reads a connection, whose grant it has to renew first.

`python tests/connections/renewing.py CONNECTION MODE`: `killed` dies between the source's answer and our commit,
`later` lives half a minute later. It prints how often it asked for a new grant, and whether it could read.
"""

import asyncio
import os
import signal
import sys
from datetime import datetime, timedelta

import httpx

from oo_app import signals, wiring
from oo_app.kit.clock import Clock
from oo_app.kit.config import Settings
from oo_app.runtime import build


class Later(Clock):
    """The clock of somebody who comes half a minute later."""

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=31)


class Line(httpx.AsyncBaseTransport):
    """The line to the source: counts the renewals, and perhaps ends the process with the first one's answer."""

    def __init__(self, *, kills: bool) -> None:
        self.renewals = 0
        self._kills = kills
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if request.url.path.endswith("/access_token"):
            self.renewals += 1
            await response.aread()
            if self._kills:
                os.kill(os.getpid(), signal.SIGKILL)
        return response


async def main(connection_id: str, mode: str) -> None:
    line = Line(kills=mode == "killed")
    rt = build(Settings.load(), clock=Later() if mode == "later" else None, transport=line)
    await rt.start()
    wiring.bind(rt)
    has_read = await signals.sync(rt, connection_id)
    await rt.stop()
    sys.stdout.write(f"{line.renewals} {has_read}")


asyncio.run(main(*sys.argv[1:]))
