"""Where facts are stored with what caused them: the table, how far the mirror has come, and what is dropped in time."""

import json
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlmodel import Field, SQLModel, col

from oo_app.kit.db import DROPPED_AT_ONCE, Database, Tx, UtcDateTime
from oo_app.kit.ids import new_id

KEPT = timedelta(days=30)
MOST_ROWS = 1_000_000  # some 350 bytes each with their indexes
MOST_PURGED = 100_000  # in a run; ten times what other things may, since there are as many more events


class Outbox(SQLModel, table=True):
    """One emitted fact. `done_at` is set when every handler has run; `is_parked` when one failed five times."""

    # Without it SQLite would give the number of a deleted last row again, and the mirror believe to have had it.
    __table_args__ = {"sqlite_autoincrement": True}

    seq: int | None = Field(default=None, primary_key=True)
    id: str = Field(max_length=36, unique=True)
    user_id: str | None = Field(default=None, foreign_key="user.id", ondelete="CASCADE", index=True)
    subject: str = Field(max_length=80)
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    payload: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    next_at: datetime = Field(sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    attempts: int = 0
    is_parked: bool = False


class Mirrored(SQLModel, table=True):
    """How far the mirror has come: whatever is numbered up to `seq` is acknowledged. One row, or none at first."""

    __tablename__ = "mirror"  # pyright: ignore[reportAssignmentType] -- SQLModel declares it for methods only

    id: int = Field(primary_key=True)
    seq: int
    at: datetime = Field(sa_type=UtcDateTime)


@dataclass(frozen=True, slots=True)
class Purged:
    """How many facts were dropped, and how many of them no mirror has had."""

    facts: int
    unmirrored: int


_INSERT = insert(SQLModel.metadata.tables["outbox"])
PROGRESS = select(func.coalesce(func.max(col(Mirrored.seq)), 0))


async def store(tx: Tx, heard: Container[str]) -> list[str]:
    """Write what the transaction emits, and return the ids. A subject that nobody hears is done at once."""
    rows: list[dict[str, object]] = []
    for fact in tx.emitted:
        payload = fact.payload()
        rows.append(
            {
                "id": new_id(tx.now),
                "user_id": payload.get("user_id"),
                "subject": fact.subject,
                "version": fact.version,
                "payload": json.dumps(payload, separators=(",", ":")),
                "created_at": tx.now,
                "next_at": tx.now,
                "done_at": None if fact.subject in heard else tx.now,
                "attempts": 0,
                "is_parked": False,
            }
        )
    await tx.session.execute(_INSERT, rows)
    return [str(row["id"]) for row in rows]


async def purge(db: Database, *, has_mirror: bool, most_rows: int) -> Purged:
    """Drop handled facts after thirty days, once a mirror in use has had them; beyond the size, the oldest anyway.

    In batches, each a transaction of its own.
    """
    dropped = Purged(0, 0)
    while dropped.facts < MOST_PURGED:
        async with db.begin() as tx:
            batch = await _drop(tx, has_mirror=has_mirror, most_rows=most_rows)
        if not batch.facts:
            break
        dropped = Purged(dropped.facts + batch.facts, dropped.unmirrored + batch.unmirrored)
    return dropped


async def _drop(tx: Tx, *, has_mirror: bool, most_rows: int) -> Purged:
    progress = (await tx.session.execute(PROGRESS)).scalar_one()
    is_old = col(Outbox.done_at) < tx.now - KEPT
    if has_mirror:
        is_old &= col(Outbox.seq) <= progress
    dropped = await _oldest(tx, is_old, DROPPED_AT_ONCE)
    if not dropped:
        rows = (await tx.session.execute(select(func.count()).select_from(Outbox))).scalar_one()
        over = min(max(rows - most_rows, 0), DROPPED_AT_ONCE)
        dropped = await _oldest(tx, col(Outbox.done_at).is_not(None), over)
    return Purged(len(dropped), sum(seq > progress for seq in dropped) if has_mirror else 0)


async def _oldest(tx: Tx, which: ColumnElement[bool], most: int) -> list[int]:
    oldest = select(col(Outbox.seq)).where(which).order_by(col(Outbox.seq)).limit(most)
    dropped = delete(Outbox).where(col(Outbox.seq).in_(oldest)).returning(col(Outbox.seq))
    return [seq for seq in (await tx.session.execute(dropped)).scalars() if seq is not None]
