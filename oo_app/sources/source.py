"""The contract of a source, an app one can connect. It speaks its protocol, and knows no database and no screen."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from oo_app.kit.config import Settings
from oo_app.kit.http import Http


@dataclass(frozen=True, slots=True)
class OAuth:
    """Where and as whom we ask for a grant."""

    authorize_url: str
    token_url: str
    client_id: str
    client_secret: str
    scope: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token answer gives. `refresh_token` is None where the source sent none; `expires_in` is in seconds."""

    access_token: str
    refresh_token: str | None
    expires_in: int | None
    scope: str


FIRST_YEAR, LAST_YEAR = 2, 9998


@dataclass(frozen=True, slots=True)
class Due:
    """When an item is due: a day, or a moment (`at` is aware); floating times are read in the person's zone."""

    on: date | None = None
    at: datetime | None = None
    floating: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse years that some time zones cannot tell: a calendar ends with 9999."""
        for day in (self.on, self.at, self.floating):
            if day is not None and not is_tellable(day):
                msg = "a due date lies outside the calendar of some time zone"
                raise ValueError(msg)


def is_tellable(day: date) -> bool:
    """Whether a day or moment has neighbours in the calendar, so that every time zone can tell it."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


@dataclass(frozen=True, slots=True)
class Item:
    """One task as its source tells it. `is_open` ends with completion or deletion; `priority` 4 is urgent, 1 normal.

    A recurring task stays open when an occurrence is completed: `completed_count` grows, where the source tells it, and
    `completed_at` is then the last time anything about the task changed.
    """

    external_id: str
    is_open: bool
    content: str = ""
    detail: str = ""
    url: str | None = None
    due: Due = Due()
    deadline_on: date | None = None
    priority: int = 1
    is_recurring: bool = False
    is_completable: bool = True
    minutes: int | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    completed_count: int | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose account the grant opens."""

    external_id: str
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class Pull:
    """One reading. With `is_full` the items are all there are; else only what changed since the cursor."""

    items: tuple[Item, ...]
    cursor: str
    is_full: bool
    owner: Owner | None


@dataclass(frozen=True, slots=True)
class Door:
    """What a source needs to go out with: the client, the settings, a living access token, and the time."""

    http: Http
    settings: Settings
    access_token: str
    now: datetime


class NotPermitted(Exception):
    """The access token is good, but not for this: neither asking again nor refreshing helps, a new grant may."""


class TokenRefused(Exception):
    """The source does not take the access token (any more); refreshing may help."""


class CompletionRefused(Exception):
    """The source will never complete this item for us: asking again is no use."""


class Source(Protocol):
    """What `oo_app/sources/<name>.py` offers as SOURCE. All may raise SourceDown, TokenRefused, NotPermitted."""

    name: str
    title: str

    def oauth(self, settings: Settings) -> OAuth | None:
        """Return how to ask for a grant; None when no credentials are set."""
        ...

    async def pull(self, door: Door, cursor: str | None) -> Pull:
        """Read everything (no cursor) or what changed since."""
        ...

    def owner_in(self, cursor: str) -> str | None:
        """Return the owner's id there, where a cursor of this source says it."""
        ...

    async def complete(self, door: Door, external_id: str, command_id: str) -> None:
        """Complete an item there, at most once a command id; an item that is gone counts as completed.

        Raises CompletionRefused where the source will not have it.
        """
        ...

    async def revoke(self, door: Door) -> None:
        """Take the grant back there."""
        ...
