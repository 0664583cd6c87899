"""Tables of the heart: decision, impression, reaction, reward, hold; what is learnt from them."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from oo_app.kit.db import UtcDateTime

USER = "user.id"
IMPRESSION = "impression.id"


class Decision(SQLModel, table=True):
    """One choice with all it takes to replay it. Arrays are float64 in C order: candidates (n, m), the rest (n,).

    The details (context, candidates, scores, propensities, and `state`, what was known of the person) are blanked after
    thirty days. `stale` is a JSON object of
    the sources that were late then, with their age in seconds (null: never read), `missing` one of the features that
    could not be known, with how many values.
    """

    __table_args__ = (Index("ix_decision_detailed", "at", sqlite_where=text("length(context) > 0")),)

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE", index=True)
    at: datetime = Field(sa_type=UtcDateTime)
    surface: str = Field(max_length=10)
    policy: str = Field(max_length=40)
    policy_version: str = Field(max_length=40)
    is_fallback: bool = False
    seed: int
    schema_version: str = Field(max_length=10)
    context: bytes
    candidate_ids: str
    candidates: bytes
    scores: bytes
    propensities: bytes
    chosen: int
    latency_ms: float
    state: bytes = b""
    state_version: str = Field(default="", max_length=40)
    stale: str = "{}"
    missing: str = "{}"


class Impression(SQLModel, table=True):
    """A tip shown. Open while `closed_at` is None; at most one is open for a person."""

    __table_args__ = (
        Index("uq_impression_open", "user_id", unique=True, sqlite_where=text("closed_at IS NULL")),
        Index("ix_impression_ended", "user_id", "closed_at"),
        Index("ix_impression_lately", "user_id", "served_at"),
    )

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE")
    decision_id: str = Field(foreign_key="decision.id", ondelete="CASCADE", index=True)
    item_id: str | None = Field(default=None, foreign_key="item.id", ondelete="SET NULL", index=True)
    kind: str = Field(max_length=10)
    surface: str = Field(max_length=10)
    propensity: float
    served_at: datetime = Field(sa_type=UtcDateTime, index=True)
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str | None = Field(default=None, max_length=12)


class Reaction(SQLModel, table=True):
    """An answer to an impression. One stands at a time; undone ones stay, so that late duplicates are recognised."""

    __table_args__ = (
        Index("uq_reaction_standing", "impression_id", unique=True, sqlite_where=text("undone_at IS NULL")),
        UniqueConstraint("user_id", "client_id"),
    )

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE", index=True)
    impression_id: str = Field(foreign_key=IMPRESSION, ondelete="CASCADE", index=True)
    action: str = Field(max_length=10)
    snooze: str | None = Field(default=None, max_length=20)
    dwell_ms: int | None = None
    reward: float
    client_id: str | None = Field(default=None, max_length=36)
    closing_id: str | None = Field(default=None, max_length=36)
    reacted_at: datetime = Field(sa_type=UtcDateTime)
    received_at: datetime = Field(sa_type=UtcDateTime)
    undone_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Reward(SQLModel, table=True):
    """What an impression was worth, at the latest word. `cause` is reaction, silence or completed."""

    impression_id: str = Field(primary_key=True, foreign_key=IMPRESSION, ondelete="CASCADE", max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE", index=True)
    version: str = Field(max_length=20)
    cause: str = Field(max_length=10)
    value: float
    at: datetime = Field(sa_type=UtcDateTime)


class Lesson(SQLModel, table=True):
    """A round of the learning record, kept with the account: context (k,) and chosen candidate (m,), float64."""

    __table_args__ = (Index("ix_lesson_user", "user_id", "impression_id"),)

    impression_id: str = Field(primary_key=True, foreign_key=IMPRESSION, ondelete="CASCADE", max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE")
    schema_version: str = Field(max_length=10)
    context: bytes
    candidate: bytes
    propensity: float
    reward: float


class PolicyState(SQLModel, table=True):
    """What a policy knows of a person: the fold of their lessons under a version of the policy (`ml.store`)."""

    __tablename__ = "policy_state"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (UniqueConstraint("user_id", "policy"),)

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE")
    policy: str = Field(max_length=40)
    version: str = Field(max_length=40)
    body: bytes
    at: datetime = Field(sa_type=UtcDateTime)


class Hold(SQLModel, table=True):
    """An item that sleeps after a snooze or a dismiss. `until` is None for "not for me"."""

    item_id: str = Field(primary_key=True, foreign_key="item.id", ondelete="CASCADE", max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE", index=True)
    reaction_id: str = Field(foreign_key="reaction.id", ondelete="CASCADE", index=True)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
