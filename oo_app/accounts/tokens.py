"""Tokens by which a person's programs call the API: shown once, stored hashed, ninety days."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, select, update
from sqlmodel import col

from oo_app.accounts.models import ApiToken
from oo_app.accounts.sessions import Caller
from oo_app.kit.crypto import Place, hash_token, new_token
from oo_app.kit.errors import Enough, NotFound, NotSignedIn
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime

PREFIX = "oo_"  # so that scanners of source code can tell what they found
LIFETIME = timedelta(days=90)
MOST = 20
TOUCHED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Minted:
    """A new token; `token` is shown this once."""

    id: str
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token as its person sees it afterwards."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


async def mint(rt: Runtime, user_id: str, name: str) -> Minted:
    """Make a token; Enough when the person has twenty that live."""
    vault = await rt.vault.for_user(user_id)
    minted = Minted(new_id(rt.clock.now()), f"{PREFIX}{new_token()}", rt.clock.now() + LIFETIME)
    async with rt.db.begin() as tx:
        living = (col(ApiToken.user_id) == user_id, col(ApiToken.expires_at) > tx.now)
        query = select(func.count()).select_from(ApiToken).where(*living)
        if (await tx.session.execute(query)).scalar_one() >= MOST:
            msg = f"There are {MOST} tokens already; delete one first"
            raise Enough(msg)
        tx.session.add(
            ApiToken(
                id=minted.id,
                user_id=user_id,
                token_hash=hash_token(minted.token),
                name=vault.seal(name, Place("api_token", minted.id, "name")),
                created_at=tx.now,
                expires_at=minted.expires_at,
            )
        )
    return minted


async def tokens(rt: Runtime, user_id: str) -> list[TokenView]:
    """Return the person's living tokens, oldest first."""
    vault = await rt.vault.for_user(user_id)
    async with rt.db.read() as session:
        query = (
            select(ApiToken)
            .where(col(ApiToken.user_id) == user_id, col(ApiToken.expires_at) > rt.clock.now())
            .order_by(col(ApiToken.id))
        )
        rows = (await session.execute(query)).scalars().all()
    return [
        TokenView(
            id=row.id,
            name=vault.open(row.name, Place("api_token", row.id, "name")),
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
        )
        for row in rows
    ]


async def withdraw_token(rt: Runtime, user_id: str, token_id: str) -> None:
    """End a token at once; NotFound when it is not the person's."""
    async with rt.db.begin() as tx:
        mine = (col(ApiToken.id) == token_id, col(ApiToken.user_id) == user_id)
        query = delete(ApiToken).where(*mine).returning(col(ApiToken.id))
        if (await tx.session.execute(query)).scalar_one_or_none() is None:
            msg = "There is no such token"
            raise NotFound(msg)


_BEARER = select(col(ApiToken.id), col(ApiToken.user_id), col(ApiToken.expires_at), col(ApiToken.last_used_at)).where(
    col(ApiToken.token_hash) == bindparam("token_hash")
)


async def bearer(rt: Runtime, token: str) -> Caller:
    """Return who a token speaks for, never as an admin; NotSignedIn when it is none that lives."""
    now = rt.clock.now()
    rows = await rt.db.fetch(_BEARER, {"token_hash": hash_token(token)}) if token.startswith(PREFIX) else ()
    if not rows or rows[0].expires_at <= now:
        raise NotSignedIn
    row = rows[0]
    if row.last_used_at is None or now - row.last_used_at >= TOUCHED_EVERY:
        async with rt.db.begin() as tx:
            await tx.session.execute(update(ApiToken).where(col(ApiToken.id) == row.id).values(last_used_at=tx.now))
    return Caller(user_id=row.user_id, session_id=row.id, role="user")


async def purge_tokens(rt: Runtime, most: int) -> int:
    """Drop tokens that have run out, up to so many; return how many."""
    return await rt.db.drop(ApiToken, lambda now: col(ApiToken.expires_at) <= now, most)
