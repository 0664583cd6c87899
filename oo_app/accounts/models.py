"""Tables of who somebody is: user, identity, session, token, consent, preferences, sign-ins under way; who has left."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from oo_app.kit.db import UtcDateTime

USER = "user.id"


class User(SQLModel, table=True):
    """A person. The address is sealed with the person's own key."""

    id: str = Field(primary_key=True, max_length=36)
    email: bytes
    role: str = Field(max_length=10)
    created_at: datetime = Field(sa_type=UtcDateTime)


class Identity(SQLModel, table=True):
    """A person as one identity provider knows them; the key is (issuer, subject), never the address."""

    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE", index=True)
    issuer: str = Field(max_length=255)
    subject: str = Field(max_length=64)
    email_hash: str = Field(max_length=64, index=True)
    refresh_token: bytes | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)


class Session(SQLModel, table=True):
    """A signed-in browser. The id is the hash of the cookie's value."""

    id: str = Field(primary_key=True, max_length=64)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime, index=True)


class ApiToken(SQLModel, table=True):
    """A program's way in for one person. The token is kept as a hash, its name sealed."""

    __tablename__ = "api_token"  # pyright: ignore[reportAssignmentType] -- SQLModel declares a function there

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE", index=True)
    token_hash: str = Field(max_length=64, unique=True)
    name: bytes
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Consent(SQLModel, table=True):
    """A person agreed to a version of a document."""

    __table_args__ = (UniqueConstraint("user_id", "document", "version"),)

    id: str = Field(primary_key=True, max_length=36)
    user_id: str = Field(foreign_key=USER, ondelete="CASCADE", index=True)
    document: str = Field(max_length=20)
    version: str = Field(max_length=20)
    at: datetime = Field(sa_type=UtcDateTime)


class Preferences(SQLModel, table=True):
    """What a person chose. `time_zone` is None until they, their browser or a source told it."""

    user_id: str = Field(primary_key=True, foreign_key=USER, ondelete="CASCADE", max_length=36)
    time_zone: str | None = Field(default=None, max_length=64)
    quiet_from: str = Field(default="22:00", max_length=5)
    quiet_to: str = Field(default="08:00", max_length=5)
    notify: bool = False
    has_decided_notify: bool = False
    paused: bool = False
    learn_across_people: bool = False
    allow_remote_ai: bool = False
    push_budget_per_week: int = 5


class Flow(SQLModel, table=True):
    """An OAuth round trip under way: found by its state, bound to one browser, used once."""

    id: str = Field(primary_key=True, max_length=64)
    purpose: str = Field(max_length=40)
    browser_hash: str = Field(max_length=64)
    user_id: str | None = Field(default=None, foreign_key=USER, ondelete="CASCADE", index=True)
    secrets: str
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)


class Deletion(SQLModel, table=True):
    """Somebody was deleted: nothing but the hash of their id. The key store has the other half of this ledger."""

    person_hash: str = Field(primary_key=True, max_length=64)
    at: datetime = Field(sa_type=UtcDateTime)
