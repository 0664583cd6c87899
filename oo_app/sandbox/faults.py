"""Faults that a test asks a stand-in for: the next calls are kept waiting, refused, or both."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request

from oo_app.kit.clock import Clock

Settings = Mapping[str, Any]
Refuse = Callable[[str, str], Exception]


@dataclass(frozen=True, slots=True)
class Fault:
    """What the next calls meet whose path contains `path`: a wait, a refusal or both."""

    path: str
    delay_ms: int
    refusal: Exception | None


class Faults:
    """The faults still to be met, in the order they were asked for."""

    def __init__(self, clock: Clock) -> None:
        """Start without any."""
        self._clock = clock
        self._waiting: list[Fault] = []

    def plan(self, fault: Fault, count: int) -> None:
        """Add a fault, so many times, behind the others."""
        self._waiting += [fault] * count

    def clear(self) -> None:
        """Forget what was planned."""
        self._waiting.clear()

    async def meet(self, path: str) -> None:
        """Suffer the first fault planned for this path, if there is one."""
        fault = next((each for each in self._waiting if each.path in path), None)
        if fault is None:
            return
        self._waiting.remove(fault)
        if fault.delay_ms:
            await self._clock.sleep(fault.delay_ms / 1000)
        if fault.refusal is not None:
            raise fault.refusal


async def read_settings(request: Request, refuse: Refuse) -> Settings:
    """Read how a knob is to be turned; what is no JSON object is refused in the stand-in's own words."""
    try:
        read: Any = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise refuse("body", "must be JSON") from error
    if not isinstance(read, dict):
        raise refuse("body", "must be an object")
    return cast("Settings", read)


def whole(asked: Settings, name: str, otherwise: int, refuse: Refuse) -> int:
    """Read a whole number among the settings."""
    value = asked.get(name)
    if value is not None and not isinstance(value, int):
        raise refuse(name, "must be a whole number")
    return otherwise if value is None else value
