"""Who renews a grant: one process at a time, by a claim in the connection's row that ends by itself."""

from datetime import timedelta

from sqlalchemy import or_, update
from sqlmodel import col

from oo_app.connections.models import Connection
from oo_app.connections.store import Held, held, this_grant
from oo_app.kit.errors import SourceDown
from oo_app.runtime import Runtime

CLAIMED_FOR = timedelta(seconds=30)  # half of the 60 s in which Todoist answers a spent refresh token once more
LOOK_EVERY_S = 0.25
LOOKS = 160  # for 40 s: longer than any claim


async def claim_refresh(rt: Runtime, connection: Held) -> Held | None:
    """Claim the renewal of a grant; or wait for whoever has it, and return the connection with what came of it.

    The connection is due again when the claim ends, so that a renewal broken off by a crash is taken up at once.
    """
    for _ in range(LOOKS):
        if await _is_claimed(rt, connection):
            return None
        await rt.clock.sleep(LOOK_EVERY_S)
        now = await held(rt, connection.id)
        if now.access_token != connection.access_token:
            return now
    raise SourceDown(None, cause="renewal under way")


async def give_back_refresh(rt: Runtime, connection: Held) -> None:
    """Give a claim back after a renewal that the source did not answer."""
    async with rt.db.begin() as tx:
        values = {"refreshing_until": None}
        await tx.session.execute(update(Connection).where(*this_grant(connection)).values(**values))


async def _is_claimed(rt: Runtime, connection: Held) -> bool:
    async with rt.db.begin() as tx:
        is_free = or_(col(Connection.refreshing_until).is_(None), col(Connection.refreshing_until) <= tx.now)
        # Who renewed meanwhile gave the grant another end: then it is not ours to claim with the token that is spent.
        same = col(Connection.access_expires_at).is_not_distinct_from(connection.access_expires_at)
        until = tx.now + CLAIMED_FOR
        claim = (
            update(Connection)
            .where(*this_grant(connection), is_free, same)
            .values(refreshing_until=until, next_read_at=until)
        )
        return (await tx.session.execute(claim.returning(col(Connection.id)))).scalar_one_or_none() is not None
