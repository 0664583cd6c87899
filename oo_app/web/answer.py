"""An answer on its way out: completed with headers, never a bare error, and known afterwards for what it was."""

from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope, Send

from oo_app.kit.errors import OoError
from oo_app.web.headers import AnswerHeaders
from oo_app.web.problems import MEDIA_TYPE, described, problem

KEPT = ("allow", "retry-after", "vary", "www-authenticate")


class Answer:
    """Stands between the application and the server for one request."""

    def __init__(self, scope: Scope, send: Send, headers: AnswerHeaders) -> None:
        """Wrap the server's `send`."""
        self.status: int = HTTPStatus.INTERNAL_SERVER_ERROR  # what it is when nothing is ever answered
        self.has_begun = False
        self._scope = scope
        self._request_id: str = scope["state"]["request_id"]
        self._send = send
        self._headers = headers
        self._is_replaced = False

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on; an error that no route of ours worded becomes problem+json."""
        if message["type"] != "http.response.start":
            if not self._is_replaced:
                await self._send(message)
            return
        self.status = message["status"]
        if not self._is_bare(message):
            await self._begin(message)
            return
        self._is_replaced = True
        told = Headers(raw=message["headers"])
        said = HTTPStatus(self.status).phrase
        kept = {name: told[name] for name in KEPT if name in told}
        response = described(self.status, said, said, self._request_id, headers=kept)
        await self._begin({"type": "http.response.start", "status": self.status, "headers": response.raw_headers})
        await self._send({"type": "http.response.body", "body": bytes(response.body)})

    async def fail(self) -> None:
        """Answer that something went wrong, unless an answer is under way."""
        if not self.has_begun:
            self.status = OoError.status
            await problem(OoError(), self._request_id)(self._scope, _nothing, self.send)

    async def _begin(self, message: Message) -> None:
        self.has_begun = True
        headers = MutableHeaders(scope=message)
        headers["X-Request-ID"] = self._request_id
        self._headers.complete(headers, self._scope, self.status)
        await self._send(message)

    def _is_bare(self, message: Message) -> bool:
        """Whether this is an error in a shape that is neither ours nor a page for somebody who reads pages."""
        if self.status < HTTPStatus.BAD_REQUEST or self._scope["state"]["is_sandbox"]:
            return False
        kind = Headers(raw=message["headers"]).get("content-type", "")
        return kind != MEDIA_TYPE and not (kind.startswith("text/html") and reads_pages(self._scope))


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def reads_pages(scope: Scope) -> bool:
    """Whether a browser asks for something to show; programs and scripts do not ask for HTML by name."""
    return "text/html" in Headers(scope=scope).get("accept", "")
