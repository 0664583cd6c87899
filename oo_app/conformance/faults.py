"""What can go wrong on the way, whatever the protocol: nothing comes, half of it, something else, or too much."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NoReturn, cast

import httpx

from oo_app.conformance.line import Fault, Pass, edited

UNKNOWN = {"a field of next year": {"x": [1, {"y": None}]}}
FOREIGN_XML = b'<x:unknown xmlns:x="urn:next-year">1</x:unknown>'
TOO_LARGE = 11 * 1024 * 1024
# A row is what a list of a JSON answer holds, an entry of a calendar file, or a response of WebDAV.
ROWS = (
    re.compile(rb"BEGIN:VEVENT\r?\n.*?END:VEVENT\r?\n", re.DOTALL),
    re.compile(rb"<(?:\w+:)?response\b(?!s).*?</(?:\w+:)?response>", re.DOTALL),
)
Edit = Callable[[bytes, str], bytes]


def answering(status: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer everything alike."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}

    async def fault(request: httpx.Request, passed: Pass) -> httpx.Response:
        return httpx.Response(status, headers=told, content=body)

    return fault


def raising(error: Callable[[str], httpx.TransportError], *, after: bool = False) -> Fault:
    """Break the connection, before the other side hears anything, or after it has answered."""

    async def fault(request: httpx.Request, passed: Pass) -> NoReturn:
        if after:
            await passed()
        msg = "planted"
        raise error(msg)

    return fault


async def hanging(request: httpx.Request, passed: Pass) -> NoReturn:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


def editing(edit: Edit) -> Fault:
    """Change the bodies of good answers."""

    async def fault(request: httpx.Request, passed: Pass) -> httpx.Response:
        answer = await passed()
        if not answer.is_success:
            return answer
        return edited(answer, edit(answer.content, answer.headers.get("content-type", "")))

    return fault


def at(place: int, fault: Fault) -> Fault:
    """Let the fault meet one request alone; the first is 0."""
    return _only(fault, lambda number: number == place)


def since(place: int, fault: Fault) -> Fault:
    """Let the fault meet a request, and all that come after it."""
    return _only(fault, lambda number: number >= place)


def _only(fault: Fault, chosen: Callable[[int], bool]) -> Fault:
    numbers = count()

    async def sometimes(request: httpx.Request, passed: Pass) -> httpx.Response:
        return await (fault(request, passed) if chosen(next(numbers)) else passed())

    return sometimes


def half(body: bytes, kind: str) -> bytes:
    """Tear a body in the middle."""
    return body[: len(body) // 2]


def swollen(body: bytes, kind: str) -> bytes:
    """Add white space beyond any limit."""
    return body + b" " * TOO_LARGE


def with_unknown(body: bytes, kind: str) -> bytes:
    """Add fields that nobody has heard of to each object, entry and property."""
    if "json" in kind:
        return _json(body, _plus_unknown)
    body = re.sub(rb"(BEGIN:V\w+\r?\n)", rb"\1X-NEXT-YEAR;A=B:1\r\n", body)
    return re.sub(rb"(?=</(?:\w+:)?(?:response|prop|multistatus)>)", FOREIGN_XML, body)


def doubled(body: bytes, kind: str) -> bytes:
    """Say each row twice."""
    return _rows(body, kind, lambda rows: [row for row in rows for _ in range(2)])


def turned_round(body: bytes, kind: str) -> bytes:
    """Say the rows in the opposite order."""
    return _rows(body, kind, lambda rows: list(reversed(rows)))


def odd(value: object) -> Edit:
    """Say one and the same in every field of a JSON answer."""

    def said(each: Any) -> Any:
        return each if isinstance(each, dict | list) else value  # pyright: ignore[reportUnknownVariableType]

    return lambda body, kind: _json(body, said) if "json" in kind else body


def replacing(marker: str, in_json: bytes, elsewhere: bytes) -> Edit:
    """Put raw bytes in the place of a word. XML stays: with such bytes it would be none, and that is `torn`."""

    def edit(body: bytes, kind: str) -> bytes:
        return body if "xml" in kind else body.replace(marker.encode(), in_json if "json" in kind else elsewhere)

    return edit


def _plus_unknown(value: Any) -> Any:
    return {**cast("dict[str, Any]", value), **UNKNOWN} if isinstance(value, dict) else value


def _rows(body: bytes, kind: str, edit: Callable[[list[Any]], list[Any]]) -> bytes:
    if "json" in kind:
        return _json(body, lambda each: edit(each) if _is_rows(each) else each)
    for pattern in ROWS:
        if found := pattern.findall(body):
            first, rest = pattern.search(body), pattern.sub(b"", body)
            assert first is not None  # noqa: S101 -- found just now
            return rest[: first.start()] + b"".join(edit(found)) + rest[first.start() :]
    return body


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in cast("Sequence[object]", value))


def _json(body: bytes, edit: Callable[[Any], Any]) -> bytes:
    def walk(value: Any) -> Any:
        match value:
            case dict():
                return edit({name: walk(each) for name, each in cast("dict[str, Any]", value).items()})
            case list():
                return edit([walk(each) for each in cast("list[Any]", value)])
            case _:
                return edit(value)

    try:
        return json.dumps(walk(json.loads(body))).encode()
    except ValueError:
        return body
