"""What decisions keep: their details for thirty days, so that they can be replayed; then only what came of them."""

from datetime import timedelta

from sqlalchemy import func, select, update
from sqlmodel import col

from oo_app.runtime import Runtime
from oo_app.tips.models import Decision

DETAILED_FOR = timedelta(days=30)
BATCH = 50  # of up to some 40 kB each


async def purge_details(rt: Runtime, most: int) -> int:
    """Blank the details of decisions older than thirty days, up to so many; return how many. All else stays."""
    total = 0
    while total < most and (blanked := await _blank_some(rt)):
        total += blanked
    return total


async def _blank_some(rt: Runtime) -> int:
    """Blank a batch: somebody who reacts meanwhile waits for no more than that."""
    arrays = dict.fromkeys(("context", "candidates", "scores", "propensities", "state"), b"")
    blank = {"candidate_ids": "[]", **arrays}
    async with rt.db.begin() as tx:
        is_old = (func.length(col(Decision.context)) > 0, col(Decision.at) <= tx.now - DETAILED_FOR)
        ids = (await tx.session.execute(select(col(Decision.id)).where(*is_old).limit(BATCH))).scalars().all()
        if ids:
            await tx.session.execute(update(Decision).where(col(Decision.id).in_(ids)).values(**blank))
    return len(ids)
