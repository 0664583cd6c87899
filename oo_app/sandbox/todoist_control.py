"""The knobs of the sandbox's Todoist that the real one does not have: faults, webhooks, revocation from the outside."""

from collections.abc import Callable, Sequence
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from oo_app.sandbox.faults import Fault, Faults, Settings, read_settings, whole
from oo_app.sandbox.todoist_errors import invalid_argument
from oo_app.sandbox.todoist_grants import Grant, Grants
from oo_app.sandbox.todoist_limits import failure
from oo_app.sandbox.todoist_store import Store
from oo_app.sandbox.todoist_webhooks import MODES, Mode, Webhooks


class TodoistControl:
    """What a test or a curious person may turn."""

    def __init__(self, store: Store, grants: Grants, faults: Faults, webhooks: Webhooks) -> None:
        """Control these."""
        self._store = store
        self._grants = grants
        self._faults = faults
        self._webhooks = webhooks

    def routes(self) -> Sequence[Route]:
        """Return the routes below /sandbox/todoist/control."""
        return (
            Route("/fault", self._fault, methods=["POST"]),
            Route("/revoke", self._revoke, methods=["POST"]),
            Route("/expire", self._expire, methods=["POST"]),
            Route("/webhooks", self._turn_webhooks, methods=["POST"]),
            Route("/webhooks/flush", self._flush_webhooks, methods=["POST"]),
            Route("/forget", self._forget, methods=["POST"]),
            Route("/reset", self._reset, methods=["POST"]),
        )

    async def _fault(self, request: Request) -> Response:
        asked = await _settings(request)
        status = whole(asked, "status", 0, invalid_argument)
        fault = Fault(
            path=str(asked.get("path") or "/api/v1"),
            delay_ms=whole(asked, "delay_ms", 0, invalid_argument),
            refusal=failure(status) if status else None,
        )
        self._faults.plan(fault, whole(asked, "count", 1, invalid_argument))
        return Response(status_code=204)

    async def _revoke(self, request: Request) -> Response:
        return JSONResponse({"revoked": self._grants.revoke_where(_belongs_to(await _settings(request)))})

    async def _expire(self, request: Request) -> Response:
        return JSONResponse({"expired": self._grants.expire_where(_belongs_to(await _settings(request)))})

    async def _turn_webhooks(self, request: Request) -> Response:
        asked = await _settings(request)
        mode = str(asked.get("mode", self._webhooks.mode))
        if mode not in MODES:
            raise invalid_argument("mode", f"Must be one of {', '.join(sorted(MODES))}")
        self._webhooks.mode = cast("Mode", mode)
        self._webhooks.is_enabled = bool(asked.get("enabled", self._webhooks.is_enabled))
        return JSONResponse({"enabled": self._webhooks.is_enabled, "mode": mode})

    async def _flush_webhooks(self, request: Request) -> Response:
        asked = await _settings(request)
        return JSONResponse({"sent": await self._webhooks.flush(is_reversed=asked.get("order") == "reversed")})

    async def _forget(self, _: Request) -> Response:
        self._store.forget_cursors()
        return Response(status_code=204)

    async def _reset(self, _: Request) -> Response:
        self._store.reset()
        self._faults.clear()
        return Response(status_code=204)


def _belongs_to(asked: Settings) -> Callable[[Grant], bool]:
    account = asked.get("account")
    return lambda grant: account is None or grant.account == account


async def _settings(request: Request) -> Settings:
    return await read_settings(request, invalid_argument)
