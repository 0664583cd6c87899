"""Leaving a source: completions first, then its channels, then the grant."""

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlmodel import col

from oo_app.connections import Held, connection_id_of, disconnect, sources_by_name, with_access
from oo_app.kit.errors import OoError
from oo_app.runtime import Runtime
from oo_app.signals.channels import close_channels, has_channel
from oo_app.signals.closing import deliver_close, refused
from oo_app.signals.models import Closing
from oo_app.sources import Door

LEAVE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Left:
    """How leaving a source went: whether the source was told, and how many completions it never got."""

    is_revoked: bool
    unsent: int


async def leave(rt: Runtime, user_id: str, source: str) -> Left:
    """Disconnect a source: completions still on their way are sent first, for 5 s, then the grant is taken back."""
    connection_id = await connection_id_of(rt, user_id, source)
    unsent = 0
    if connection_id is not None:
        pending = (col(Closing.connection_id) == connection_id, col(Closing.done_at).is_(None))
        async with rt.db.begin() as tx:
            await tx.session.execute(update(Closing).where(*pending).values(next_at=tx.now))
            ids = (await tx.session.execute(select(col(Closing.id)).where(*pending))).scalars().all()
        with suppress(TimeoutError):
            async with rt.clock.timeout(LEAVE_TIMEOUT_S):
                for closing_id in ids:
                    await deliver_close(rt, closing_id)
                if await has_channel(rt, connection_id):
                    await _close_channels(rt, connection_id)
        async with rt.db.read() as session:
            left = select(func.count()).select_from(Closing).where(*pending)
            unsent = (await session.execute(left)).scalar_one()
        unsent += (await refused(rt, user_id)).get(source, 0)
    return Left(await disconnect(rt, user_id, source), unsent)


async def _close_channels(rt: Runtime, connection_id: str) -> None:
    async def call(door: Door, connection: Held) -> None:
        await close_channels(rt, connection, sources_by_name()[connection.source], door)

    with suppress(OoError):  # what stays open there ends by itself, and finds nobody here
        await with_access(rt, connection_id, call)
