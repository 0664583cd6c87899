"""Bringing a backup back: checked, migrated and healed beside what is there, then put in its place in one step.

Nothing is changed until the copy is fit to serve; what was there is kept under another name. The caller sees to it that
oO does not run meanwhile.
"""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from oo_app import accounts, signals
from oo_app.kit.clock import Clock
from oo_app.kit.config import Settings, SettingsError
from oo_app.kit.crypto import Vault
from oo_app.kit.errors import Invalid
from oo_app.kit.keystore import KeyStore, person_hash
from oo_app.ops.backup import BESIDE, SET_ASIDE, STAGED, STAMP, cannot, file_of, sync
from oo_app.ops.migrations import head, migrate, revisions
from oo_app.runtime import Runtime, build


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore brought: whom, and what it left out."""

    kept: Path | None
    people: int
    forgotten: int
    keyless: int
    dropped: int


@dataclass(frozen=True, slots=True)
class RestoredKeys:
    """How many keys came back, and how many did not because their people were deleted."""

    kept: Path | None
    added: int
    forgotten: int


async def restore(settings: Settings, file: Path, clock: Clock) -> Restored:
    """Put a backup in the place of the database; Invalid, and nothing is changed, when it is none of ours."""
    live = file_of(settings.db_url)
    with _staged(file, live) as stage:
        _refuse_misfit(stage, file)
        staged = settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{stage}"})
        await asyncio.to_thread(migrate, staged)  # alembic starts a loop of its own
        async with _opened(staged, clock) as rt:
            replayed = await accounts.replay(rt, _ledger_of(live))
            await accounts.end_all(rt)
            dropped = await signals.drop_uncertain(rt)
            keyless, people = await accounts.keyless(rt)
            await rt.db.truncate_wal()
        kept = _swapped(stage, live, clock.now())
    return Restored(kept, people, replayed.people, keyless, dropped)


async def restore_keys(settings: Settings, file: Path, clock: Clock) -> RestoredKeys:
    """Add the keys of a backup that are missing, never of anybody who was deleted.

    Invalid, and nothing is changed, when it is no store of keys, or OO_ENCRYPTION_KEYS does not open them all. A store
    that cannot be read any more is set aside. The caller has migrated the database, which holds half of the ledger.
    """
    live = file_of(settings.keys_url)
    with _staged(file, live) as stage:
        _refuse_all_but_keys(stage, file)
        async with _store_in(stage) as backup:
            wrapped, forgotten = await _all_keys(settings, backup, file), await backup.ledger()
        kept = _set_aside(live, clock.now()) if _is_damaged(live) else None
        async with _opened(settings, clock) as rt:
            await accounts.replay(rt, forgotten)
            deleted, known = await rt.vault.store.ledger(), await rt.vault.store.people()
            missing = {user_id: key for user_id, key in wrapped.items() if user_id not in known}
            added = {user_id: key for user_id, key in missing.items() if person_hash(user_id) not in deleted}
            if added:
                await rt.vault.store.add(added)
    return RestoredKeys(kept, len(added), len(missing) - len(added))


@contextmanager
def _staged(file: Path, live: Path) -> Generator[Path]:
    """Copy a file, with the log beside it if there is one, into the folder of what it is to replace."""
    if not file.is_file():
        msg = f"{file}: there is no such file"
        raise Invalid(msg)
    if live.exists() and file.samefile(live):
        msg = f"{file}: is what oO uses now"
        raise Invalid(msg)
    stage = live.with_name(f"{live.name}{STAGED}")
    try:
        _remove(stage)
        os.close(os.open(stage, os.O_CREAT | os.O_EXCL, 0o600))
        shutil.copyfile(file, stage)
        log = Path(f"{file}-wal")
        if log.exists():
            shutil.copyfile(log, f"{stage}-wal")
        yield stage
    except OSError as error:
        raise cannot(error, file) from error
    finally:
        with suppress(OSError):
            _remove(stage)


def _refuse_misfit(stage: Path, file: Path) -> None:
    """Refuse what is no database of ours, is damaged, or comes from a later version."""
    tables = _tables(stage, file)
    if "person_key" in tables:
        msg = f"{file}: holds people's keys; `oo restore --keys FILE` takes it"
        raise Invalid(msg)
    if not {"alembic_version", "user"} <= tables:
        msg = f"{file}: is not a database of oO"
        raise Invalid(msg)
    with closing(sqlite3.connect(stage)) as opened:
        row = opened.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None or row[0] not in revisions():
        msg = f"{file}: is of another version of oO ({row[0] if row else 'none'}); this one knows up to {head()}"
        raise Invalid(msg)


def _refuse_all_but_keys(stage: Path, file: Path) -> None:
    if "person_key" not in _tables(stage, file):
        msg = f"{file}: is not a store of people's keys"
        raise Invalid(msg)


def _tables(stage: Path, file: Path) -> set[str]:
    """Name the tables of a whole database; Invalid when it is damaged or none."""
    try:
        with closing(sqlite3.connect(stage)) as opened:
            damaged = opened.execute("PRAGMA integrity_check").fetchone()[0] != "ok"
            stranded = opened.execute("PRAGMA foreign_key_check").fetchone()
            names = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    except sqlite3.Error as error:
        msg = f"{file}: is not a database, or a damaged one ({error})"
        raise Invalid(msg) from error
    if damaged or stranded:
        msg = f"{file}: is damaged"
        raise Invalid(msg)
    return {name for (name,) in names}


def _ledger_of(live: Path) -> Mapping[str, datetime]:
    """Return who was deleted, as the database that is to be replaced knows it, where that can be read."""
    if not live.exists():
        return {}
    try:
        with closing(sqlite3.connect(live)) as opened:
            rows = opened.execute("SELECT person_hash, at FROM deletion").fetchall()
    except sqlite3.Error:
        return {}
    return {hashed: datetime.fromisoformat(at).replace(tzinfo=UTC) for hashed, at in rows}


@asynccontextmanager
async def _opened(settings: Settings, clock: Clock) -> AsyncGenerator[Runtime]:
    rt = build(settings, clock=clock)
    await rt.start()
    try:
        yield rt
    finally:
        await rt.stop()


@asynccontextmanager
async def _store_in(file: Path) -> AsyncGenerator[KeyStore]:
    store = KeyStore(f"sqlite+aiosqlite:///{file}")
    await store.start()
    try:
        yield store
    finally:
        await store.stop()


async def _all_keys(settings: Settings, backup: KeyStore, file: Path) -> Mapping[str, bytes]:
    wrapped: dict[str, bytes] = {}
    while page := await backup.page(max(wrapped, default="")):
        wrapped |= page
    vault = Vault(settings)
    try:
        for key in wrapped.values():
            vault.unwrapped(key)
    except SettingsError as error:
        msg = f"{file}: OO_ENCRYPTION_KEYS does not open these keys; put the one they were made under behind the others"
        raise Invalid(msg) from error
    return wrapped


def _swapped(stage: Path, live: Path, now: datetime) -> Path | None:
    """Put the copy in its place and return where that which was there is kept, if there was any."""
    kept = None
    if live.exists() and _flush(live):
        kept = _name_aside(live, now)
        kept.hardlink_to(live)  # so that at every moment there is one whole database by that name
    elif live.exists():
        kept = _set_aside(live, now)
    for ending in BESIDE:
        Path(f"{live}{ending}").unlink(missing_ok=True)
    sync(stage)
    stage.replace(live)
    sync(live.parent)
    return kept


def _flush(live: Path) -> bool:
    """Bring the log into the database, so that it is whole without; False when it cannot be read."""
    try:
        with closing(sqlite3.connect(live)) as opened:
            return opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    except sqlite3.Error:
        return False


def _is_damaged(live: Path) -> bool:
    if not live.exists():
        return False
    try:
        with closing(sqlite3.connect(live)) as opened:
            return bool(opened.execute("PRAGMA integrity_check").fetchone()[0] != "ok")
    except sqlite3.Error:
        return True


def _set_aside(live: Path, now: datetime) -> Path:
    kept = _name_aside(live, now)
    live.rename(kept)
    for ending in BESIDE:
        beside = Path(f"{live}{ending}")
        if beside.exists():
            beside.rename(f"{kept}{ending}")
    return kept


def _name_aside(live: Path, now: datetime) -> Path:
    return live.with_name(f"{live.name}{SET_ASIDE}{now:{STAMP}}")


def _remove(stage: Path) -> None:
    for ending in ("", *BESIDE):
        Path(f"{stage}{ending}").unlink(missing_ok=True)
