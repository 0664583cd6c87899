"""What the façade of tips gives back: frozen values, never rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from oo_app.events import Action
from oo_app.features import Late

Snooze = Literal["later_today", "tomorrow", "not_this_week", "too_big", "not_for_me"]
Silence = Literal["no_source", "nothing_suitable", "resting"]

ACTIONS: tuple[Action, ...] = ("done", "snooze", "dismiss")


@dataclass(frozen=True, slots=True)
class Tip:
    """One suggestion as it is shown. `id` is the candidate's; `due` is a date or an RFC 3339 time with offset."""

    id: str
    impression_id: str
    kind: str
    content: str
    detail: str | None
    source: str
    source_url: str | None
    due: str | None
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """How much one feature moved the chosen candidate's score above the average one's."""

    feature: str
    value: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Served:
    """A tip, and the honest account of how it was chosen. `stale`: what was read too long before, at `served_at`."""

    tip: Tip
    policy: str
    policy_version: str
    propensity: float
    reasons: tuple[Reason, ...]
    candidates: int
    served_at: datetime
    stale: tuple[Late, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """No tip now, and why."""

    reason: Silence


@dataclass(frozen=True, slots=True)
class Undoable:
    """An answer that can still be taken back, the id its browser gave it, and how long ago it was recorded."""

    impression_id: str
    reaction_id: str | None
    age: timedelta


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reaction came to; `reward` is None for an undo."""

    reward: float | None
    accepted: bool = True
