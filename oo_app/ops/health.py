"""Whether this process can serve."""

from functools import cache
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from oo_app.kit import log
from oo_app.runtime import Runtime

MIGRATIONS = Path(__file__).resolve().parents[2] / "alembic"

_log = log.get(__name__)


@cache
def head() -> str | None:
    """Return the newest migration of this version of the code."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


async def is_ready(rt: Runtime, newest: str | None) -> bool:
    """Tell whether the database answers and is migrated to the given revision."""

    def revision(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    try:
        async with rt.db.engine.connect() as connection:
            return await connection.run_sync(revision) == newest
    except SQLAlchemyError as error:
        _log.warning("database.unreachable", cause=type(error).__name__)
        return False
