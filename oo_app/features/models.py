"""Tables of what is counted over time: a person's habits, and how fresh features and sources were."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from oo_app.kit.db import UtcDateTime


class Profile(SQLModel, table=True):
    """When a person gets things done, counted from their completions; it can be counted again from them at any time.

    `counts` is a JSON list of 168 numbers, from Monday's first hour to Sunday's last, in `time_zone`. Counted is what
    was completed at `since` or later; `folded_to` is the greatest id among it.
    """

    user_id: str = Field(primary_key=True, foreign_key="user.id", ondelete="CASCADE", max_length=36)
    version: int
    time_zone: str = Field(max_length=64)
    counts: str
    total: int
    since: datetime = Field(sa_type=UtcDateTime, index=True)
    folded_to: str = Field(max_length=36)
    folded_at: datetime = Field(sa_type=UtcDateTime)


class Freshness(SQLModel, table=True):
    """How one feature, or one source, kept its promise of freshness in one hour.

    Of a feature, `checked` counts the values that decisions were made from, `missing` those that could not be known;
    of a source, its connections that nobody needs to mend. `oldest_s` is the greatest age met.
    """

    __table_args__ = (UniqueConstraint("hour", "kind", "name"),)

    id: str = Field(primary_key=True, max_length=36)
    hour: datetime = Field(sa_type=UtcDateTime)
    kind: str = Field(max_length=10)
    name: str = Field(max_length=40)
    checked: int
    breaches: int
    missing: int
    oldest_s: float | None = None
