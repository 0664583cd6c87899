"""How the sandbox's calendar says no: Google's error object; and faults that a test asks for."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from oo_app.kit.clock import Clock
from oo_app.sandbox.faults import Faults

DEFAULT_REASONS = {
    400: "badRequest",
    401: "authError",
    403: "rateLimitExceeded",
    404: "notFound",
    410: "fullSyncRequired",
    429: "rateLimitExceeded",
}


class CalendarRefused(Exception):
    """A request that API v3 answers with its error object."""

    def __init__(self, status: int, reason: str, message: str, *, retry_after: int | None = None) -> None:
        """Keep what the error object needs."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


def invalid(message: str) -> CalendarRefused:
    """Refuse a parameter."""
    return CalendarRefused(400, "badRequest", message)


def unauthorized() -> CalendarRefused:
    """Refuse a token that is missing, over, revoked or made up."""
    return CalendarRefused(401, "authError", "Invalid Credentials")


def insufficient() -> CalendarRefused:
    """Refuse a good token that lacks the scope."""
    return CalendarRefused(403, "insufficientPermissions", "Request had insufficient authentication scopes.")


def not_found() -> CalendarRefused:
    """Say that something is not there."""
    return CalendarRefused(404, "notFound", "Not Found")


def full_sync_required() -> CalendarRefused:
    """Refuse a sync token that is no longer known."""
    return CalendarRefused(410, "fullSyncRequired", "Sync token is no longer valid, a full sync is required.")


async def refusal(_: Request, error: Exception) -> Response:
    """Answer with the error object."""
    if not isinstance(error, CalendarRefused):
        raise error
    told = {"domain": "global", "reason": error.reason, "message": error.message}
    headers = None if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    body = {"error": {"code": error.status, "message": error.message, "errors": [told]}}
    return JSONResponse(body, error.status, headers)


class CalendarFaults(Faults):
    """The faults still to be met; and pages to come empty."""

    def __init__(self, clock: Clock) -> None:
        """Start without any."""
        super().__init__(clock)
        self.empty_pages = 0

    def clear(self) -> None:
        """Forget what was planned."""
        super().clear()
        self.empty_pages = 0

    def takes_empty_page(self) -> bool:
        """Whether the next page is to come empty, with a token for the one behind it."""
        if not self.empty_pages:
            return False
        self.empty_pages -= 1
        return True
