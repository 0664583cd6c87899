"""What an impression was worth, at the latest word."""

from sqlalchemy.dialects.sqlite import insert as upsert

from ml.reward import SILENCE, VERSION, delayed_reward
from oo_app.events import Cause, FeedbackReward
from oo_app.kit.db import Tx
from oo_app.tips.models import Impression, Reward


async def put_reward(tx: Tx, impression: Impression, cause: Cause, value: float) -> None:
    """Set an impression's reward; a later word replaces an earlier one."""
    row = {
        "impression_id": impression.id,
        "user_id": impression.user_id,
        "version": VERSION,
        "cause": cause,
        "value": value,
        "at": tx.now,
    }
    await tx.session.execute(
        upsert(Reward).values(row).on_conflict_do_update(index_elements=["impression_id"], set_=row)
    )
    tx.emit(FeedbackReward(impression.user_id, impression.id, value, cause))


async def put_settled(tx: Tx, impression: Impression) -> None:
    """Set what an impression that ended by itself is worth; one that nobody saw is void."""
    if impression.outcome == "completed" and impression.closed_at is not None:
        await put_reward(tx, impression, "completed", delayed_reward(impression.closed_at - impression.served_at))
    elif impression.outcome == "expired" and impression.seen_at is not None:
        await put_reward(tx, impression, "silence", SILENCE)
