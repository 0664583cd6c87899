"""Whether this process can serve, and whether the installation is in order."""

import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from oo_app import accounts, connections, features
from oo_app.kit import log
from oo_app.kit.config import SettingsError
from oo_app.kit.errors import OoError
from oo_app.kit.mirror import MirrorDown
from oo_app.ops.backup import KEYS_KEPT_FOR, file_of, key_backups
from oo_app.ops.migrations import head
from oo_app.runtime import Runtime

LEAST_FREE_BYTES = 500 * 1024 * 1024
NOTED_LATELY = timedelta(hours=3)
CLOCK_SLACK = timedelta(minutes=5)

_log = log.get(__name__)


async def is_ready(rt: Runtime, newest: str | None) -> bool:
    """Tell whether the database answers and is migrated to the given revision."""
    try:
        return await _revision(rt) == newest
    except SQLAlchemyError as error:
        _log.warning("database.unreachable", cause=type(error).__name__)
        return False


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe found."""

    name: str
    is_ok: bool
    said: str


async def examine(rt: Runtime) -> tuple[Found, ...]:
    """Try everything that serving rests on; what cannot be tried is not in order."""
    return tuple([await _tried(rt, name, probe) for name, probe in PROBES])


async def _tried(rt: Runtime, name: str, probe: "Probe") -> Found:
    try:
        return Found(name, *await probe(rt))
    except SettingsError as error:
        return Found(name, is_ok=False, said=str(error))
    except (OSError, sqlite3.Error, SQLAlchemyError, OoError) as error:
        return Found(name, is_ok=False, said=f"cannot be examined ({type(error).__name__})")


Probe = Callable[[Runtime], Awaitable[tuple[bool, str]]]


async def _data_folder(rt: Runtime) -> tuple[bool, str]:
    folder = rt.settings.oo_data_dir
    others = folder.stat().st_mode & 0o077
    return not others, f"{folder}{': other users of this machine may look into it (chmod 700)' if others else ''}"


async def _database(rt: Runtime) -> tuple[bool, str]:
    if not _is_there(rt):
        return True, "there is none yet; `oo run` makes it"
    with closing(sqlite3.connect(file_of(rt.settings.db_url))) as opened:
        if opened.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            return False, "damaged; `oo restore FILE` brings a backup back"
    revision = await _revision(rt)
    if revision != head():
        return False, f"at version {revision}, not {head()}; `oo migrate` brings it there"
    return True, f"whole, at version {revision}"


async def _keys(rt: Runtime) -> tuple[bool, str]:
    total, stale, last = 0, 0, ""
    while page := await rt.vault.store.page(last):
        last = page[-1][0]
        for _, wrapped in page:
            rt.vault.unwrapped(wrapped)
            stale += not rt.vault.is_current(wrapped)
        total += len(page)
    if stale:
        return (
            True,
            f"{total}, of which {stale} under an older one of OO_ENCRYPTION_KEYS; `oo keys rotate` changes that",
        )
    return True, f"{total}, all under the first of OO_ENCRYPTION_KEYS"


async def _people(rt: Runtime) -> tuple[bool, str]:
    if not _is_there(rt) or not await is_ready(rt, head()):
        return True, "none to look at yet"
    missing, people = await accounts.keyless(rt)
    if missing:
        return False, f"{missing} of {people} without a key: what is theirs cannot be read (`oo restore --keys FILE`)"
    return True, f"{people}, each with a key"


async def _ledger(rt: Runtime) -> tuple[bool, str]:
    if not _is_there(rt) or not await is_ready(rt, head()):
        return True, "none to look at yet"
    back = await accounts.undone_deletions(rt)
    if back:
        return False, f"{back} deleted people are back; the next start forgets them again"
    return True, f"all in force: {len(await rt.vault.store.ledger())}"


async def _mirror(rt: Runtime) -> tuple[bool, str]:
    if rt.mirror is None:
        return True, "none (NATS_URL is not set)"
    try:
        differing = await rt.mirror.look()
    except MirrorDown as error:
        return False, f"NATS cannot be reached ({error.facts['cause']}); events wait in the outbox meanwhile"
    if differing:
        return False, "; ".join(differing)
    if not _is_there(rt) or not await is_ready(rt, head()):
        return True, "reachable; nothing to mirror yet"
    lag = await rt.mirror.lag()
    return True, f"reachable, its streams are there; events it has still to take: {lag.events}"


async def _key_backups(rt: Runtime) -> tuple[bool, str]:
    ages = [rt.clock.now() - made_at for _, made_at in key_backups(rt.settings)]
    if not ages:
        return True, "none in the data folder (`oo backup --keys` makes one)"
    if max(ages) > KEYS_KEPT_FOR:
        return False, f"one is {max(ages).days} days old, and 7 is the most; `oo purge` removes it"
    return True, f"{len(ages)}, the newest {min(ages).days} days old"


async def _disk(rt: Runtime) -> tuple[bool, str]:
    free = shutil.disk_usage(rt.settings.oo_data_dir).free
    return (
        free >= LEAST_FREE_BYTES,
        f"{free // 1024**2} MB free{'' if free >= LEAST_FREE_BYTES else ', 500 are needed'}",
    )


async def _clock(rt: Runtime) -> tuple[bool, str]:
    """Compare with the files: a machine that starts without its clock believes to be in the past."""
    newest = max((file.stat().st_mtime for file in rt.settings.oo_data_dir.iterdir()), default=0.0)
    ahead = datetime.fromtimestamp(newest, UTC) - rt.clock.now()
    if ahead > CLOCK_SLACK:
        return False, f"{rt.clock.now():%Y-%m-%d %H:%M} UTC, earlier than what is in the data folder"
    return True, f"{rt.clock.now():%Y-%m-%d %H:%M} UTC"


async def _jobs(rt: Runtime) -> tuple[bool, str]:
    if not _is_there(rt) or not await is_ready(rt, head()):
        return True, "none have run yet"
    last = await rt.jobs.last_runs()
    failing = [f"{run.job} {run.outcome} ({run.cause}) at {run.ended_at:%Y-%m-%d %H:%M}" for run in last if run.cause]
    return not failing, "; ".join(failing) or (
        f"{len(last)} have run, the last time well" if last else "none have run yet"
    )


async def _sources(rt: Runtime) -> tuple[bool, str]:
    """Tell how the sources kept their freshness in the last hour that was noted: not in order when most were late."""
    if not _is_there(rt) or not await is_ready(rt, head()):
        return True, "none to look at yet"
    lately = await features.freshness(rt, rt.clock.now() - NOTED_LATELY)
    noted = [each for each in lately if each.kind == "source" and each.checked]
    last = [each for each in noted if each.hour == noted[-1].hour]
    said = [
        f"{connections.sources_by_name()[each.name].title}: {each.breaches} of {each.checked} read too late"
        for each in last
        if each.name in connections.sources_by_name()
    ]
    return not any(2 * each.breaches > each.checked for each in last), "; ".join(said) or "nothing noted lately"


PROBES: tuple[tuple[str, Probe], ...] = (
    ("data folder", _data_folder),
    ("disk", _disk),
    ("clock", _clock),
    ("database", _database),
    ("keys", _keys),
    ("people", _people),
    ("deletions", _ledger),
    ("key backups", _key_backups),
    ("jobs", _jobs),
    ("mirror", _mirror),
    ("sources", _sources),
)


def _is_there(rt: Runtime) -> bool:
    """Tell whether there is a database; asking SQLite would make one."""
    file = file_of(rt.settings.db_url)
    return file.exists() and file.stat().st_size > 0


async def _revision(rt: Runtime) -> str | None:
    def read(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with rt.db.engine.connect() as connection:
        return await connection.run_sync(read)
