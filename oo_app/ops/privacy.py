"""Leaving and taking along: everything held about a person, and its deletion."""

import asyncio
import json
import struct
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import LargeBinary, MetaData, Select, Table, select
from sqlmodel import SQLModel

from oo_app import accounts, connections, features, signals
from oo_app.kit import log
from oo_app.kit.crypto import PersonVault, Place
from oo_app.kit.errors import NotFound, OoError
from oo_app.kit.keystore import person_hash
from oo_app.ops.backup import strike
from oo_app.runtime import Runtime

# Tokens are ours to use, not the person's data; the rest of what is sealed is opened for them.
SECRET_COLUMNS = frozenset(
    {"access_token", "refresh_token", "cursor", "secrets", "browser_hash", "token_hash", "delivery_hash", "body_hash"}
)
SECRET_IDS = frozenset({"session", "flow"})  # hashes of what a browser holds
NUMBERS = frozenset({"context", "candidate", "candidates", "scores", "propensities"})  # float64, as decisions log them
STATES = frozenset({("decision", "state"), ("policy_state", "body")})  # numbers too, after the digest of their columns
DIGEST_LENGTH = 16
JSON_COLUMNS = frozenset({"candidate_ids", "payload", "counts", "stale", "missing"})
FLOAT_BYTES = 8
BATCH = 20
MOST_HELD = 500

_log = log.get(__name__)


async def export(rt: Runtime, user_id: str) -> AsyncGenerator[str]:
    """Give everything held about a person as JSON, opened, without our own secrets.

    Piece by piece: a large account is never in memory whole, nor keeps others waiting.
    """
    account = asdict(await accounts.profile(rt, user_id))
    vault = await rt.vault.for_user(user_id)  # kept, so that a deletion at the same moment ends the text, not breaks it
    yield f'{{\n"account": {_text([account])},\n"exported_at": {_text([rt.clock.now()])}'
    for table in _tables_of_people(SQLModel.metadata):
        lead = ""
        yield f',\n"{table.name}": ['
        async for rows in _rows(rt, vault, table, user_id):
            yield lead + await asyncio.to_thread(_text, rows)
            lead = ",\n"
        yield "]"
    yield "\n}\n"


async def held(rt: Runtime, user_id: str, table: str) -> AsyncGenerator[dict[str, Any]]:
    """Give what a table holds about a person, as the export has it, row by row."""
    vault = await rt.vault.for_user(user_id)
    async for rows in _rows(rt, vault, SQLModel.metadata.tables[table], user_id, most=MOST_HELD):
        for row in rows:
            yield row


def _text(values: Sequence[object]) -> str:
    """Write values as JSON, times as RFC 3339."""
    return ",\n".join(
        json.dumps(each, default=lambda at: at.isoformat(), ensure_ascii=False, indent=2) for each in values
    )


async def _rows(
    rt: Runtime, vault: PersonVault, table: Table, user_id: str, *, most: int = BATCH
) -> AsyncGenerator[list[dict[str, Any]]]:
    """Yield a person's rows of a table, opened, some at a time."""
    (key,) = table.primary_key.columns
    query = select(table).where(table.c.user_id == user_id).order_by(key).limit(most)
    rows = await _read(rt, query)
    while rows:
        yield await asyncio.to_thread(_opened, vault, table, rows)
        rows = await _read(rt, query.where(key > rows[-1][key.name]))


def _opened(vault: PersonVault, table: Table, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_readable(vault, table, row) for row in rows]


async def _read(rt: Runtime, query: Select[*tuple[Any, ...]]) -> list[dict[str, Any]]:
    async with rt.db.read() as session:
        return [dict(row) for row in (await session.execute(query)).mappings().all()]


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion could not do elsewhere: who was not told, and how many completions never arrived."""

    not_told: tuple[str, ...]
    unsent: int


async def delete_everything(rt: Runtime, user_id: str) -> Deleted:
    """Revoke at each source (one try of 5 s, side by side), erase all rows, destroy the key. May be said twice."""
    views = [view for view in await connections.overview(rt, user_id) if view.state != "not_connected"]
    async with asyncio.TaskGroup() as group:
        leaving = [group.create_task(_left(rt, user_id, view.source)) for view in views]
        providers = group.create_task(_leave_providers(rt, user_id))
    left = [task.result() for task in leaving]
    not_told = [view.name for view, each in zip(views, left, strict=True) if not each.is_revoked]
    await accounts.erase(rt, user_id)
    await asyncio.to_thread(strike, rt.settings, {person_hash(user_id)})
    await rt.db.truncate_wal()
    return Deleted((*not_told, *providers.result()), sum(each.unsent for each in left))


async def _left(rt: Runtime, user_id: str, source: str) -> signals.Left:
    """Disconnect a source; one that was disconnected at the same moment is left already."""
    try:
        return await signals.leave(rt, user_id, source)
    except NotFound:
        return signals.Left(is_revoked=True, unsent=0)
    except OoError as error:  # whatever stands in the way there, here everything goes
        _log.warning("leaving.failed", source=source, cause=type(error).__name__)
        return signals.Left(is_revoked=False, unsent=0)


async def _leave_providers(rt: Runtime, user_id: str) -> list[str]:
    try:
        tokens = await accounts.identity_tokens(rt, user_id)
    except OoError as error:  # deleted at the same moment, or nothing opens any more, so that nobody can be told
        _log.info("leaving.no_tokens", cause=type(error).__name__)
        return []
    missed: list[str] = []
    for issuer, token in tokens:
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
            shown[name] = _numbers(value)
        elif (table.name, name) in STATES:
            shown[name] = _numbers(value[DIGEST_LENGTH:])
        elif value is not None and isinstance(table.c[name].type, LargeBinary):
            shown[name] = vault.open(value, Place(table.name, str(row["id"]), name))
    if table.name == "profile":
        shown["counts"] = features.by_weekday(shown["counts"])
    if table.name == "lesson" and shown["schema_version"] in features.COLUMNS:
        columns = dict(zip(("candidate", "context"), features.COLUMNS[shown["schema_version"]], strict=True))
        shown |= {part: dict(zip(names, shown[part], strict=True)) for part, names in columns.items()}
    return _named(shown) if table.name == "decision" else shown


def _numbers(stored: bytes) -> list[float]:
    return list(struct.unpack(f"{len(stored) // FLOAT_BYTES}d", stored))


def _named(decision: dict[str, Any]) -> dict[str, Any]:
    """Give a decision's numbers the names of their features, and each candidate its own."""
    if decision["schema_version"] not in features.COLUMNS or not decision["context"]:
        return decision
    of_candidates, of_context = features.COLUMNS[decision["schema_version"]]
    numbers = iter(decision.pop("candidates"))
    columns = zip(decision.pop("candidate_ids"), decision.pop("scores"), decision.pop("propensities"), strict=True)
    candidates = [
        {"item_id": item_id, "score": score, "propensity": propensity} | {name: next(numbers) for name in of_candidates}
        for item_id, score, propensity in columns
    ]
    context = dict(zip(of_context, decision.pop("context"), strict=True))
    return decision | {"context": context, "candidates": candidates}
