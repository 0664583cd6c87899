"""Leaving for good: rows erased, the key destroyed, both noted; and the replay that heals whatever was restored.

The ledger stands in both stores, each half written in the transaction that does its part. Whichever of the two is
restored, or whichever part a crash left out, the other half makes up for it at the next start (ADR 13).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlmodel import col

from oo_app.accounts.models import Deletion, User
from oo_app.kit import log
from oo_app.kit.db import Tx
from oo_app.kit.keystore import person_hash
from oo_app.runtime import Runtime

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many people had come back by a restore or a crash, and were forgotten again."""

    people: int
    keys: int


async def erase(rt: Runtime, user_id: str) -> None:
    """Remove a person: one delete that cascades, then the key, so that copies are unreadable."""
    async with rt.db.begin() as tx:
        await tx.session.execute(delete(User).where(col(User.id) == user_id))
        await _note(tx, {person_hash(user_id): tx.now})
        at = tx.now
    await rt.vault.destroy_for([user_id], at)


async def replay(rt: Runtime, known: Mapping[str, datetime] | None = None) -> Replayed:
    """Forget again whoever was deleted and is back, and make both halves of the ledger the same.

    `known` are deletions that neither store may have heard of: those of a database that is about to be replaced.
    """
    in_database, in_store = await _half(rt), await rt.vault.store.ledger()
    deleted = {**(known or {}), **in_database, **in_store}
    back = [user_id for user_id in await _people(rt) if person_hash(user_id) in deleted]
    readable = [user_id for user_id in await rt.vault.store.people() if person_hash(user_id) in deleted]
    if back or deleted.keys() - in_database.keys():
        async with rt.db.begin() as tx:
            for user_id in back:
                await tx.session.execute(delete(User).where(col(User.id) == user_id))
            await _note(tx, deleted)
    if readable:
        await rt.vault.destroy_for(readable, rt.clock.now())
    await rt.vault.store.note({hashed: at for hashed, at in deleted.items() if hashed not in in_store})
    await rt.db.truncate_wal()
    if back or readable:
        _log.warning("ledger.replayed", people=len(back), keys=len(readable))
    return Replayed(len(back), len(readable))


async def undone_deletions(rt: Runtime) -> int:
    """Count the deleted who are back, in either store."""
    deleted = {**await _half(rt), **await rt.vault.store.ledger()}
    people = await _people(rt) | await rt.vault.store.people()
    return sum(person_hash(user_id) in deleted for user_id in people)


async def keyless(rt: Runtime) -> tuple[int, int]:
    """Count the people whose key is missing, and all people."""
    people = await _people(rt)
    return len(people - await rt.vault.store.people()), len(people)


async def _people(rt: Runtime) -> set[str]:
    async with rt.db.read() as session:
        return set((await session.execute(select(col(User.id)))).scalars())


async def _half(rt: Runtime) -> Mapping[str, datetime]:
    async with rt.db.read() as session:
        rows = (await session.execute(select(col(Deletion.person_hash), col(Deletion.at)))).all()
    return {row.person_hash: row.at for row in rows}


async def _note(tx: Tx, deleted: Mapping[str, datetime]) -> None:
    rows = [{"person_hash": hashed, "at": at} for hashed, at in deleted.items()]
    await tx.session.execute(upsert(Deletion).on_conflict_do_nothing(), rows)
