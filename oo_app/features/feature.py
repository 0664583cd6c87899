"""What a feature is: a number with a name, a meaning, bounds, and a source whose freshness it inherits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Generic, Literal, TypeVar

from oo_app.kit.config import Settings
from oo_app.sources import SOURCES, Kind

Known = TypeVar("Known")
Type = Literal["number", "count", "flag"]


class Origin(StrEnum):
    """Where a feature comes from."""

    TASK = "task"
    CALENDAR = "calendar"
    COMPLETIONS = "completions"
    DOSE = "dose"
    READINGS = "readings"
    TIME = "time"


class Privacy(StrEnum):
    """What a feature tells of a person: nothing, a task's numbers, when they are busy, what they do, their words.

    Of words it tells the trace that a hash of eight values leaves.
    """

    NOTHING = "nothing"
    TASK = "task"
    SCHEDULE = "schedule"
    BEHAVIOUR = "behaviour"
    WORDS = "words"


# What sources have to be read for; the rest is our own, and as fresh as the moment.
FED_BY: Mapping[Origin, Kind] = {Origin.TASK: "task", Origin.CALENDAR: "event", Origin.COMPLETIONS: "task"}


@dataclass(frozen=True, slots=True)
class Feature(Generic[Known]):
    """One number about a moment or about an item seen at it, never below `low` nor above `high`.

    `compute` returns None when it cannot be known; `default` stands in for it then, and it is counted as missing.
    """

    name: str
    meaning: str
    origin: Origin
    privacy: Privacy
    compute: Callable[[Known], float | None]
    low: float
    high: float
    type: Type = "number"
    unit: str = ""
    default: float = 0.0
    version: int = 1

    def late_after(self, settings: Settings) -> timedelta | None:
        """Return the age that its sources promise not to pass, the longest of them; None where it has no age."""
        kind = FED_BY.get(self.origin)
        promised = [source.late_after(settings) for source in SOURCES if kind in source.kinds]
        return max(promised, default=None)
