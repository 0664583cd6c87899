"""OAuth round trips, for sign-in and for sources: one-time state, bound to the browser that began."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from authlib.oauth2 import rfc7636
from sqlmodel import col

from oo_app.accounts.models import Flow
from oo_app.kit.crypto import hash_token, new_token, same
from oo_app.kit.errors import Invalid
from oo_app.runtime import Runtime

LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Begun:
    """What goes to the other side: `state`, `nonce` and the PKCE verifier's owner."""

    state: str
    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        """The PKCE challenge of the verifier (RFC 7636, S256)."""
        authlib: Any = rfc7636  # untyped
        return authlib.create_s256_code_challenge(self.verifier)


@dataclass(frozen=True, slots=True)
class Taken:
    """A round trip that came back to the browser it left from."""

    nonce: str
    verifier: str
    user_id: str | None


async def begin_flow(rt: Runtime, purpose: str, browser: str, *, user_id: str | None = None) -> Begun:
    """Start a round trip for the browser that holds the given secret cookie."""
    begun = Begun(state=new_token(), nonce=new_token(), verifier=new_token())
    async with rt.db.begin() as tx:
        tx.session.add(
            Flow(
                id=hash_token(begun.state),
                purpose=purpose,
                browser_hash=hash_token(browser),
                user_id=user_id,
                secrets=rt.vault.box(json.dumps([begun.nonce, begun.verifier])),
                expires_at=tx.now + LIFETIME,
            )
        )
    return begun


async def take_flow(rt: Runtime, purpose: str, state: str, browser: str) -> Taken:
    """End a round trip. It is used up whatever comes next; Invalid if unknown, used, late or another browser's."""
    async with rt.db.begin() as tx:
        flow = await tx.session.get(Flow, hash_token(state))
        if flow is not None and flow.purpose == purpose:
            await tx.session.delete(flow)
    if flow is None or flow.purpose != purpose or flow.expires_at <= rt.clock.now():
        msg = "That sign-in was already used or took too long. Please try again."
        raise Invalid(msg, code="expired")
    if not same(flow.browser_hash, hash_token(browser)):
        msg = "That sign-in began in another browser. Please try again."
        raise Invalid(msg, code="mismatch")
    nonce, verifier = json.loads(rt.vault.unbox(flow.secrets, within_seconds=int(LIFETIME.total_seconds())))
    return Taken(nonce=nonce, verifier=verifier, user_id=flow.user_id)


async def purge_flows(rt: Runtime, most: int) -> int:
    """Drop round trips that never came back, up to so many; return how many."""
    return await rt.db.drop(Flow, lambda now: col(Flow.expires_at) <= now, most)
