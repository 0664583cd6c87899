"""Opaque texts that carry their own content and prove who made them: codes, cursors, sync tokens, access tokens."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any


class Signer:
    """Seals small JSON values with HMAC-SHA256, each kind apart, and opens only what it sealed."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        """Use one secret for all kinds; it is asked for when first needed, so that building does no I/O."""
        self._secret = secret

    def seal(self, kind: str, value: dict[str, Any]) -> str:
        """Return a URL-safe text holding the value."""
        payload = b64url(json.dumps(value, separators=(",", ":"), sort_keys=True).encode())
        return f"{payload}.{self._mac(kind, payload)}"

    def open(self, kind: str, text: str) -> dict[str, Any] | None:
        """Return the value of a text sealed as this kind, or None for any other text."""
        payload, _, mac = text.partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(kind, payload).encode()):
            return None
        return json.loads(unb64url(payload))

    def digest(self, kind: str, text: str) -> str:
        """Return 64 hexadecimal characters that only this secret can make."""
        return hmac.new(self._secret(), f"{kind}\n{text}".encode(), hashlib.sha256).hexdigest()

    def _mac(self, kind: str, payload: str) -> str:
        return self.digest(kind, payload)[:32]


def b64url(raw: bytes) -> str:
    """Encode as JOSE does: URL-safe, without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    """Decode what b64url made."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
