"""Impressions that nobody answered for 24 hours: silence when the page was seen, void when it was not."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import col

from ml.reward import SILENCE
from oo_app.runtime import Runtime
from oo_app.tips.models import Impression
from oo_app.tips.rewards import put_reward

OPEN_FOR = timedelta(hours=24)
BATCH = 200


def expired_at(served_at: datetime) -> datetime:
    """Return when an impression that nobody answers ends."""
    return served_at + OPEN_FOR


async def settle(rt: Runtime, user_id: str | None = None) -> None:
    """End what is over, for everybody or for one person."""
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
            if impression.seen_at is not None:
                await put_reward(tx, impression, "silence", SILENCE)
