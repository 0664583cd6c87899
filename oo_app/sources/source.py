"""The contract of a source, an app one can connect. It speaks its protocol, and knows no database and no screen."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from oo_app.kit.config import Settings
from oo_app.kit.errors import Unproven
from oo_app.kit.http import Http
from oo_app.sources.facts import Completion, Pull

Asks = Literal["consent", "address", "login"]
Kind = Literal["task", "event"]
UTC_ZONE = ZoneInfo("UTC")
LEAST_LATE_AFTER = timedelta(minutes=15)  # one failed reading is made up for within that


@dataclass(frozen=True, slots=True)
class OAuth:
    """Where and as whom we ask for a grant. `needs` are the scopes without which it is none; people can untick them."""

    authorize_url: str
    token_url: str
    client_id: str
    client_secret: str
    scope: str
    needs: frozenset[str] = frozenset()
    has_pkce: bool = False
    extra: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token answer gives. `refresh_token` is None where the source sent none; `expires_in` is in seconds.

    Of a source that asks for no consent, `access_token` is the login, as `Login.text` writes it.
    """

    access_token: str
    refresh_token: str | None
    expires_in: int | None
    scope: str


@dataclass(frozen=True, slots=True)
class Login:
    """What a person typed to let oO in: an address, and a name and a password where the source asks for them."""

    url: str
    username: str = ""
    password: str = ""

    def text(self) -> str:
        """Write it as it is sealed."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "Login":
        """Read what `text` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Door:
    """What a source needs to go out with: the client, the settings, a living access token, and the time.

    `zone` is where the person lives; `read_at` is when this connection was last read under whatever grant, so that a
    history is not told twice.
    """

    http: Http
    settings: Settings
    access_token: str
    now: datetime
    zone: ZoneInfo = UTC_ZONE
    read_at: datetime | None = None

    @property
    def login(self) -> Login:
        """What the person typed, of a source that asks for an address or a login."""
        return Login.read(self.access_token)


@dataclass(frozen=True, slots=True)
class Call:
    """A request to our webhook, as it came: headers in lower case, the raw body."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """What a delivery tells. It is a hint: that something changed for an owner, or in what a channel watches.

    `delivery_id` is the same whenever the delivery is repeated. `channel_token` proves a channel that signs nothing.
    """

    delivery_id: str
    owner: str | None = None
    channel_id: str | None = None
    channel_token: str = ""
    at: datetime | None = None
    completions: tuple[Completion, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """A push channel as we ask for it: where to send, under which id, with which secret."""

    id: str
    address: str
    token: str


@dataclass(frozen=True, slots=True)
class Watch:
    """A push channel as the source opened it: its own name for what is watched, and when it ends."""

    resource_id: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Budget:
    """How many readings a minute a source bears from all of our people together."""

    per_minute: int


class NotPermitted(Exception):
    """The access token is good, but not for this: neither asking again nor refreshing helps, a new grant may."""


class TokenRefused(Exception):
    """The source does not take the access token (any more); refreshing may help."""


class CompletionRefused(Exception):
    """The source will never complete this item for us: asking again is no use."""


class Source:
    """What `oo_app/sources/<name>.py` offers as SOURCE: a name, how it lets us in, and how it is read.

    Everything that goes out may raise SourceDown (with the pause the source asks for; RateLimited when it was too
    often), TokenRefused and NotPermitted. Only `pull` must be written; what a source cannot do, it leaves as it is.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str] = ""  # what it is for, in a sentence, until it is connected
    asks: ClassVar[Asks] = "consent"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"task"})
    budget: ClassVar[Budget] = Budget(per_minute=3_000)
    has_webhooks: ClassVar[bool] = False
    has_channels: ClassVar[bool] = False

    def every(self, settings: Settings) -> timedelta:
        """Return how often it is read without being asked."""
        return timedelta(minutes=10)

    def late_after(self, settings: Settings) -> timedelta:
        """Return the age from which what was read of it is late: the freshness that features of it promise."""
        return max(2 * self.every(settings), LEAST_LATE_AFTER)

    def takes_channels(self, settings: Settings) -> bool:
        """Whether push channels can be had here: over https, since a source sends to nothing else."""
        return self.has_channels and settings.is_https

    async def oauth(self, http: Http, settings: Settings) -> OAuth | None:
        """Return how to ask for a grant; None when no credentials are set, or the source asks for no consent."""
        return None

    async def open(self, door: Door) -> Login:
        """Try what a person typed, and return it as it is to be kept: the address followed to where it leads.

        Raises Invalid naming the field that does not fit.
        """
        return door.login

    async def pull(self, door: Door, cursor: str | None) -> Pull:
        """Read everything (no cursor) or what changed since; a cursor that is no longer known reads everything."""
        raise NotImplementedError

    @property
    def tells_owner(self) -> bool:
        """Whether cursors of this source say whose account it is."""
        return type(self).owner_in is not Source.owner_in

    def owner_in(self, cursor: str) -> str | None:
        """Return the owner's id there, where a cursor of this source says it."""
        return None

    async def complete(self, door: Door, external_id: str, command_id: str) -> None:
        """Complete an item there, at most once a command id; an item that is gone counts as completed.

        Raises CompletionRefused where the source will not have it.
        """
        raise CompletionRefused(self.name)

    async def revoke(self, door: Door) -> None:
        """Take the grant back there; a login is simply forgotten."""

    async def shares_grant(self, door: Door, other: Door) -> bool:
        """Whether taking back the grant of one token would end the other's too; where it cannot be told, it would."""
        return False

    def prove(self, settings: Settings, call: Call) -> None:
        """Check the signature of a delivery on its raw body, in constant time, before anything is parsed.

        Raises Unproven. A source whose channels prove themselves by a secret leaves that to whoever opened them.
        """
        raise Unproven

    def hear(self, call: Call) -> Heard:
        """Read what a proven delivery tells; one that says nothing we know of is a hint all the same."""
        raise NotImplementedError

    async def watch(self, door: Door, channel: Channel) -> Watch:
        """Open a push channel, where `has_channels`."""
        raise NotImplementedError

    async def unwatch(self, door: Door, channel_id: str, resource_id: str) -> None:
        """Close a push channel; one that has ended already is closed."""
