"""Pages of API v1: an opaque cursor that belongs to one account, one call and its parameters."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from oo_app.sandbox.signing import Signer
from oo_app.sandbox.todoist_errors import TodoistRefused, invalid_argument
from oo_app.sandbox.todoist_store import Account

DEFAULT_LIMIT = 50

Row = tuple[str, dict[str, Any]]


class Pager:
    """Cuts lists into pages. A cursor names the last row seen, so rows that vanish meanwhile hide no others."""

    def __init__(self, signer: Signer) -> None:
        """Seal cursors with this."""
        self._signer = signer

    def page(
        self, request: Request, account: Account, rows: Sequence[Row], *, field: str = "results", most: int = 200
    ) -> dict[str, Any]:
        """Return one page of rows, which come sorted by the key that stands before each."""
        limit = read_limit(request, most)
        after = self._after(request, account)
        left = [row for row in rows if row[0] > after]
        cursor = self._cursor(request, account, left[limit - 1][0]) if len(left) > limit else None
        return {field: [row for _, row in left[:limit]], "next_cursor": cursor}

    def _after(self, request: Request, account: Account) -> str:
        cursor = request.query_params.get("cursor")
        if cursor is None:
            return ""
        content = self._signer.open("todoist cursor", cursor)
        if content is None or content["for"] != _purpose(request, account):
            raise invalid_argument("cursor", "Cursor is invalid")
        return content["after"]

    def _cursor(self, request: Request, account: Account, after: str) -> str:
        return self._signer.seal("todoist cursor", {"for": _purpose(request, account), "after": after})


def read_limit(request: Request, most: int) -> int:
    """Return how many rows were asked for."""
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise _bad_limit(most)
    return int(text)


def _bad_limit(most: int) -> TodoistRefused:
    refused = invalid_argument("limit", f"Input should be 1 to {most}")
    refused.extra["expected"] = f"an integer from 1 to {most}"
    return refused


def _purpose(request: Request, account: Account) -> str:
    asked = sorted((name, value) for name, value in request.query_params.items() if name not in {"cursor", "limit"})
    return f"{account.user.id} {request.url.path} {asked}"
