"""Bringing a database to this version's tables."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

from oo_app.kit.config import Settings

ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = ROOT / "alembic"


class CannotStart(Exception):
    """Something outside keeps us from starting; one clear line."""


@cache
def head() -> str | None:
    """Return the newest migration of this version of the code."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


@cache
def revisions() -> frozenset[str]:
    """Return all migrations that this version of the code knows."""
    return frozenset(script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions())


def migrate(settings: Settings) -> None:
    """Bring the database to the newest version; CannotStart when it cannot be opened."""
    file = make_url(settings.db_url).database
    if file and not Path(file).parent.is_dir():
        msg = f"DATABASE_URL: cannot open or migrate the database (there is no folder {Path(file).parent})"
        raise CannotStart(msg)
    try:
        command.upgrade(alembic_config(settings), "head")
    except DatabaseError as error:
        msg = f"DATABASE_URL: cannot open or migrate the database ({error.orig})"
        raise CannotStart(msg) from error
    except CommandError as error:
        msg = f"DATABASE_URL: the database is of another version of oO ({error})"
        raise CannotStart(msg) from error


def alembic_config(settings: Settings) -> Config:
    """Return alembic's configuration for a database."""
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = settings.db_url
    return config
