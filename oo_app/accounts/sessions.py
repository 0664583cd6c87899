"""Sessions: an opaque cookie, a hashed row; sliding thirty days, never more than ninety."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import bindparam, delete, or_, select, update
from sqlmodel import col

from oo_app.accounts.models import ApiToken, Flow, Session, User
from oo_app.kit.crypto import hash_token, new_token
from oo_app.kit.db import Tx
from oo_app.kit.errors import NotSignedIn
from oo_app.runtime import Runtime

SLIDING = timedelta(days=30)
ABSOLUTE = timedelta(days=90)
TOUCHED_EVERY = timedelta(hours=1)  # a write an hour keeps reading cheap


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, by a session that is alive; or by a token, whose id then stands for the session's."""

    user_id: str
    session_id: str
    role: str


async def open_session(tx: Tx, user_id: str, *, replacing: str | None) -> str:
    """Open a session and return the cookie's value; the one the browser came with ends."""
    token = new_token()
    if replacing:
        await tx.session.execute(delete(Session).where(col(Session.id) == hash_token(replacing)))
    tx.session.add(Session(id=hash_token(token), user_id=user_id, created_at=tx.now, seen_at=tx.now))
    return token


async def caller(rt: Runtime, token: str | None) -> Caller:
    """Return who holds the cookie's value; NotSignedIn when nobody does any more."""
    found = await find_caller(rt, token)
    if found is None:
        raise NotSignedIn
    return found


_CALLER = (
    select(col(Session.user_id), col(Session.created_at), col(Session.seen_at), col(User.role))
    .join(User, col(User.id) == col(Session.user_id))
    .where(col(Session.id) == bindparam("id"))
)


async def find_caller(rt: Runtime, token: str | None) -> Caller | None:
    """Return who holds the cookie's value, if anybody."""
    if not token:
        return None
    now = rt.clock.now()
    session_id = hash_token(token)
    rows = await rt.db.fetch(_CALLER, {"id": session_id})
    row = rows[0] if rows else None
    if row is None or now - row.seen_at >= SLIDING or now - row.created_at >= ABSOLUTE:
        return None
    if now - row.seen_at >= TOUCHED_EVERY:
        await _touch(rt, session_id)
    return Caller(user_id=row.user_id, session_id=session_id, role=row.role)


async def close_session(rt: Runtime, token: str | None) -> None:
    """End a session on the server; ending one that is gone is fine."""
    if token:
        async with rt.db.begin() as tx:
            await tx.session.execute(delete(Session).where(col(Session.id) == hash_token(token)))


async def purge_sessions(rt: Runtime, most: int) -> int:
    """Drop sessions that have run out, up to so many; return how many."""
    return await rt.db.drop(
        Session, lambda now: or_(col(Session.seen_at) <= now - SLIDING, col(Session.created_at) <= now - ABSOLUTE), most
    )


async def end_all(rt: Runtime) -> None:
    """End all that opens the door: after a restore, what was ended since the backup must not come back."""
    async with rt.db.begin() as tx:
        for opener in (Session, Flow, ApiToken):
            await tx.session.execute(delete(opener))


async def _touch(rt: Runtime, session_id: str) -> None:
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Session).where(col(Session.id) == session_id).values(seen_at=tx.now))
