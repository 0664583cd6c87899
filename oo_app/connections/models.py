"""Table of connections: a person's grant to a source, its tokens sealed."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from oo_app.kit.db import UtcDateTime


class Connection(SQLModel, table=True):
    """One grant. `needs_attention`: the source refuses it. The cursor may hold names, so it is sealed too.

    `failure` is the class of what last went wrong while reading. While `refreshing_until` lies ahead, somebody trades
    the refresh token, perhaps another process.
    """

    __table_args__ = (
        UniqueConstraint("user_id", "source"),
        Index("ix_connection_due", "source", "needs_attention", "next_read_at"),
    )

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key="user.id", ondelete="CASCADE", index=True)
    source: str = Field(max_length=30)
    access_token: bytes
    refresh_token: bytes | None = None
    access_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    owner_hash: str | None = Field(default=None, max_length=64, index=True)
    cursor: bytes | None = None
    needs_attention: bool = False
    connected_at: datetime = Field(sa_type=UtcDateTime)
    last_read_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    next_read_at: datetime = Field(sa_type=UtcDateTime)
    failures: int = 0
    failure: str | None = Field(default=None, max_length=60)
    failed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    refreshing_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
