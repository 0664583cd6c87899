"""What oO has told a person lately, for features: too much of it, or what they keep refusing, is no help."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import and_, bindparam, select
from sqlmodel import col

from oo_app.features import Dose, day_of
from oo_app.runtime import Runtime
from oo_app.tips.models import Impression, Reaction

LOOKED_BACK = 30  # impressions; features count no further
REFUSALS = frozenset({"snooze", "dismiss"})

# Built once: a statement made anew for each call costs as much as running it.
_LATELY = (
    select(col(Impression.served_at), col(Reaction.action))
    .outerjoin(Reaction, and_(col(Reaction.impression_id) == col(Impression.id), col(Reaction.undone_at).is_(None)))
    .where(col(Impression.user_id) == bindparam("user_id"), col(Impression.outcome).is_distinct_from("withdrawn"))
    .order_by(col(Impression.served_at).desc())
    .limit(LOOKED_BACK)
)


async def dose(rt: Runtime, user_id: str, zone: ZoneInfo, now: datetime) -> Dose:
    """Count the tips of the person's day and the refusals in a row; what was undone or withdrawn does not count."""
    lately = await rt.db.fetch(_LATELY, {"user_id": user_id})
    begins, _ = day_of(now, zone)
    answers = [action for _, action in lately if action]  # none where nobody answered
    kept = next((place for place, action in enumerate(answers) if action not in REFUSALS), len(answers))
    return Dose(
        tips_today=sum(served_at >= begins for served_at, _ in lately),
        last_at=lately[0].served_at if lately else None,
        refusals=kept,
    )
