"""Tables of what sources hold: items, and completions on their way to a source."""

from datetime import date, datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from oo_app.kit.db import UtcDateTime


class Item(SQLModel, table=True):
    """A task as last read. Its words are sealed; what is plain are times, numbers and the source's own id."""

    __table_args__ = (UniqueConstraint("connection_id", "external_id"), Index("ix_item_open", "user_id", "is_open"))

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key="user.id", ondelete="CASCADE")
    connection_id: str = Field(foreign_key="connection.id", ondelete="CASCADE")
    source: str = Field(max_length=30)
    external_id: str = Field(max_length=255)
    is_open: bool
    content: bytes
    detail: bytes
    url: str | None = Field(default=None, max_length=500)
    due_on: date | None = None
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_floating: str | None = Field(default=None, max_length=32)
    deadline_on: date | None = None
    priority: int = 1
    is_recurring: bool = False
    is_completable: bool = True
    minutes: int | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    completed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    completed_count: int | None = None


class Closing(SQLModel, table=True):
    """A completion to be made at the source. The id is the command's id there, so sending twice closes once."""

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key="user.id", ondelete="CASCADE", index=True)
    item_id: str = Field(foreign_key="item.id", ondelete="CASCADE", index=True)
    connection_id: str = Field(foreign_key="connection.id", ondelete="CASCADE", index=True)
    external_id: str = Field(max_length=255)
    next_at: datetime = Field(sa_type=UtcDateTime)
    attempts: int = 0
    is_claimed: bool = False
    is_refused: bool = False
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
