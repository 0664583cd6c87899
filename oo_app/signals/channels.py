"""Push channels: opened to our webhook where the outside can reach it, renewed before they end, closed on leaving."""

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlmodel import col

from oo_app.connections import Held
from oo_app.kit import log
from oo_app.kit.crypto import hash_token, new_token, same
from oo_app.kit.errors import NotFound, OoError, SourceDown, Unproven
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.signals.models import PushChannel
from oo_app.sources import Channel, Door, NotPermitted, Source, TokenRefused

RENEWED_BEFORE = timedelta(days=1)

_log = log.get(__name__)


async def connection_of(rt: Runtime, channel_id: str, token: str) -> str:
    """Return the connection a channel watches; Unproven when there is no such channel, or its secret is another."""
    async with rt.db.read() as session:
        query = select(col(PushChannel.connection_id), col(PushChannel.token_hash)).where(
            col(PushChannel.id) == channel_id
        )
        row = (await session.execute(query)).one_or_none()
    if row is None or not same(row.token_hash, hash_token(token)):
        raise Unproven
    return row.connection_id


async def keep_channel(rt: Runtime, connection: Held, source: Source, door: Door) -> None:
    """Open a channel where there is none, or one that ends soon; where it cannot be had, polling is enough.

    Only over https: a source refuses anything else.
    """
    if not source.has_channels or not (rt.settings.is_https or rt.settings.has_sandbox):
        return
    async with rt.db.read() as session:
        query = select(PushChannel).where(col(PushChannel.connection_id) == connection.id)
        known = (await session.execute(query)).scalars().all()
    if any(channel.ends_at - rt.clock.now() > RENEWED_BEFORE for channel in known):
        return
    try:
        await _open(rt, connection, source, door)
    except (NotPermitted, TokenRefused, OoError) as error:
        _log.info("channel.not_opened", connection_id=connection.id, cause=type(error).__name__)
        return
    for channel in known:
        await _close(rt, source, door, channel)


async def has_channel(rt: Runtime, connection_id: str) -> bool:
    """Tell whether a source holds a channel open to us."""
    async with rt.db.read() as session:
        query = select(col(PushChannel.id)).where(col(PushChannel.connection_id) == connection_id).limit(1)
        return (await session.execute(query)).scalar_one_or_none() is not None


async def close_channels(rt: Runtime, connection: Held, source: Source, door: Door) -> None:
    """Close what a connection has open, before its grant is taken back."""
    async with rt.db.read() as session:
        query = select(PushChannel).where(col(PushChannel.connection_id) == connection.id)
        known = (await session.execute(query)).scalars().all()
    for channel in known:
        await _close(rt, source, door, channel)


async def _open(rt: Runtime, connection: Held, source: Source, door: Door) -> None:
    token = new_token()
    asked = Channel(str(UUID(new_id(rt.clock.now()))), f"{rt.settings.base_url}/webhooks/{source.name}", token)
    # Kept before it is asked for: its first message may come before the answer.
    async with rt.db.begin() as tx:
        tx.session.add(
            PushChannel(
                id=asked.id,
                user_id=connection.user_id,
                connection_id=connection.id,
                token_hash=hash_token(token),
                resource_id="",
                ends_at=tx.now,
            )
        )
    watch = await source.watch(door, asked)
    async with rt.db.begin() as tx:
        row = await tx.session.get(PushChannel, asked.id)
        if row is None:
            raise NotFound
        row.resource_id, row.ends_at = watch.resource_id, watch.ends_at
        tx.session.add(row)


async def _close(rt: Runtime, source: Source, door: Door, channel: PushChannel) -> None:
    if channel.resource_id:
        with suppress(SourceDown, NotPermitted, TokenRefused):
            await source.unwatch(door, channel.id, channel.resource_id)
    async with rt.db.begin() as tx:
        await tx.session.execute(delete(PushChannel).where(col(PushChannel.id) == channel.id))
