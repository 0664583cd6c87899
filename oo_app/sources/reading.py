"""Reading what foreign servers send, forgiving about everything: one odd field costs nothing but itself."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from oo_app.kit.answer import Answer
from oo_app.kit.errors import SourceDown
from oo_app.sources.facts import is_tellable

MOST_COUNTED = 2**31 - 1


def mapping(value: object) -> Mapping[str, Any]:
    """Read an object; anything else is an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def body(answer: Answer) -> Mapping[str, Any]:
    """Read the object that an answer is; SourceDown when it is none, or was refused."""
    data = answer.json()
    if answer.status != HTTPStatus.OK or not isinstance(data, dict):
        raise SourceDown(None, status=answer.status)
    return cast("Mapping[str, Any]", data)


def array(value: object) -> list[Any]:
    """Read a list; anything else is an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def text(value: object) -> str:
    """Read a text; half a surrogate pair, which JSON may hold and nothing can store, becomes a question mark."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def whole(value: object, default: int) -> int:
    """Read a whole number."""
    return value if isinstance(value, int) else default


def day(value: object) -> date | None:
    """Read a day, also from the beginning of a longer text; None when there is none that every zone can tell."""
    try:
        found = date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and is_tellable(found) else None


def moment(value: object) -> datetime | None:
    """Read an RFC 3339 time with its offset, as UTC; None when there is none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        found = found.astimezone(UTC) if found and found.tzinfo else None
    except (ValueError, OverflowError):  # the latter at the ends of the calendar
        return None
    return found if found is not None and is_tellable(found) else None


def zone_of(name: object, otherwise: ZoneInfo) -> ZoneInfo:
    """Read a time zone; a name that nobody knows is another."""
    with suppress(ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(text(name)) if text(name) else otherwise
    return otherwise


def count(value: object) -> int | None:
    """Read a number of times; None where it is none that can be stored."""
    return value if isinstance(value, int) and 0 <= value <= MOST_COUNTED else None
