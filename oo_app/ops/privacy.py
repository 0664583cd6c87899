"""Leaving and taking along: everything held about a person, and its deletion."""

import json
import struct
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import LargeBinary, MetaData, Table, select
from sqlmodel import SQLModel

from oo_app import accounts, connections, features, signals
from oo_app.kit.crypto import PersonVault, Place
from oo_app.kit.errors import NotFound, OoError
from oo_app.runtime import Runtime

# Tokens are ours to use, not the person's data; the rest of what is sealed is opened for them.
SECRET_COLUMNS = frozenset({"access_token", "refresh_token", "cursor", "secrets", "browser_hash", "token_hash"})
SECRET_IDS = frozenset({"session", "flow"})  # hashes of what a browser holds
NUMBERS = frozenset({"context", "candidates", "scores", "propensities"})  # float64, as a decision logs them
JSON_COLUMNS = frozenset({"candidate_ids", "payload"})
FLOAT_BYTES = 8


async def export(rt: Runtime, user_id: str) -> dict[str, Any]:
    """Return everything held about a person, opened, without our own secrets."""
    profile = await accounts.profile(rt, user_id)
    vault = await rt.vault.for_user(user_id)
    held: dict[str, Any] = {"account": asdict(profile), "exported_at": rt.clock.now()}
    for table in _tables_of_people(SQLModel.metadata):
        async with rt.db.read() as session:
            rows = (await session.execute(select(table).where(table.c.user_id == user_id))).mappings().all()
        held[table.name] = [_readable(vault, table, dict(row)) for row in rows]
    return held


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion could not do elsewhere: who was not told, and how many completions never arrived."""

    not_told: tuple[str, ...]
    unsent: int


async def delete_everything(rt: Runtime, user_id: str) -> Deleted:
    """Revoke at each source (one try of 5 s), erase all rows, destroy the key."""
    missed: list[str] = []
    unsent = 0
    for view in await connections.overview(rt, user_id):
        if view.state != "not_connected":
            left = await _left(rt, user_id, view.source)
            missed += [] if left.is_revoked else [view.name]
            unsent += left.unsent
    missed += await _leave_providers(rt, user_id)
    await accounts.erase(rt, user_id)
    await rt.db.truncate_wal()
    return Deleted(tuple(missed), unsent)


async def _left(rt: Runtime, user_id: str, source: str) -> signals.Left:
    """Disconnect a source; one that was disconnected at the same moment is left already."""
    try:
        return await signals.leave(rt, user_id, source)
    except NotFound:
        return signals.Left(is_revoked=True, unsent=0)


async def _leave_providers(rt: Runtime, user_id: str) -> list[str]:
    missed: list[str] = []
    for issuer, token in await accounts.identity_tokens(rt, user_id):
        if issuer != accounts.issuer(rt.settings, "apple"):
            continue
        try:
            async with rt.clock.timeout(connections.REVOKE_TIMEOUT_S):
                await accounts.revoke_identity(rt, "apple", token)
        except (OoError, TimeoutError):
            missed.append(accounts.TITLES["apple"])
    return missed


def _tables_of_people(metadata: MetaData) -> list[Table]:
    return [table for table in metadata.sorted_tables if "user_id" in table.c]


def _readable(vault: PersonVault, table: Table, row: dict[str, Any]) -> dict[str, Any]:
    hidden = SECRET_COLUMNS | {"id"} if table.name in SECRET_IDS else SECRET_COLUMNS
    shown = {name: value for name, value in row.items() if name not in hidden}
    for name, value in shown.items():
        if name in JSON_COLUMNS:
            shown[name] = json.loads(value)
        elif name in NUMBERS:
            shown[name] = list(struct.unpack(f"{len(value) // FLOAT_BYTES}d", value))
        elif value is not None and isinstance(table.c[name].type, LargeBinary):
            shown[name] = vault.open(value, Place(table.name, str(row["id"]), name))
    return _named(shown) if table.name == "decision" else shown


def _named(decision: dict[str, Any]) -> dict[str, Any]:
    """Give a decision's numbers the names of their features, and each candidate its own."""
    if decision["schema_version"] != features.SCHEMA:
        return decision
    numbers = iter(decision.pop("candidates"))
    columns = zip(decision.pop("candidate_ids"), decision.pop("scores"), decision.pop("propensities"), strict=True)
    candidates = [
        {"item_id": item_id, "score": score, "propensity": propensity}
        | {feature.__name__: next(numbers) for feature in features.CANDIDATE_FEATURES}
        for item_id, score, propensity in columns
    ]
    names = [feature.__name__ for feature in features.CONTEXT_FEATURES]
    context = dict(zip(names, decision.pop("context"), strict=True))
    return decision | {"context": context, "candidates": candidates}
