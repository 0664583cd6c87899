"""Connections as they are kept: opening the seals, storing a grant, moving the cursor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, select, update
from sqlmodel import col

from oo_app.connections.models import Connection
from oo_app.events import SourceConnected
from oo_app.kit.crypto import PersonVault, Place
from oo_app.kit.errors import NotFound
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.sources import SOURCES, Grant, Source

BATCH = 500


@dataclass(frozen=True, slots=True)
class Held:
    """A connection with its seals open; it lives no longer than the call it is for.

    `id` and `connected_at` together name the grant: connecting anew keeps the first and moves the second.
    """

    id: str
    user_id: str
    source: str
    connected_at: datetime
    access_token: str
    refresh_token: str | None
    access_expires_at: datetime | None
    owner_hash: str | None
    cursor: str | None
    needs_attention: bool
    last_read_at: datetime | None


_LIVING = select(col(Connection.id), col(Connection.user_id), col(Connection.last_read_at)).where(
    col(Connection.needs_attention).is_(False)
)
_FOUND = _LIVING.where(col(Connection.id) == bindparam("id"))
_OWNED_BY = _LIVING.where(
    col(Connection.source) == bindparam("source"),
    col(Connection.owner_hash).in_(bindparam("hashes", expanding=True)),
)
_SOURCE = select(col(Connection.source)).where(col(Connection.id) == bindparam("id"))


@dataclass(frozen=True, slots=True)
class Found:
    """A living connection that a delivery is for."""

    id: str
    user_id: str
    last_read_at: datetime | None


@cache
def sources_by_name() -> Mapping[str, Source]:
    """Return the sources by name."""
    return {source.name: source for source in SOURCES}


async def held(rt: Runtime, connection_id: str) -> Held:
    """Open one connection; NotFound once it is gone."""
    async with rt.db.read() as session:
        row = await session.get(Connection, connection_id)
    if row is None:
        msg = "That source is not connected"
        raise NotFound(msg)
    vault = await rt.vault.for_user(row.user_id)

    def opened(sealed: bytes | None, column: str) -> str | None:
        return None if sealed is None else vault.open(sealed, Place("connection", row.id, column))

    return Held(
        id=row.id,
        user_id=row.user_id,
        source=row.source,
        connected_at=row.connected_at,
        access_token=vault.open(row.access_token, Place("connection", row.id, "access_token")),
        refresh_token=opened(row.refresh_token, "refresh_token"),
        access_expires_at=row.access_expires_at,
        owner_hash=row.owner_hash,
        cursor=opened(row.cursor, "cursor"),
        needs_attention=row.needs_attention,
        last_read_at=row.last_read_at,
    )


async def source_of(rt: Runtime, connection_id: str) -> str:
    """Return the name of a connection's source; `gone` when it is no longer there."""
    rows = await rt.db.fetch(_SOURCE, {"id": connection_id})
    return rows[0][0] if rows else "gone"


async def connection_id_of(rt: Runtime, user_id: str, source_name: str) -> str | None:
    """Return the person's connection to a source, if there is one."""
    async with rt.db.read() as session:
        return (await session.execute(_id_of(user_id, source_name))).scalar_one_or_none()


async def find_by_owner(rt: Runtime, source_name: str, owner: str) -> Sequence[Found]:
    """Return the connections to an account of a source: several people may have connected the same one."""
    hashes = rt.vault.lookups(f"{source_name}:{owner}")
    return [Found(*row) for row in await rt.db.fetch(_OWNED_BY, {"source": source_name, "hashes": hashes})]


async def find(rt: Runtime, connection_id: str) -> Found | None:
    """Return a living connection."""
    rows = await rt.db.fetch(_FOUND, {"id": connection_id})
    return Found(*rows[0]) if rows else None


async def is_kept(rt: Runtime, connection_id: str) -> bool:
    """Tell whether a connection is still there."""
    async with rt.db.read() as session:
        return await session.get(Connection, connection_id) is not None


