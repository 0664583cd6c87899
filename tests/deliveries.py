"""Deliveries of Todoist's webhook, signed as the sandbox's secret signs them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from tests.browser import Browser

SECRET = "oo-sandbox-todoist-secret"


def signed(body: bytes, secret: str = SECRET) -> str:
    """Return the signature of a body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


async def a_delivery(browser: Browser, *, delivery_id: str = "a-delivery", **told: Any) -> httpx.Response:
    """Send a signed delivery."""
    body = json.dumps({"event_name": "item:updated", "triggered_at": "2026-11-23T09:00:00Z", **told}).encode()
    return await deliver(browser, body, delivery_id, signed(body))


async def deliver(browser: Browser, body: bytes, delivery_id: str | None, signature: str | None) -> httpx.Response:
    """Send a body as it is."""
    headers = {"Content-Type": "application/json"}
    if delivery_id is not None:
        headers["X-Todoist-Delivery-ID"] = delivery_id
    if signature is not None:
        headers["X-Todoist-Hmac-SHA256"] = signature
    return await browser.client.post("/webhooks/todoist", content=body, headers=headers)


def of_change(
    event: str, before: Mapping[str, Any] | None, after: Mapping[str, Any], *, at: datetime, intent: str | None = None
) -> bytes:
    """Return the body by which Todoist tells a change of a task."""
    told: dict[str, Any] = {
        "event_name": event,
        "user_id": after["user_id"],
        "version": "10",
        "triggered_at": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "event_data": after,
    }
    if before is not None and intent is not None:
        told["event_data_extra"] = {"old_item": before, "update_intent": intent}
    return json.dumps(told).encode()
