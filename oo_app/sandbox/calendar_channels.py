"""Push channels of the sandbox's calendar: opened by watch, told of changes, ended by stop or by time."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal, get_args

import httpx

from oo_app.kit.clock import Clock
from oo_app.sandbox.calendar_errors import CalendarRefused, invalid
from oo_app.sandbox.calendar_store import Account
from oo_app.sandbox.guard import is_loopback_url

Mode = Literal["good", "duplicate", "hasty", "silent", "refuse"]
MODES: frozenset[str] = frozenset(get_args(Mode))
LONGEST = timedelta(days=7)
LONGEST_ID, LONGEST_TOKEN = 64, 256
TIMEOUT_S = 5.0


@dataclass(slots=True)
class Channel:
    """One open channel, and how many messages it has sent."""

    id: str
    account: str
    resource_id: str
    address: str
    token: str
    ends_at: datetime
    sent: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return what watch answers."""
        return {
            "kind": "api#channel",
            "id": self.id,
            "resourceId": self.resource_id,
            "resourceUri": "https://www.googleapis.com/calendar/v3/calendars/primary/events?alt=json",
            "token": self.token,
            "expiration": str(int(self.ends_at.timestamp() * 1000)),
        }


class Channels:
    """The open channels; `mode` is how they behave: doubled, hasty (a word before the answer), silent, refused."""

    def __init__(self, clock: Clock, transport: httpx.AsyncBaseTransport | None) -> None:
        """Start without any."""
        self._clock = clock
        self._transport = transport
        self._open: dict[str, Channel] = {}
        self.mode: Mode = "good"

    @property
    def is_hasty(self) -> bool:
        """Whether the first message leaves before the answer."""
        return self.mode == "hasty"

    def open(self, account: Account, asked: Mapping[str, Any]) -> Channel:
        """Open a channel, or refuse as Google does."""
        name, address, token = (str(asked.get(key) or "") for key in ("id", "address", "token"))
        if not name or len(name) > LONGEST_ID or asked.get("type") != "web_hook":
            raise invalid("Invalid channel id or type.")
        if len(token) > LONGEST_TOKEN:
            raise invalid("Channel token is too long.")
        if name in self._open:
            raise CalendarRefused(400, "channelIdNotUnique", f"Channel id {name} not unique")
        # Google takes https only; the sandbox sends to nothing but this machine, where that is not to be had.
        if not is_loopback_url(address):
            raise CalendarRefused(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")
        if self.mode == "refuse":
            raise CalendarRefused(401, "push.webhookUrlUnauthorized", "Unauthorized WebHook callback channel")
        channel = Channel(
            name, account.name, secrets.token_urlsafe(20), address, token, self._end(asked.get("expiration"))
        )
        self._open[name] = channel
        return channel

    def stop(self, account: Account, name: str, resource_id: str) -> bool:
        """End a channel; False where there is none."""
        channel = self._open.get(name)
        if channel is None or (channel.account, channel.resource_id) != (account.name, resource_id):
            return False
        del self._open[name]
        return True

    def living(self, account: str | None = None) -> list[Channel]:
        """Return the open channels, of an account or of all."""
        now = self._clock.now()
        self._open = {name: each for name, each in self._open.items() if each.ends_at > now}
        return [each for each in self._open.values() if account in {None, each.account}]

    async def greet(self, channel: Channel) -> None:
        """Send the first message, which says that the channel is open."""
        await self._send(channel, "sync")

    async def tell(self, account: Account) -> None:
        """Say that something in an account changed, to each of its channels."""
        if self.mode == "silent":
            return
        for channel in self.living(account.name):
            await self._send(channel, "exists")
            if self.mode == "duplicate":
                await self._send(channel, "exists", is_repeated=True)

    async def _send(self, channel: Channel, state: str, *, is_repeated: bool = False) -> None:
        channel.sent += 0 if is_repeated else 1
        headers = {
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Message-Number": str(channel.sent),
            "X-Goog-Resource-ID": channel.resource_id,
            "X-Goog-Resource-State": state,
            "X-Goog-Resource-URI": channel.as_json()["resourceUri"],
            "X-Goog-Channel-Expiration": format_datetime(channel.ends_at.astimezone(UTC), usegmt=True),
        }
        if channel.token:
            headers["X-Goog-Channel-Token"] = channel.token
        # A client of its own, not kit's: the app under test must not lend its connections, limits or faults.
        client = httpx.AsyncClient(transport=self._transport, timeout=TIMEOUT_S)  # noqa: TID251
        try:
            async with client:
                await client.post(channel.address, headers=headers)
        except httpx.HTTPError:
            return  # as at Google, nobody promises that each change is told

    def _end(self, wish: object) -> datetime:
        latest = self._clock.now() + LONGEST
        try:
            return min(latest, datetime.fromtimestamp(int(str(wish)) / 1000, UTC))
        except (ValueError, OverflowError, OSError):
            return latest
