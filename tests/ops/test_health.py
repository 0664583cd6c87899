"""Whether this process can serve."""

from pathlib import Path

import pytest

from oo_app import ops
from oo_app.runtime import Runtime


async def test_a_migrated_database_is_ready(rt: Runtime):
    assert await ops.is_ready(rt, ops.head())


async def test_a_database_of_another_version_is_not_ready(rt: Runtime):
    assert not await ops.is_ready(rt, "9999")


async def test_a_database_that_cannot_be_read_is_not_ready(rt: Runtime, tmp_path: Path):
    await rt.db.stop()
    for file in tmp_path.glob("oo.db*"):
        file.write_bytes(b"not a database, but long enough to be looked at" * 100)

    assert not await ops.is_ready(rt, ops.head())


def test_the_newest_migration_is_known_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    ops.head.cache_clear()

    assert ops.head() is not None
