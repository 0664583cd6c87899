"""A database without a runtime around it."""

import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from oo_app.kit.clock import Clock
from oo_app.kit.db import Database


@pytest.fixture
async def db(tmp_path: Path, migrated: Path, clock: Clock) -> AsyncGenerator[Database]:
    """A migrated database, open, on the clock of the test."""
    shutil.copy(migrated / "oo.db", tmp_path / "oo.db")
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'oo.db'}", clock)
    await database.start()
    yield database
    await database.stop()
