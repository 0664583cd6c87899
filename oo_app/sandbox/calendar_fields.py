"""Partial answers: `fields=a,items(b,c(d))` keeps what it names."""

import re
from collections.abc import Mapping
from typing import Any, cast

from oo_app.sandbox.calendar_errors import invalid

PARTS = re.compile(r"[A-Za-z]+|[(),]")

Wish = dict[str, "Wish | None"]


def picked(answer: Mapping[str, Any], fields: str) -> dict[str, Any]:
    """Return an answer with the fields that are asked for, or refuse a text that asks for none."""
    parts = PARTS.findall(fields)
    if "".join(parts) != fields:
        raise invalid(f"Invalid field selection {fields}")
    wish = _wish(parts)
    if parts or not wish:
        raise invalid(f"Invalid field selection {fields}")
    return _kept(answer, wish)


def _wish(parts: list[str]) -> Wish:
    """Take a list of names off the parts, up to the bracket that closes it."""
    wish: Wish = {}
    while parts and parts[0] != ")":
        name = parts.pop(0)
        if not name.isalpha():
            raise invalid("Invalid field selection")
        wish[name] = None
        if parts[:1] == ["("]:
            parts.pop(0)
            wish[name] = _wish(parts)
            if parts[:1] != [")"]:
                raise invalid("Invalid field selection")
            parts.pop(0)
        if parts[:1] == [","]:
            parts.pop(0)
    return wish


def _kept(value: Mapping[str, Any], wish: Wish) -> dict[str, Any]:
    return {name: _inside(value[name], inner) for name, inner in wish.items() if name in value}


def _inside(value: Any, wish: Wish | None) -> Any:
    if wish is None:
        return value
    if isinstance(value, list):
        return [_inside(each, wish) for each in cast("list[Any]", value)]
    return _kept(cast("Mapping[str, Any]", value), wish) if isinstance(value, dict) else value
