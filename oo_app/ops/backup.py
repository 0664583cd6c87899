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
UNFINISHED_FOR = timedelta(hours=1)
BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a database
PARTIAL, STAGED, SET_ASIDE = ".partial", ".restoring", ".before-"  # copies being written, checked, and kept from before
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
    """Remove our own copies of people's keys that are older than seven days, and what a broken-off verb left of one.

    In them the deleted could still be read.
    """
    outdated = [file for file, made_at in key_backups(settings) if now - made_at > KEYS_KEPT_FOR]
    for file in (*outdated, *_unfinished(settings, now)):
        _remove(file)
    return len(outdated)


def strike(settings: Settings, deleted: Collection[str]) -> None:
    """Take the keys of the deleted, known by their hashes, out of our own copies as well.

    A copy out of which nothing can be taken, because it is damaged, goes as a whole.
    """
    for file in (*(file for file, _ in key_backups(settings)), *_unfinished(settings)):
        try:
            _strike(file, deleted)
        except sqlite3.OperationalError as error:  # in use just now: the next purge comes again
            _log.warning("key_backup.unreadable", file=file.name, cause=type(error).__name__)
        except sqlite3.DatabaseError as error:
            _log.warning("key_backup.damaged", file=file.name, cause=type(error).__name__)
            _remove(file)


def _strike(file: Path, deleted: Collection[str]) -> None:
    with closing(sqlite3.connect(file)) as copy:
        # Past the indices, since one may be what is damaged.
        people = [user_id for (user_id,) in copy.execute("SELECT user_id FROM person_key NOT INDEXED")]
        struck = [(user_id,) for user_id in people if person_hash(user_id) in deleted]
        copy.execute("PRAGMA secure_delete=ON")
        with copy:
            copy.executemany("DELETE FROM person_key WHERE user_id = ?", struck)
        left = {user_id for (user_id,) in copy.execute("SELECT user_id FROM person_key NOT INDEXED")}
    if left & {user_id for (user_id,) in struck}:
        msg = "the rows are still there"
        raise sqlite3.DatabaseError(msg)


def key_backups(settings: Settings) -> list[tuple[Path, datetime]]:
    """Return our own copies of people's keys, backups and stores set aside, and when each was made by its name."""
    keys = file_of(settings.keys_url)
    named = [(file, f"keys-{STAMP}.db") for file in _folder(settings).glob("keys-*.db")]
    named += [(file, f"{keys.name}{SET_ASIDE}{STAMP}") for file in keys.parent.glob(f"{keys.name}{SET_ASIDE}*")]
    found: list[tuple[Path, datetime]] = []
    for file, pattern in named:
        with suppress(ValueError):  # somebody else's file, or what SQLite keeps beside one of ours
            found.append((file, datetime.strptime(file.name, pattern).replace(tzinfo=UTC)))
    return found


def _unfinished(settings: Settings, now: datetime | None = None) -> list[Path]:
    """Return copies of keys that were never finished; with a time, those that nobody can be writing any more."""
    keys = file_of(settings.keys_url)
    found = [*_folder(settings).glob(f"keys-*{PARTIAL}"), *keys.parent.glob(f"{keys.name}{STAGED}")]
    if now is None:
        return found
    long_ago = (now - UNFINISHED_FOR).timestamp()
    return [file for file in found if file.stat().st_mtime < long_ago]


def _remove(file: Path) -> None:
    for ending in ("", *BESIDE):
        Path(f"{file}{ending}").unlink(missing_ok=True)


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
    partial = target.with_name(f"{target.name}{PARTIAL}")
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
