"""Tells the app what changed in the sandbox's Todoist: signed like the real ones, or wrongly, twice, late on demand."""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import httpx

from oo_app.kit.clock import Clock
from oo_app.sandbox.todoist_grants import CLIENT_SECRET, Grants
from oo_app.sandbox.todoist_model import Task, timestamp
from oo_app.sandbox.todoist_store import Account, Change

Mode = Literal["good", "bad_signature", "no_signature", "duplicate", "late"]
MODES: frozenset[str] = frozenset(get_args(Mode))
SILENT_ACCOUNT = "author"  # the app's own author hears nothing
RETRY_AFTER = timedelta(minutes=15)
TRIES = 4  # the first, and at most three more
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification on its way; a re-delivery keeps its id."""

    id: str
    body: bytes
    signature: str | None
    tries: int
    next_at: datetime


class Webhooks:
    """Sends notifications once turned on; what fails is tried again after 15 minutes, on the next occasion."""

    def __init__(self, url: str, grants: Grants, clock: Clock, transport: httpx.AsyncBaseTransport | None) -> None:
        """Stay silent until turned on."""
        self._url = url
        self._grants = grants
        self._clock = clock
        self._transport = transport
        self.is_enabled = False
        self.mode: Mode = "good"
        self._waiting: list[Delivery] = []

    async def tell(self, account: Account, changes: list[Change]) -> None:
        """Send what happened in an account, and whatever is due to be tried again."""
        if self._hears_about(account):
            self._waiting += [self._delivery(account, change) for change in changes]
            if self.mode == "duplicate":
                self._waiting += self._waiting[-len(changes) :] if changes else []
        await self._send_due()

    async def flush(self, *, is_reversed: bool) -> int:
        """Send everything that is held back or waits to be tried again; return how much that was."""
        waiting, self._waiting = self._waiting, []
        for delivery in reversed(waiting) if is_reversed else waiting:
            await self._send(delivery)
        return len(waiting)

    def _hears_about(self, account: Account) -> bool:
        name = account.user.name
        return self.is_enabled and name != SILENT_ACCOUNT and self._grants.has_live(name)

    async def _send_due(self) -> None:
        now = self._clock.now()
        due = [delivery for delivery in self._waiting if delivery.next_at <= now]
        self._waiting = [delivery for delivery in self._waiting if delivery.next_at > now]
        for delivery in due:
            await self._send(delivery)

    async def _send(self, delivery: Delivery) -> None:
        if await self._is_taken(delivery):
            return
        tried = replace(delivery, tries=delivery.tries + 1, next_at=self._clock.now() + RETRY_AFTER)
        if tried.tries < TRIES:
            self._waiting.append(tried)

    async def _is_taken(self, delivery: Delivery) -> bool:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Todoist-Webhooks",
            "X-Todoist-Delivery-ID": delivery.id,
        }
        if delivery.signature is not None:
            headers["X-Todoist-Hmac-SHA256"] = delivery.signature
        # A client of its own, not kit's: the app under test must not lend its connections, limits or faults.
        client = httpx.AsyncClient(transport=self._transport, timeout=TIMEOUT_S)  # noqa: TID251
        try:
            async with client:
                answer = await client.post(self._url, content=delivery.body, headers=headers)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    def _delivery(self, account: Account, change: Change) -> Delivery:
        body = json.dumps(_notification(account, change), ensure_ascii=False).encode()
        later = timedelta(days=365) if self.mode == "late" else timedelta(0)
        return Delivery(secrets.token_hex(16), body, self._signature(body), 0, self._clock.now() + later)

    def _signature(self, body: bytes) -> str | None:
        if self.mode == "no_signature":
            return None
        return sign(body, "not-the-secret" if self.mode == "bad_signature" else CLIENT_SECRET)


def sign(body: bytes, secret: str) -> str:
    """Return the signature that Todoist puts into X-Todoist-Hmac-SHA256."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def _notification(account: Account, change: Change) -> dict[str, Any]:
    user = account.user
    notification: dict[str, Any] = {
        "event_name": _event_name(change),
        "user_id": user.id,
        "version": "10",
        "triggered_at": timestamp(change.at),
        "initiator": {
            "id": user.id,
            "full_name": user.full_name,
            "email": user.email,
            "image_id": None,
            "is_premium": False,
        },
        "event_data": _event_data(change.task),
    }
    if change.before is not None and change.intent is not None:
        notification["event_data_extra"] = {"old_item": _event_data(change.before), "update_intent": change.intent}
    return notification


def _event_name(change: Change) -> str:
    # A recurring task is not completed but moved; only the intent tells that somebody did it.
    if change.happening == "completed" and change.task.completed_at is None:
        return "item:updated"
    return f"item:{change.happening}"


def _event_data(task: Task) -> dict[str, Any]:
    return task.as_json() | {"url": f"https://app.todoist.com/app/task/{task.id}"}
