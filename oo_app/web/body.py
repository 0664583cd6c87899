"""How much a request may bring."""

from typing import cast

from starlette.types import Message, Receive, Scope

from oo_app.kit.errors import TooLarge

BODY_LIMIT = 64 * 1024
WEBHOOK_LIMIT = 1024 * 1024
BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})


async def limited(scope: Scope, receive: Receive) -> Receive:
    """Read the whole body within its limit, so that nobody behind has to think about it."""
    if scope["method"] in BODILESS or scope["state"]["is_sandbox"]:
        return receive
    limit = WEBHOOK_LIMIT if scope["path"].startswith("/webhooks/") else BODY_LIMIT
    body = bytearray()
    is_more = True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
        if len(body) > limit:
            msg = f"The body may have {limit} bytes at most"
            raise TooLarge(msg)
    replayed = [cast("Message", {"type": "http.request", "body": bytes(body), "more_body": False})]

    async def replay() -> Message:
        return replayed.pop() if replayed else await receive()

    return replay
