"""Tables of what sources hold and tell: items, calendar entries, completions, deliveries, and completions sent back."""

from datetime import date, datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from oo_app.kit.db import UtcDateTime

USER, CONNECTION, ITEM = "user.id", "connection.id", "item.id"


class Item(SQLModel, table=True):
    """A task as last read. Its words are sealed; what is plain are times, numbers and the source's own id.

    `label_bits` has one of eight bits set for each label, so that habits can be told apart without a word. `postponed`
    counts how often its due time was moved on without its being done.
    """

    __table_args__ = (UniqueConstraint("connection_id", "external_id"), Index("ix_item_open", "user_id", "is_open"))

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE")
    connection_id: str = Field(foreign_key=CONNECTION, ondelete="CASCADE")
    source: str = Field(max_length=30)
    external_id: str = Field(max_length=255)
    is_open: bool
    content: bytes
    detail: bytes
    labels: bytes | None = None
    label_count: int = 0
    label_bits: int = 0
    url: str | None = Field(default=None, max_length=500)
    due_on: date | None = None
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_floating: str | None = Field(default=None, max_length=32)
    deadline_on: date | None = None
    priority: int = 1
    is_recurring: bool = False
    is_completable: bool = True
    minutes: int | None = None
    postponed: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    completed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    completed_count: int | None = None


class CalendarEvent(SQLModel, table=True):
    """An entry of a calendar as last read; its title is sealed."""

    __tablename__ = "calendar_event"  # pyright: ignore[reportAssignmentType] -- SQLModel declares it for methods only
    __table_args__ = (
        UniqueConstraint("connection_id", "external_id"),
        Index("ix_calendar_event_when", "user_id", "ends_at"),
    )

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE")
    connection_id: str = Field(foreign_key=CONNECTION, ondelete="CASCADE")
    external_id: str = Field(max_length=255)
    starts_at: datetime = Field(sa_type=UtcDateTime)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    is_all_day: bool = False
    is_busy: bool = True
    title: bytes


class Completion(SQLModel, table=True):
    """That a task was done, each occurrence once, whoever told it first: habits and late rewards count from these.

    `occurrence` is `n` and the count of a recurring task whose source counts, `d` and the due date it had otherwise,
    and `t` and the moment for a task that does not recur. `found_by` is reading, webhook, history or ours.
    """

    __table_args__ = (
        UniqueConstraint("connection_id", "external_id", "occurrence"),
        Index("ix_completion_when", "user_id", "at"),
    )

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE")
    connection_id: str = Field(foreign_key=CONNECTION, ondelete="CASCADE")
    item_id: str | None = Field(default=None, foreign_key=ITEM, ondelete="SET NULL", index=True)
    external_id: str = Field(max_length=255)
    occurrence: str = Field(max_length=40)
    found_by: str = Field(max_length=10)
    at: datetime = Field(sa_type=UtcDateTime)


class Delivery(SQLModel, table=True):
    """A webhook's delivery, kept before it is answered; the next reading of its connection sets `worked_at`."""

    __table_args__ = (
        UniqueConstraint("connection_id", "delivery_hash"),
        UniqueConstraint("connection_id", "body_hash"),
        Index("ix_delivery_waiting", "connection_id", "worked_at"),
    )

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE", index=True)
    connection_id: str = Field(foreign_key=CONNECTION, ondelete="CASCADE")
    delivery_hash: str = Field(max_length=64)
    body_hash: str = Field(max_length=64)
    body: bytes
    received_at: datetime = Field(sa_type=UtcDateTime, index=True)
    worked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class PushChannel(SQLModel, table=True):
    """A push channel that a source holds open to our webhook; its secret is kept as a hash."""

    __tablename__ = "push_channel"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE", index=True)
    connection_id: str = Field(foreign_key=CONNECTION, ondelete="CASCADE", index=True)
    token_hash: str = Field(max_length=64)
    resource_id: str = Field(max_length=255)
    ends_at: datetime = Field(sa_type=UtcDateTime)


class Closing(SQLModel, table=True):
    """A completion to be made at the source. The id is the command's id there, so sending twice closes once."""

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE", index=True)
    item_id: str = Field(foreign_key=ITEM, ondelete="CASCADE", index=True)
    connection_id: str = Field(foreign_key=CONNECTION, ondelete="CASCADE", index=True)
    external_id: str = Field(max_length=255)
    next_at: datetime = Field(sa_type=UtcDateTime)
    attempts: int = 0
    is_claimed: bool = False
    is_refused: bool = False
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
