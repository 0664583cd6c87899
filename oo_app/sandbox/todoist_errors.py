"""How the sandbox's Todoist says no: the error object of API v1."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class TodoistRefused(Exception):
    """A request that API v1 answers with its error object."""

    def __init__(self, status: int, error: str, *, code: int, tag: str, extra: dict[str, Any] | None = None) -> None:
        """Keep what the error object needs."""
        super().__init__(error)
        self.status = status
        self.error = error
        self.code = code
        self.tag = tag
        self.extra = extra or {}

    def as_json(self) -> dict[str, Any]:
        """Return the error object."""
        return {
            "error": self.error,
            "error_code": self.code,
            "error_tag": self.tag,
            "http_code": self.status,
            "error_extra": {"event_id": secrets.token_hex(16), **self.extra},
        }


def invalid_argument(argument: str, explanation: str) -> TodoistRefused:
    """Refuse one argument of the request."""
    extra = {"argument": argument, "explanation": explanation}
    return TodoistRefused(400, "Invalid argument value", code=20, tag="INVALID_ARGUMENT_VALUE", extra=extra)


def unauthorized() -> TodoistRefused:
    """Refuse a token that is missing, expired, revoked or made up."""
    return TodoistRefused(401, "Unauthorized", code=477, tag="UNAUTHORIZED")


def forbidden(scope: str) -> TodoistRefused:
    """Refuse a good token that lacks a scope."""
    return TodoistRefused(403, "Insufficient token scope", code=403, tag="FORBIDDEN", extra={"required_scope": scope})


def not_found(what: str) -> TodoistRefused:
    """Say that something is gone or was never there."""
    return TodoistRefused(404, f"{what} not found", code=478, tag="NOT_FOUND")


def too_many(retry_after: int) -> TodoistRefused:
    """Ask for patience."""
    return TodoistRefused(429, "Too many requests", code=35, tag="LIMITS_REACHED", extra={"retry_after": retry_after})


def temporary(status: int) -> TodoistRefused:
    """Fail as if the service were in trouble."""
    return TodoistRefused(status, "The sandbox was told to fail", code=0, tag="SANDBOX_FAULT")


async def refusal(_: Request, error: Exception) -> Response:
    """Answer with the error object; a limit also sends the Retry-After header."""
    if not isinstance(error, TodoistRefused):
        raise error
    headers = {"Retry-After": str(error.extra["retry_after"])} if error.status == 429 else None
    return JSONResponse(error.as_json(), error.status, headers)
