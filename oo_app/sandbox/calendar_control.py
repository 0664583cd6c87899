"""The knobs of the sandbox's calendar that the real one does not have: faults, channels, rights, revocation."""

from collections.abc import Sequence
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from oo_app.sandbox.calendar_channels import MODES, Channels, Mode
from oo_app.sandbox.calendar_errors import DEFAULT_REASONS, CalendarFaults, CalendarRefused, invalid
from oo_app.sandbox.calendar_store import Store
from oo_app.sandbox.faults import Fault, Settings, read_settings, whole
from oo_app.sandbox.oidc_grants import Grants
from oo_app.sandbox.oidc_tokens import Person


class CalendarControl:
    """What a test or a curious person may turn."""

    def __init__(self, store: Store, grants: Grants, faults: CalendarFaults, channels: Channels) -> None:
        """Control these."""
        self._store = store
        self._grants = grants
        self._faults = faults
        self._channels = channels

    def routes(self) -> Sequence[Route]:
        """Return the routes below /sandbox/calendar/control."""
        return (
            Route("/fault", self._fault, methods=["POST"]),
            Route("/empty-page", self._empty_page, methods=["POST"]),
            Route("/rights", self._rights, methods=["POST"]),
            Route("/revoke", self._revoke, methods=["POST"]),
            Route("/channels", self._turn_channels, methods=["POST"]),
            Route("/reset", self._reset, methods=["POST"]),
        )

    async def _fault(self, request: Request) -> Response:
        asked = await _settings(request)
        status = _whole(asked, "status", 0)
        reason = str(asked.get("reason") or DEFAULT_REASONS.get(status, "backendError"))
        pause = _whole(asked, "retry_after", 0) or None
        refusal = CalendarRefused(status, reason, "The sandbox was told to refuse", retry_after=pause)
        fault = Fault(
            path=str(asked.get("path") or "/calendar/v3"),
            delay_ms=_whole(asked, "delay_ms", 0),
            refusal=refusal if status else None,
        )
        self._faults.plan(fault, _whole(asked, "count", 1))
        return Response(status_code=204)

    async def _empty_page(self, request: Request) -> Response:
        self._faults.empty_pages += _whole(await _settings(request), "count", 1)
        return Response(status_code=204)

    async def _rights(self, request: Request) -> Response:
        """Let the reader see no titles, or see them again."""
        asked = await _settings(request)
        account = self._store.account(str(asked.get("account", "ada")))
        account.is_free_busy_only = asked.get("role") == "freeBusyReader"
        return Response(status_code=204)

    async def _revoke(self, request: Request) -> Response:
        """End what an account's owner allowed, as on Google's own page of permissions."""
        account = self._store.account(str((await _settings(request)).get("account", "ada")))
        self._grants.revoke(Person(account.email))
        return Response(status_code=204)

    async def _turn_channels(self, request: Request) -> Response:
        mode = str((await _settings(request)).get("mode", self._channels.mode))
        if mode not in MODES:
            raise invalid(f"mode is one of {', '.join(sorted(MODES))}")
        self._channels.mode = cast("Mode", mode)
        open_now = [{"id": each.id, "account": each.account, "sent": each.sent} for each in self._channels.living()]
        return JSONResponse({"mode": mode, "open": open_now})

    async def _reset(self, _: Request) -> Response:
        self._store.reset()
        self._faults.clear()
        self._channels.mode = "good"
        return Response(status_code=204)


def _refuse(name: str, said: str) -> CalendarRefused:
    return invalid(f"{name} {said}")


def _whole(asked: Settings, name: str, otherwise: int) -> int:
    return whole(asked, name, otherwise, _refuse)


async def _settings(request: Request) -> Settings:
    return await read_settings(request, _refuse)
