"""What is done now and then: leaving old keys behind, and taking the deleted out of copies."""

import asyncio
from dataclasses import dataclass

from oo_app import accounts, connections
from oo_app.ops.backup import strike
from oo_app.runtime import Runtime


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
