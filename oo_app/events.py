"""Every event as a frozen dataclass, and how it is written for the mirror (proto/oo/events/v1 is the schema of that).

Payloads hold ids, numbers and enumerations only, never a person's words.
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from oo_app.kit.mirror import Recorded, Stream

Surface = Literal["web", "push", "api"]
Action = Literal["done", "snooze", "dismiss", "undo"]
Cause = Literal["reaction", "silence", "completed"]


@dataclass(frozen=True, slots=True)
class Event:
    """A fact; `subject` and `version` are stable."""

    subject: ClassVar[str]
    version: ClassVar[int] = 1

    def payload(self) -> dict[str, str | int | float | bool | None]:
        """Return the fields as they are written to the outbox."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PersonsEvent(Event):
    """A fact about one person: told in their order, and gone with them."""

    user_id: str


@dataclass(frozen=True, slots=True)
class SourceConnected(PersonsEvent):
    """A person granted access to a source, for the first time or again."""

    subject = "signals.source.connected"
    connection_id: str
    source: str


@dataclass(frozen=True, slots=True)
class SourceDisconnected(PersonsEvent):
    """A person took the grant back here."""

    subject = "signals.source.disconnected"
    source: str


@dataclass(frozen=True, slots=True)
class SourceFailed(PersonsEvent):
    """A source refuses our grant; only the person can mend that."""

    subject = "signals.source.failed"
    connection_id: str
    source: str


@dataclass(frozen=True, slots=True)
class TasksSynced(PersonsEvent):
    """A source was read and something had changed."""

    subject = "signals.task.synced"
    connection_id: str
    changed: int
    is_full: bool


@dataclass(frozen=True, slots=True)
class CalendarSynced(PersonsEvent):
    """A calendar was read and something had changed."""

    subject = "signals.calendar.synced"
    connection_id: str
    changed: int
    is_full: bool


@dataclass(frozen=True, slots=True)
class TaskCompleted(PersonsEvent):
    """An item was completed in its own app. `completed_at` is RFC 3339."""

    subject = "signals.task.completed"
    item_id: str
    completed_at: str


@dataclass(frozen=True, slots=True)
class TipServed(PersonsEvent):
    """A decision was shown."""

    subject = "signals.tip.served"
    impression_id: str
    decision_id: str
    surface: Surface
    policy: str


@dataclass(frozen=True, slots=True)
class TipReacted(PersonsEvent):
    """A person answered, or took the answer back (`action` is then undo)."""

    subject = "signals.tip.reacted"
    impression_id: str
    action: Action
    dwell_ms: int | None


@dataclass(frozen=True, slots=True)
class FeedbackReward(PersonsEvent):
    """A reaction, a silence or a completion was valued; a later word on an impression replaces an earlier one."""

    subject = "feedback.reward"
    impression_id: str
    reward: float
    cause: Cause


@dataclass(frozen=True, slots=True)
class FeedbackDelayed(PersonsEvent):
    """A completion in the item's own app was credited to the impression that came before it."""

    subject = "feedback.delayed"
    impression_id: str
    reward: float


@dataclass(frozen=True, slots=True)
class EventParked(Event):
    """A handler failed on a fact five times, and it was given up until somebody looks."""

    subject = "ops.event.parked"
    event_id: str
    event_subject: str


@dataclass(frozen=True, slots=True)
class MirrorSkipped(Event):
    """Facts that the mirror had not taken were dropped, because the outbox had reached its size."""

    subject = "ops.mirror.skipped"
    events: int


EVENTS: tuple[type[Event], ...] = (
    SourceConnected,
    SourceDisconnected,
    SourceFailed,
    TasksSynced,
    CalendarSynced,
    TaskCompleted,
    TipServed,
    TipReacted,
    FeedbackReward,
    FeedbackDelayed,
    EventParked,
    MirrorSkipped,
)

STREAMS = (Stream("SIGNALS", "signals."), Stream("FEEDBACK", "feedback."))


def fact_name(event: type[Event]) -> str:
    """Return the name of the schema's field that holds this event."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", event.__name__).lower()


_FACT_NAMES = {event.subject: fact_name(event) for event in EVENTS}


def wire(fact: Recorded) -> bytes | None:
    """Return a stored fact as `oo.events.v1.Event` in JSON; None when this version knows no such event."""
    if fact.subject not in _FACT_NAMES:
        return None
    head = {"id": fact.id, "subject": fact.subject, "version": fact.version, "at": fact.created_at.isoformat()}
    # The payload is JSON already, and of a catch-up's work reading and writing it again would be the better half.
    return f'{json.dumps(head)[:-1]}, "{_FACT_NAMES[fact.subject]}": {fact.payload}}}'.encode()