async def keep_grant(rt: Runtime, user_id: str, source_name: str, grant: Grant) -> str:
    """Store a new grant, sealed; one that stood before is replaced, and its source read from the start."""
    vault = await rt.vault.for_user(user_id)
    async with rt.db.begin() as tx:
        existing = (await tx.session.execute(_id_of(user_id, source_name))).scalar_one_or_none()
        connection_id = existing or new_id(tx.now)
        values: dict[str, Any] = _sealed(vault, connection_id, grant, tx.now) | {
            "needs_attention": False,
            "connected_at": tx.now,
            "cursor": None,
            "next_read_at": tx.now,
            "failures": 0,
            "refreshing_until": None,
        }
        if existing:
            await tx.session.execute(update(Connection).where(col(Connection.id) == connection_id).values(**values))
        else:
            tx.session.add(Connection(id=connection_id, user_id=user_id, source=source_name, **values))
        tx.emit(SourceConnected(user_id, connection_id, source_name))
    return connection_id


async def rehash_owners(rt: Runtime) -> tuple[int, int]:
    """Make the hashes of whose accounts are connected anew with the active OO_SECRET_KEYS.

    Return how many were not yet, and how many cannot be: their cursor does not say whose account it is, so they are
    read from the start, which tells. Where a source's cursors never say, what was noted is dropped: the next reading
    notes it again. People without a key are passed over.
    """
    changed, unknown, last = 0, 0, ""
    while rows := await _owned(rt, last):
        last = rows[-1].id
        for row in rows:
            try:
                vault = await rt.vault.for_user(row.user_id)
            except NotFound:
                continue
            source, owner = sources_by_name()[row.source], None
            if row.cursor is not None:
                cursor = vault.open(row.cursor, Place("connection", row.id, "cursor"))
                owner = source.owner_in(cursor)
            owner_hash = rt.vault.lookup(f"{row.source}:{owner}") if owner else None
            if owner_hash == row.owner_hash:
                continue
            is_read_again = not owner and source.tells_owner
            changed, unknown = changed + bool(owner), unknown + is_read_again
            async with rt.db.begin() as tx:
                values = {"cursor": None, "next_read_at": tx.now} if is_read_again else {"owner_hash": owner_hash}
                mine = (col(Connection.id) == row.id, col(Connection.owner_hash) == row.owner_hash)
                await tx.session.execute(update(Connection).where(*mine).values(**values))
    return changed, unknown


async def _owned(rt: Runtime, after: str) -> Sequence[Row[str, str, str, str | None, bytes | None]]:
    query = (
        select(
            col(Connection.id),
            col(Connection.user_id),
            col(Connection.source),
            col(Connection.owner_hash),
            col(Connection.cursor),
        )
        .where(col(Connection.owner_hash).is_not(None), col(Connection.id) > after)
        .order_by(col(Connection.id))
        .limit(BATCH)
    )
    async with rt.db.read() as session:
        return (await session.execute(query)).all()


async def keep_refreshed(rt: Runtime, connection: Held, grant: Grant) -> None:
    """Store a renewed grant, sealed, unless it was taken back or replaced meanwhile.

    The refresh token it had stays where the answer brings none.
    """
    vault = await rt.vault.for_user(connection.user_id)
    async with rt.db.begin() as tx:
        values = _sealed(vault, connection.id, grant, tx.now) | {"refreshing_until": None}
        if grant.refresh_token is None:
            del values["refresh_token"]
        await tx.session.execute(update(Connection).where(*this_grant(connection)).values(**values))


def this_grant(connection: Held) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that the row still holds the grant that was opened, and not a later one."""
    return (col(Connection.id) == connection.id, col(Connection.connected_at) == connection.connected_at)


def _id_of(user_id: str, source_name: str) -> Select[str]:
    return select(col(Connection.id)).where(col(Connection.user_id) == user_id, col(Connection.source) == source_name)


def _sealed(vault: PersonVault, connection_id: str, grant: Grant, now: datetime) -> dict[str, Any]:
    def sealed(text: str, column: str) -> bytes:
        return vault.seal(text, Place("connection", connection_id, column))

    return {
        "access_token": sealed(grant.access_token, "access_token"),
        "access_expires_at": now + timedelta(seconds=grant.expires_in) if grant.expires_in else None,
        "refresh_token": sealed(grant.refresh_token, "refresh_token") if grant.refresh_token else None,
    }
