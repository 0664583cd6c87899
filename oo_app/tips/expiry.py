"""How impressions end by themselves: their time is over, or their item is no longer there to be done."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlmodel import col

from oo_app import signals
from oo_app.runtime import Runtime
from oo_app.tips.learning import follow, mind_of
from oo_app.tips.models import Impression
from oo_app.tips.rewards import put_settled

OPEN_FOR = timedelta(hours=24)
BATCH = 200


def expired_at(served_at: datetime) -> datetime:
    """Return when an impression that nobody answers ends."""
    return served_at + OPEN_FOR


async def settle(rt: Runtime, user_id: str | None = None) -> None:
    """End what nobody answered for 24 hours, for everybody or for one person: silence when it was seen, else void."""
    async with rt.db.begin() as tx:
        query = select(Impression).where(
            col(Impression.closed_at).is_(None),
            col(Impression.served_at) <= tx.now - OPEN_FOR,
        )
        if user_id is not None:
            query = query.where(col(Impression.user_id) == user_id)
        for impression in (await tx.session.execute(query.limit(BATCH))).scalars().all():
            impression.closed_at, impression.outcome = tx.now, "expired"
            tx.session.add(impression)
            await tx.session.flush()
            await put_settled(tx, impression)
            await follow(tx, mind_of(rt.policy), impression)


async def end_gone(rt: Runtime, user_id: str) -> None:
    """End the open impression when its item was completed, deleted or moved away at its source, or disconnected."""
    async with rt.db.read() as session:
        query = select(col(Impression.id), col(Impression.item_id)).where(
            col(Impression.user_id) == user_id, col(Impression.closed_at).is_(None)
        )
        found = (await session.execute(query)).one_or_none()
    if found is None or (found.item_id and await signals.find_open(rt, user_id, found.item_id)):
        return
    async with rt.db.begin() as tx:
        still_open = (col(Impression.id) == found.id, col(Impression.closed_at).is_(None))
        await tx.session.execute(update(Impression).where(*still_open).values(closed_at=tx.now, outcome="gone"))
