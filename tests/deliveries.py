"""Deliveries of Todoist's webhook, signed as the sandbox's secret signs them."""

import base64
import hashlib
import hmac
import json
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


async def deliver(browser: Browser, body: bytes, delivery_id: str, signature: str | None) -> httpx.Response:
    """Send a body as it is."""
    headers = {"X-Todoist-Delivery-ID": delivery_id, "Content-Type": "application/json"}
    if signature is not None:
        headers["X-Todoist-Hmac-SHA256"] = signature
    return await browser.client.post("/webhooks/todoist", content=body, headers=headers)
