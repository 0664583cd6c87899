"""The bodies of the API: foreign input is strict, answers are as the contract writes them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
)

from oo_app.accounts import is_time_zone
from oo_app.tips import Action, Snooze, Surface

Hour = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


def _is_zone(value: str) -> str:
    if not is_time_zone(value):
        msg = "must be an IANA time zone such as Europe/Berlin"
        raise ValueError(msg)
    return value


def _moment(value: object) -> object:
    """Read an RFC 3339 time; pydantic alone would also take numbers."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        msg = "must be a time with an offset such as 2026-11-23T09:00:00+01:00"
        raise ValueError(msg) from None


class Foreign(BaseModel):
    """Input: unknown fields are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RecommendIn(Foreign):
    """Where the tip will be shown."""

    surface: Surface


class FeedbackIn(Foreign):
    """A reaction. `dwell_ms` counts while the page is visible; null when it was not measured."""

    impression_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    action: Action
    dwell_ms: Annotated[int, Field(ge=0, le=86_400_000)] | None = None
    snooze: Snooze | None = None
    reaction_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    reacted_at: Annotated[AwareDatetime | None, BeforeValidator(_moment)] = None


class PreferencesIn(Foreign):
    """What a person changes; what is left out stays."""

    time_zone: Annotated[str, StringConstraints(max_length=64), AfterValidator(_is_zone)] | None = None
    quiet_from: Hour | None = None
    quiet_to: Hour | None = None
    notify: bool | None = None
    paused: bool | None = None
    learn_across_people: bool | None = None
    allow_remote_ai: bool | None = None
    push_budget_per_week: Annotated[int, Field(ge=0, le=50)] | None = None


class PreferencesOut(BaseModel):
    """A person's preferences."""

    time_zone: str | None
    quiet_from: str
    quiet_to: str
    notify: bool
    paused: bool
    learn_across_people: bool
    allow_remote_ai: bool
    push_budget_per_week: int


class TipOut(BaseModel):
    """One suggestion."""

    id: str
    impression_id: str
    kind: str
    content: str
    detail: str | None
    source: str
    source_url: str | None
    due: str | None
    actions: list[str]


class ReasonOut(BaseModel):
    """A feature that moved the choice."""

    feature: str
    value: float
    contribution: float


class ServedOut(BaseModel):
    """A tip and how it was chosen."""

    tip: TipOut
    policy: str
    policy_version: str
    propensity: float
    reasons: list[ReasonOut]
    served_at: datetime


class NothingOut(BaseModel):
    """No tip now."""

    tip: None
    reason: Literal["no_source", "nothing_suitable", "resting"]


class FeedbackOut(BaseModel):
    """What a reaction was worth; null for an undo."""

    reward: float | None
    accepted: bool


class ConnectionOut(BaseModel):
    """A source and the person's state in it."""

    source: str
    name: str
    state: Literal["connected", "not_connected", "needs_attention"]
    last_read_at: datetime | None


class LoginIn(Foreign):
    """What lets oO in where there is no consent page: an address; a name and a password where they are asked for."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
    username: Annotated[str, StringConstraints(max_length=255, strip_whitespace=True)] = ""
    password: Annotated[SecretStr, Field(max_length=1000)] = SecretStr("")


class ConnectedOut(ConnectionOut):
    """A source that is connected now; `not_completed` counts what was on its way to another account and is dropped."""

    not_completed: int


class DisconnectedOut(BaseModel):
    """Whether the source was told as well; if not, oO is to be removed there by hand. And what it never got."""

    source: str
    revoked: bool
    not_completed: int


class ConsentOut(BaseModel):
    """A document agreed to."""

    document: str
    version: str
    at: datetime


class MeOut(BaseModel):
    """The person calling."""

    id: str
    email: str
    role: Literal["user", "viewer", "admin"]
    created_at: datetime
    consents: list[ConsentOut]


class TokenIn(Foreign):
    """What a person calls a token, so that they know it again."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]


class MintedOut(BaseModel):
    """A new token; `token` is not shown again."""

    id: str
    token: str
    expires_at: datetime


class TokenOut(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class DeletedOut(BaseModel):
    """Who could not be told; oO is to be removed there by hand. And how many completions never arrived there."""

    deleted: bool
    not_told: list[str]
    not_completed: int


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": title,
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
    for status, title in (
        (401, "Nobody is signed in"),
        (403, "Asked for by another site"),
        (404, "Unknown, or somebody else's"),
        (409, "Something else was said already"),
        (413, "Too large"),
        (422, "A field is wrong"),
        (429, "Too often"),
        (503, "The world outside is at fault"),
    )
}
