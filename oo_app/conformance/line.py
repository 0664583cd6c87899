"""The line between a source and its stand-in, on which everything can go wrong that knows nothing of a protocol."""

from collections.abc import Awaitable, Callable

import httpx
from starlette.types import ASGIApp

Pass = Callable[[], Awaitable[httpx.Response]]
Fault = Callable[[httpx.Request, Pass], Awaitable[httpx.Response]]


class Line(httpx.AsyncBaseTransport):
    """Leads the application's calls to a stand-in within the process, through a fault where there is one."""

    def __init__(self, app: ASGIApp) -> None:
        """Lead to an application; all is well at first."""
        self._inner = httpx.ASGITransport(app)
        self.fault: Fault | None = None
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the other side, and the line, will have it."""
        self.asked.append(request)

        async def passed() -> httpx.Response:
            answer = await self._inner.handle_async_request(request)
            return edited(answer, await answer.aread())

        answer = await (self.fault(request, passed) if self.fault else passed())
        # An answer that was read is streamed anew, as from a socket.
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))


def edited(answer: httpx.Response, body: bytes) -> httpx.Response:
    """Return the answer with another body."""
    kept = [(name, value) for name, value in answer.headers.multi_items() if name != "content-length"]
    return httpx.Response(answer.status_code, headers=kept, content=body)
