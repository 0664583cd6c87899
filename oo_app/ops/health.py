"""Whether this process can serve."""

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from oo_app.runtime import Runtime


def head() -> str | None:
    """Return the newest migration of this version of the code."""
    return ScriptDirectory.from_config(Config("alembic.ini")).get_current_head()


async def is_ready(rt: Runtime, newest: str | None) -> bool:
    """Tell whether the database answers and is migrated to the given revision."""

    def revision(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with rt.db.engine.connect() as connection:
        return await connection.run_sync(revision) == newest
