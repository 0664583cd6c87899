"""Connections as they are kept: opening the seals, storing a grant, moving the cursor."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import select, update
from sqlmodel import col

from oo_app.connections.models import Connection
from oo_app.events import SourceConnected
from oo_app.kit.crypto import Place
from oo_app.kit.errors import NotFound
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.sources import SOURCES, Grant, Source


@dataclass(frozen=True, slots=True)
class Held:
    """A connection with its seals open; it lives no longer than the call it is for."""

    id: str
    user_id: str
    source: str
    access_token: str
    refresh_token: str | None
    access_expires_at: datetime | None
    owner_hash: str | None
    cursor: str | None
    needs_attention: bool


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
        access_token=vault.open(row.access_token, Place("connection", row.id, "access_token")),
        refresh_token=opened(row.refresh_token, "refresh_token"),
        access_expires_at=row.access_expires_at,
        owner_hash=row.owner_hash,
        cursor=opened(row.cursor, "cursor"),
        needs_attention=row.needs_attention,
    )


async def connection_id_of(rt: Runtime, user_id: str, source_name: str) -> str | None:
    """Return the person's connection to a source, if there is one."""
    async with rt.db.read() as session:
        query = select(col(Connection.id)).where(
            col(Connection.user_id) == user_id, col(Connection.source) == source_name
        )
        return (await session.execute(query)).scalar_one_or_none()


async def keep_grant(rt: Runtime, user_id: str, source_name: str, grant: Grant, *, is_refresh: bool = False) -> str:
    """Store a grant, sealed. A refresh keeps the refresh token it had where the answer brings none."""
    vault = await rt.vault.for_user(user_id)
    existing = await connection_id_of(rt, user_id, source_name)
    connection_id = existing or new_id(rt.clock.now())
    async with rt.db.begin() as tx:
        values: dict[str, Any] = {
            "access_token": vault.seal(grant.access_token, Place("connection", connection_id, "access_token")),
            "access_expires_at": tx.now + timedelta(seconds=grant.expires_in) if grant.expires_in else None,
        }
        if grant.refresh_token or not is_refresh:
            place = Place("connection", connection_id, "refresh_token")
            values["refresh_token"] = vault.seal(grant.refresh_token, place) if grant.refresh_token else None
        if not is_refresh:
            values |= {
                "needs_attention": False,
                "connected_at": tx.now,
                "cursor": None,
                "next_read_at": tx.now,
                "failures": 0,
            }
            tx.emit(SourceConnected(user_id, connection_id, source_name))
        if existing:
            await tx.session.execute(update(Connection).where(col(Connection.id) == connection_id).values(**values))
        else:
            tx.session.add(Connection(id=connection_id, user_id=user_id, source=source_name, **values))
    return connection_id
