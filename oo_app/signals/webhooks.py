"""Webhooks: proven, kept, answered; worked by the next reading. A delivery is a hint, the reading is the truth."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.dialects.sqlite import insert as upsert
from sqlmodel import SQLModel, col

from oo_app.connections import Found, find, find_by_owner, hasten, sources_by_name
from oo_app.kit.errors import NotFound
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.signals.channels import connection_of
from oo_app.signals.deliveries import place
from oo_app.signals.models import Delivery
from oo_app.signals.sync import SYNC, spawn_sync
from oo_app.sources import Call, Heard

APART = timedelta(seconds=5)  # between readings of one connection that deliveries cause: many come together
AT_ONCE = 4  # readings that deliveries start; with more under way the job starts them, and taking deliveries goes first

# Built once: a statement made anew for each call costs as much as running it.
_KEEP = upsert(SQLModel.metadata.tables["delivery"]).on_conflict_do_nothing().returning(col(Delivery.id))


async def receive(rt: Runtime, source_name: str, call: Call) -> None:
    """Keep a delivery, durably, and have its connection read; a repeated one changes nothing.

    Raises NotFound where a source sends none, Unproven where this one does not come from it. One for nobody here is
    taken and forgotten.
    """
    source = sources_by_name().get(source_name)
    if source is None or not source.has_webhooks:
        raise NotFound
    source.prove(rt.settings, call)
    heard = source.hear(call)
    for found in await _addressees(rt, source_name, heard):
        with suppress(NotFound):  # who left at this very moment
            if await _keep(rt, found, heard, call):
                _read_soon(rt, found)


async def _addressees(rt: Runtime, source_name: str, heard: Heard) -> Sequence[Found]:
    if heard.channel_id is not None:
        found = await find(rt, await connection_of(rt, heard.channel_id, heard.channel_token))
        return [found] if found else []
    return await find_by_owner(rt, source_name, heard.owner) if heard.owner else []


async def _keep(rt: Runtime, found: Found, heard: Heard, call: Call) -> bool:
    """Store a delivery and make its connection due, in one transaction; False when it was here before."""
    vault = await rt.vault.for_user(found.user_id)
    body_hash = hashlib.sha256(call.body).hexdigest()
    delivery_hash = hashlib.sha256(heard.delivery_id.encode()).hexdigest() if heard.delivery_id else body_hash
    delivery_id = new_id(rt.clock.now())
    row = {
        "id": delivery_id,
        "user_id": found.user_id,
        "connection_id": found.id,
        "delivery_hash": delivery_hash,
        "body_hash": body_hash if call.body else delivery_hash,  # one without a body is known by its number alone
        "body": vault.seal(call.body.decode(errors="replace"), place(delivery_id)),
        "received_at": rt.clock.now(),
    }
    async with rt.db.begin() as tx:
        if (await tx.session.execute(_KEEP, row)).scalar_one_or_none() is None:
            return False
        await hasten(tx, found.id, max(tx.now, _soonest(found) or tx.now))
    return True


def _read_soon(rt: Runtime, found: Found) -> None:
    """Read at once; where that was done a moment ago, or much is being read, the job does it as soon as it is due."""
    soonest = _soonest(found)
    if (soonest is None or soonest <= rt.clock.now()) and rt.jobs.running(SYNC) < AT_ONCE:
        spawn_sync(rt, found.id)


def _soonest(found: Found) -> datetime | None:
    return found.last_read_at + APART if found.last_read_at else None
