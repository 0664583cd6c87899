"""A stand-in made of recordings: a folder with one JSON file for each request and its answer."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from oo_app.conformance.stand import ADDRESS, Stand
from oo_app.conformance.trial import MakeStand
from oo_app.kit.clock import Clock
from oo_app.kit.errors import Invalid
from oo_app.sources import Login

SET_UP = "stand.json"
VERBS = (
    "there",
    "add",
    "change",
    "complete",
    "remove",
    "forget_cursors",
    "expire",
    "revoke",
    "is_let_in",
    "deliveries",
)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "REPORT", "OPTIONS"]


def recorded(recordings: Path) -> MakeStand:
    """Return how to make a stand-in from a folder; Invalid tells what cannot be read there."""
    set_up = _read(recordings / SET_UP)
    files = sorted(file for file in recordings.glob("*.json") if file.name != SET_UP)
    if not files:
        msg = f"there are no recordings in {recordings}"
        raise Invalid(msg)
    exchanges = [_read(file) for file in files]
    return lambda clock, folder: _Recorded(clock, folder, set_up, exchanges)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{file.name}: {error}"
        raise Invalid(msg) from error


class _Recorded(Stand):
    """Answers a method and a path as recorded, the last answer again and again; it knows nothing else."""

    lacks: ClassVar = dict.fromkeys(VERBS, "recordings cannot be told anything")

    def __init__(
        self, clock: Clock, folder: Path, set_up: Mapping[str, Any], exchanges: Sequence[Mapping[str, Any]]
    ) -> None:
        super().__init__(clock, folder)
        self._set_up = set_up
        self._waiting: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for each in exchanges:
            key = (each["request"]["method"], each["request"]["path"])
            self._waiting.setdefault(key, []).append(each["response"])
        self.app = Router(routes=[Route("/{path:path}", self._answer, methods=METHODS)])

    @property
    def settings(self) -> Mapping[str, object]:
        return self._set_up.get("settings", {})

    @property
    def login(self) -> Login:
        return Login(**{"url": ADDRESS, **self._set_up.get("login", {})})

    async def _answer(self, request: Request) -> Response:
        answers = self._waiting.get((request.method, request.url.path), [])
        if not answers:
            return Response(f"not recorded: {request.method} {request.url.path}", 404)
        told = answers.pop(0) if len(answers) > 1 else answers[0]
        body = json.dumps(told["json"]) if "json" in told else told.get("body", "")
        media = "application/json" if "json" in told else None
        return Response(body, told.get("status", 200), headers=told.get("headers"), media_type=media)
