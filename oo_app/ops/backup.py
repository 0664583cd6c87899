"""Copies of what is kept, also while oO runs: the database, which holds no key, and the keys, by themselves."""

import os
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import make_url

from oo_app.kit import log
from oo_app.kit.config import Settings
from oo_app.kit.errors import Invalid
from oo_app.kit.keystore import person_hash

KEYS_KEPT_FOR = timedelta(days=7)
STAMP = "%Y%m%dT%H%M%SZ"

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Written:
    """A copy that was made: where, how large, of how many people; and how many outdated ones went."""

    file: Path
    size: int
    people: int
    outdated: int


def backup(settings: Settings, file: Path | None, now: datetime) -> Written:
    """Copy the database as it is at one moment. What is private in it stays sealed; the keys are not in it."""
    target = file or _folder(settings) / f"oo-{now:{STAMP}}.db"
    people = _copy(file_of(settings.db_url), target, 'SELECT count(*) FROM "user"')
    return Written(target, target.stat().st_size, people, 0)


def backup_keys(settings: Settings, file: Path | None, now: datetime) -> Written:
    """Copy the store of people's keys, and remove our own copies of it that are older than seven days."""
    outdated = purge_key_backups(settings, now)
    target = file or _folder(settings) / f"keys-{now:{STAMP}}.db"
    people = _copy(file_of(settings.keys_url), target, "SELECT count(*) FROM person_key")
    return Written(target, target.stat().st_size, people, outdated)


def purge_key_backups(settings: Settings, now: datetime) -> int:
    """Remove our own copies of people's keys that are older than seven days: in them the deleted can still be read."""
    outdated = [file for file, made_at in key_backups(settings) if now - made_at > KEYS_KEPT_FOR]
    for file in outdated:
        file.unlink(missing_ok=True)
    return len(outdated)


def strike(settings: Settings, deleted: Collection[str]) -> None:
    """Take the keys of the deleted, known by their hashes, out of our own copies as well."""
    for file, _ in key_backups(settings):
        try:
            with closing(sqlite3.connect(file)) as copy:
                people = [user_id for (user_id,) in copy.execute("SELECT user_id FROM person_key")]
                struck = [(user_id,) for user_id in people if person_hash(user_id) in deleted]
                copy.execute("PRAGMA secure_delete=ON")
                with copy:
                    copy.executemany("DELETE FROM person_key WHERE user_id = ?", struck)
        except sqlite3.Error as error:
            _log.warning("key_backup.unreadable", file=file.name, cause=type(error).__name__)


def key_backups(settings: Settings) -> list[tuple[Path, datetime]]:
    """Return our own copies of people's keys and when each was made, as its name says."""
    found: list[tuple[Path, datetime]] = []
    for file in _folder(settings).glob("keys-*.db"):
        with suppress(ValueError):  # somebody else's file
            found.append((file, datetime.strptime(file.stem, f"keys-{STAMP}").replace(tzinfo=UTC)))
    return found


def file_of(url: str) -> Path:
    """Return the file of an SQLite address."""
    name = make_url(url).database
    if not name or name == ":memory:":
        msg = "Only a database that is a file can be backed up and restored"
        raise Invalid(msg)
    return Path(name)


def cannot(error: OSError | sqlite3.Error, file: Path) -> Invalid:
    """Return the one line for what the disk or SQLite said about a file."""
    why = error.strerror if isinstance(error, OSError) else str(error)
    return Invalid(f"{file}: {why}")


def _folder(settings: Settings) -> Path:
    return settings.oo_data_dir / "backups"


def _copy(source: Path, target: Path, count: str) -> int:
    """Copy a database whole or not at all, check the copy, and return what a query counts in it."""
    if not source.is_file():
        msg = f"There is nothing to back up yet: no {source}"
        raise Invalid(msg)
    if target.exists():
        msg = f"{target} is there already; name another file"
        raise Invalid(msg)
    partial = target.with_name(f"{target.name}.partial")
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL, 0o600))
        # One read transaction: what is written meanwhile waits in the log. What was erased is not carried along.
        with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=rw", uri=True)) as live:
            live.execute("VACUUM INTO ?", (str(partial),))
        with closing(sqlite3.connect(partial)) as copy:
            _refuse_damage(copy, target)
            counted = int(copy.execute(count).fetchone()[0])
        sync(partial)
        partial.replace(target)
        sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise cannot(error, target) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return counted


def _refuse_damage(copy: sqlite3.Connection, target: Path) -> None:
    if copy.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
        msg = f"{target}: not written, since the database is damaged"
        raise Invalid(msg)


def sync(path: Path) -> None:
    """Bring a file's content, or the names in a folder, to the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
