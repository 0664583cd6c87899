"""Delayed reward: a completion in the item's own app is credited to the impression that came before it."""

from datetime import datetime

from sqlalchemy import select
from sqlmodel import col

from ml.reward import DELAYED_WINDOW, delayed_reward
from oo_app.events import FeedbackDelayed
from oo_app.runtime import Runtime
from oo_app.tips.learning import follow, mind_of
from oo_app.tips.models import Impression, Reaction, Reward
from oo_app.tips.rewards import put_reward


async def credit(rt: Runtime, user_id: str, item_id: str, completed_at: datetime) -> None:
    """Reward the last impression of a completed item, shown at most 24 h before; once, never over a done or dismiss."""
    async with rt.db.begin() as tx:
        query = (
            select(Impression)
            .where(
                col(Impression.user_id) == user_id,
                col(Impression.item_id) == item_id,
                col(Impression.served_at) <= completed_at,
                col(Impression.served_at) >= completed_at - DELAYED_WINDOW,
                col(Impression.outcome).is_distinct_from("withdrawn"),
            )
            .order_by(col(Impression.served_at).desc())
            .limit(1)
        )
        impression = (await tx.session.execute(query)).scalar_one_or_none()
        if impression is None:
            return
        reward = await tx.session.get(Reward, impression.id)
        standing = select(col(Reaction.action)).where(
            col(Reaction.impression_id) == impression.id,
            col(Reaction.undone_at).is_(None),
        )
        action = (await tx.session.execute(standing)).scalar_one_or_none()
        if action in {"done", "dismiss"} or (reward is not None and reward.cause == "completed"):
            return
        if action is None:
            # It ended when the item was completed, however late we are told, also when it was silent until then.
            impression.closed_at, impression.outcome = min(completed_at, tx.now), "completed"
            tx.session.add(impression)
            await tx.session.flush()
        value = delayed_reward(completed_at - impression.served_at)
        await put_reward(tx, impression, "completed", value)
        await follow(tx, mind_of(rt.policy), impression)
        tx.emit(FeedbackDelayed(user_id, impression.id, value))
