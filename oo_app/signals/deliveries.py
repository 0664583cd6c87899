"""Deliveries of webhooks, as the next reading of their connection works them: hints of what to look for."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlmodel import col

from oo_app.connections import Held
from oo_app.kit.crypto import Place
from oo_app.kit.db import Tx
from oo_app.runtime import Runtime
from oo_app.signals.models import Delivery
from oo_app.sources import Call, Completion, Source

MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Hints:
    """Deliveries that wait to be worked, and the completions they tell."""

    ids: Sequence[str]
    completions: Sequence[Completion]


NONE = Hints((), ())


def place(delivery_id: str) -> Place:
    """Return where a delivery's body is sealed to."""
    return Place("delivery", delivery_id, "body")


async def hinted(rt: Runtime, connection: Held, source: Source) -> Hints:
    """Open the deliveries that wait for a connection's reading, the oldest first."""
    if not source.has_webhooks:
        return NONE
    query = (
        select(col(Delivery.id), col(Delivery.body))
        .where(col(Delivery.connection_id) == connection.id, col(Delivery.worked_at).is_(None))
        .order_by(col(Delivery.id))
        .limit(MOST_AT_ONCE)
    )
    async with rt.db.read() as session:
        rows = (await session.execute(query)).all()
    vault = await rt.vault.for_user(connection.user_id)
    heard = [source.hear(Call({}, vault.open(row.body, place(row.id)).encode())) for row in rows]
    return Hints([row.id for row in rows], [each for delivery in heard for each in delivery.completions])


async def is_left(tx: Tx, connection_id: str, hints: Hints) -> bool:
    """Tell whether a delivery came while its connection was being read, so that it has to be read again."""
    if hints is NONE:
        return False
    waiting = (col(Delivery.connection_id) == connection_id, col(Delivery.worked_at).is_(None))
    query = select(col(Delivery.id)).where(*waiting, col(Delivery.id).not_in(hints.ids)).limit(1)
    return (await tx.session.execute(query)).scalar_one_or_none() is not None


async def mark_worked(tx: Tx, hints: Hints) -> None:
    """Note that a reading took its deliveries into account; said in the transaction that stores the last of it."""
    if hints.ids:
        await tx.session.execute(update(Delivery).where(col(Delivery.id).in_(hints.ids)).values(worked_at=tx.now))
