"""Every event as a frozen dataclass. Payloads hold ids, numbers and enumerations only, never a person's words."""

from dataclasses import asdict, dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about one person; `subject` and `version` are stable."""

    subject: ClassVar[str]
    version: ClassVar[int] = 1
    user_id: str

    def payload(self) -> dict[str, str | int | float | bool | None]:
        """Return the fields as they are written to the outbox."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SourceConnected(Event):
    """A person granted access to a source, for the first time or again."""

    subject = "signals.source.connected"
    connection_id: str
    source: str


@dataclass(frozen=True, slots=True)
class SourceDisconnected(Event):
    """A person took the grant back here."""

    subject = "signals.source.disconnected"
    source: str


@dataclass(frozen=True, slots=True)
class SourceFailed(Event):
    """A source refuses our grant; only the person can mend that."""

    subject = "signals.source.failed"
    connection_id: str
    source: str


@dataclass(frozen=True, slots=True)
class TasksSynced(Event):
    """A source was read and something had changed."""

    subject = "signals.task.synced"
    connection_id: str
    changed: int
    is_full: bool


@dataclass(frozen=True, slots=True)
class CalendarSynced(Event):
    """A calendar was read and something had changed."""

    subject = "signals.calendar.synced"
    connection_id: str
    changed: int
    is_full: bool


@dataclass(frozen=True, slots=True)
class TaskCompleted(Event):
    """An item was completed in its own app. `completed_at` is RFC 3339."""

    subject = "signals.task.completed"
    item_id: str
    completed_at: str


@dataclass(frozen=True, slots=True)
class TipServed(Event):
    """A decision was shown."""

    subject = "signals.tip.served"
    impression_id: str
    decision_id: str
    surface: str
    policy: str


@dataclass(frozen=True, slots=True)
class TipReacted(Event):
    """A person answered, or took the answer back (`action` is then undo)."""

    subject = "signals.tip.reacted"
    impression_id: str
    action: str
    dwell_ms: int | None


@dataclass(frozen=True, slots=True)
class FeedbackReward(Event):
    """A reaction or a silence was valued."""

    subject = "feedback.reward"
    impression_id: str
    reward: float
    cause: str


@dataclass(frozen=True, slots=True)
class FeedbackDelayed(Event):
    """A completion in the item's own app was credited to the impression that came before it."""

    subject = "feedback.delayed"
    impression_id: str
    reward: float


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
)
