"""The store of people's wrapped keys: a database of its own (OO_KEYS_URL), with its half of the deletion ledger.

It knows no key in plain; `crypto.Vault` wraps and unwraps. The ledger stands in the main database as well, so that
restoring either one alone heals at the next start (ADR 13).
"""

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Column, LargeBinary, MetaData, String, Table, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine

from oo_app.kit.config import SettingsError
from oo_app.kit.db import UtcDateTime
from oo_app.kit.sqlite import open_engine

# EXTRA: a key that is destroyed stays so when the machine loses power a moment later.
PRAGMAS = ("journal_mode=DELETE", "synchronous=EXTRA", "secure_delete=ON", "temp_store=MEMORY", "busy_timeout=5000")
BATCH = 500

_metadata = MetaData()
_person_keys = Table(
    "person_key",
    _metadata,
    Column("user_id", String(36), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)
_destroyed = Table(
    "destroyed",
    _metadata,
    Column("person_hash", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)


def person_hash(user_id: str) -> str:
    """Return what the ledger keeps of a person.

    A plain hash: an id is random (74 bits), so it cannot be guessed from it, and the ledger outlives every key.
    """
    return hashlib.sha256(f"oo:deleted:{user_id}".encode()).hexdigest()


class KeyStore:
    """People's wrapped keys by id, and the hashes of those whose key was destroyed."""

    def __init__(self, url: str) -> None:
        """Remember the address; `start()` opens it."""
        self._url = url
        self._engine: AsyncEngine | None = None

    async def start(self) -> None:
        """Open the store, making it where there is none; SettingsError when it cannot be read."""
        self._engine = open_engine(self._url, pragmas=PRAGMAS)
        try:
            async with self._engine.begin() as connection:
                await connection.run_sync(_metadata.create_all)
        except DatabaseError as error:
            await self.stop()
            msg = f"OO_KEYS_URL: cannot open the store of people's keys ({error.orig})"
            raise SettingsError(msg) from error
        if self._engine.url.database:
            os.chmod(self._engine.url.database, 0o600)  # noqa: PTH101 -- once, at the start

    async def stop(self) -> None:
        """Close every connection."""
        if self._engine:
            await self._engine.dispose()

    async def add(self, wrapped: Mapping[str, bytes]) -> None:
        """Keep the keys of people who have none yet."""
        rows = [{"user_id": user_id, "wrapped": key} for user_id, key in wrapped.items()]
        async with self._open.begin() as connection:
            await connection.execute(insert(_person_keys), rows)

    async def find(self, user_id: str) -> bytes | None:
        """Return a person's wrapped key, if they have one."""
        query = select(_person_keys.c.wrapped).where(_person_keys.c.user_id == user_id)
        async with self._open.connect() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def page(self, after: str = "") -> Sequence[tuple[str, bytes]]:
        """Return the next keys in the order of their people's ids."""
        query = select(_person_keys.c.user_id, _person_keys.c.wrapped).where(_person_keys.c.user_id > after)
        async with self._open.connect() as connection:
            rows = (await connection.execute(query.order_by(_person_keys.c.user_id).limit(BATCH))).all()
        return [(row.user_id, row.wrapped) for row in rows]

    async def people(self) -> set[str]:
        """Return the ids of everybody who has a key."""
        async with self._open.connect() as connection:
            return set((await connection.execute(select(_person_keys.c.user_id))).scalars())

    async def rewrap(self, changes: Sequence[tuple[str, bytes, bytes]]) -> int:
        """Replace (person, old wrapping, new wrapping); a key that was destroyed meanwhile stays destroyed."""
        changed = 0
        async with self._open.begin() as connection:
            for user_id, before, after in changes:
                mine = (_person_keys.c.user_id == user_id, _person_keys.c.wrapped == before)
                changed += (await connection.execute(update(_person_keys).where(*mine).values(wrapped=after))).rowcount
        return changed

    async def destroy(self, user_ids: Collection[str], at: datetime) -> None:
        """Destroy people's keys and note it in the ledger, both or neither."""
        async with self._open.begin() as connection:
            for user_id in user_ids:
                await connection.execute(delete(_person_keys).where(_person_keys.c.user_id == user_id))
                noted = upsert(_destroyed).values(person_hash=person_hash(user_id), at=at).on_conflict_do_nothing()
                await connection.execute(noted)

    async def ledger(self) -> Mapping[str, datetime]:
        """Return whose keys were destroyed, and when."""
        async with self._open.connect() as connection:
            rows = (await connection.execute(select(_destroyed.c.person_hash, _destroyed.c.at))).all()
        return {row.person_hash: row.at for row in rows}

    async def note(self, deleted: Mapping[str, datetime]) -> None:
        """Add to the ledger what the other half of it knows."""
        if not deleted:
            return
        rows = [{"person_hash": hashed, "at": at} for hashed, at in deleted.items()]
        async with self._open.begin() as connection:
            await connection.execute(upsert(_destroyed).on_conflict_do_nothing(), rows)

    @property
    def _open(self) -> AsyncEngine:
        if self._engine is None:
            msg = "the key store is not open"
            raise RuntimeError(msg)
        return self._engine
