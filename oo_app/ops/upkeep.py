"""What is done now and then: dropping what has had its time, and leaving old keys behind."""

import asyncio
from dataclasses import asdict, dataclass

from oo_app import accounts, connections, tips
from oo_app.ops.backup import purge_key_backups, strike
from oo_app.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Purged:
    """How many of each had had their time."""

    sessions: int
    tokens: int
    round_trips: int
    facts: int
    decision_details: int
    key_backups: int


async def purge(rt: Runtime) -> Purged:
    """Drop what is kept for a time only; runs every hour."""
    purged = Purged(
        sessions=await accounts.purge_sessions(rt),
        tokens=await accounts.purge_tokens(rt),
        round_trips=await accounts.purge_flows(rt),
        facts=await rt.bus.purge(),
        decision_details=await tips.purge_details(rt),
        key_backups=purge_key_backups(rt.settings, rt.clock.now()),
    )
    await strike_all(rt)
    rt.vault.forget()
    if any(asdict(purged).values()):
        await rt.db.truncate_wal()
    return purged


async def strike_all(rt: Runtime) -> None:
    """Take the keys of everybody who was ever deleted out of our own copies: what a crash left out is made up for."""
    await asyncio.to_thread(strike, rt.settings, (await rt.vault.store.ledger()).keys())


@dataclass(frozen=True, slots=True)
class Rotated:
    """How much was made anew under the active keys. `unread`: connections that have to be read once more for it."""

    keys: int
    addresses: int
    owners: int
    unread: int


async def rotate(rt: Runtime) -> Rotated:
    """Bring all that stands under older keys to the first of OO_ENCRYPTION_KEYS and OO_SECRET_KEYS.

    Each step may be broken off and made again, also while oO runs.
    """
    keys = await rt.vault.rewrap()
    addresses = await accounts.rehash_addresses(rt)
    owners, unread = await connections.rehash_owners(rt)
    return Rotated(keys, addresses, owners, unread)
