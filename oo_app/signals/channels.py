"""Push channels: opened to our webhook where the outside can reach it, renewed before they end, closed on leaving."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlmodel import col

from oo_app.connections import Held
from oo_app.kit import log
from oo_app.kit.crypto import hash_token, new_token, same
from oo_app.kit.errors import OoError, SourceDown, Unproven
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.signals.models import PushChannel
from oo_app.sources import Channel, Door, NotPermitted, Source, TokenRefused

RENEWED_BEFORE = timedelta(days=1)
ASKED_AGAIN = timedelta(hours=6)  # after one that could not be had; until then polling is enough

_log = log.get(__name__)


async def connection_of(rt: Runtime, channel_id: str, token: str) -> str:
    """Return the connection a channel watches; Unproven when there is none that lives, or its secret is another."""
    async with rt.db.read() as session:
        query = select(col(PushChannel.connection_id), col(PushChannel.token_hash)).where(
            col(PushChannel.id) == channel_id, col(PushChannel.ends_at) > rt.clock.now()
        )
        row = (await session.execute(query)).one_or_none()
    if row is None or not same(row.token_hash, hash_token(token)):
        raise Unproven
    return row.connection_id


async def keep_channel(rt: Runtime, connection: Held, source: Source, door: Door) -> None:
    """Open a channel where there is none, or one that ends soon; where it cannot be had, polling is enough.

    A new grant gets a channel of its own: one from before may watch somebody else's, or be dead with its grant.
    """
    if not source.takes_channels(rt.settings):
        return
    known = await _known(rt, connection.id)
    if connection.cursor is None:
        for channel in known:
            await _close(rt, source, door, channel)
        known = ()
    if any(_is_good(channel, rt.clock.now()) for channel in known):
        return
    try:
        await _open(rt, connection, source, door)
    except (NotPermitted, TokenRefused, OoError) as error:
        _log.info("channel.not_opened", connection_id=connection.id, cause=type(error).__name__)
        return
    for channel in known:
        await _close(rt, source, door, channel)


def _is_good(channel: PushChannel, now: datetime) -> bool:
    """Whether a channel needs nothing yet; one that could not be opened, or whose answer was lost, waits."""
    return channel.ends_at - now > (RENEWED_BEFORE if channel.resource_id else timedelta(0))


async def _known(rt: Runtime, connection_id: str) -> Sequence[PushChannel]:
    async with rt.db.read() as session:
        query = select(PushChannel).where(col(PushChannel.connection_id) == connection_id)
        return (await session.execute(query)).scalars().all()


async def has_channel(rt: Runtime, connection_id: str) -> bool:
    """Tell whether a source holds a channel open to us."""
    async with rt.db.read() as session:
        query = select(col(PushChannel.id)).where(col(PushChannel.connection_id) == connection_id).limit(1)
        return (await session.execute(query)).scalar_one_or_none() is not None


async def close_channels(rt: Runtime, connection: Held, source: Source, door: Door) -> None:
    """Close what a connection has open, before its grant is taken back."""
    for channel in await _known(rt, connection.id):
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
                ends_at=tx.now + ASKED_AGAIN,
            )
        )
    watch = await source.watch(door, asked)
    async with rt.db.begin() as tx:
        values = {"resource_id": watch.resource_id, "ends_at": watch.ends_at}
        opened = update(PushChannel).where(col(PushChannel.id) == asked.id).values(**values)
        is_kept = (await tx.session.execute(opened.returning(col(PushChannel.id)))).scalar_one_or_none() is not None
    if not is_kept:  # the connection went meanwhile, and nobody else would close it
        await source.unwatch(door, asked.id, watch.resource_id)


async def _close(rt: Runtime, source: Source, door: Door, channel: PushChannel) -> None:
    if channel.resource_id:
        with suppress(SourceDown, NotPermitted, TokenRefused):
            await source.unwatch(door, channel.id, channel.resource_id)
    async with rt.db.begin() as tx:
        await tx.session.execute(delete(PushChannel).where(col(PushChannel.id) == channel.id))
