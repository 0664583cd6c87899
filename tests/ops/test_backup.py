"""Backups: whole or not at all, never with keys, and no way around a deletion."""

import os
import shutil
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from oo_app import accounts, ops
from oo_app.accounts.models import User
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import Invalid
from oo_app.ops.backup import backup, backup_keys
from oo_app.runtime import Runtime
from tests.files import names, select
from tests.people import a_person


async def test_a_backup_is_a_whole_copy_for_us_alone_and_holds_no_key(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt)
    async with rt.db.begin() as tx:  # written, not committed: the copy is of one moment
        await tx.session.execute(update(User).values(role="admin"))
        written = backup(rt.settings, None, rt.clock.now())

    assert written.file == tmp_path / "backups" / "oo-20261123T090000Z.db"
    assert (written.people, written.size) == (1, written.file.stat().st_size)
    assert stat.S_IMODE(written.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(written.file.parent.stat().st_mode) == 0o700
    assert select(written.file, 'SELECT id, role FROM "user"') == [(ada.id, "user")]
    assert select(written.file, "SELECT name FROM sqlite_master WHERE name = 'person_key'") == []
    assert b"gAAAAA" not in written.file.read_bytes()
    assert names(written.file.parent) == {written.file.name}


async def test_a_backup_overwrites_nothing(rt: Runtime, tmp_path: Path):
    (tmp_path / "mine.db").write_text("dear to me")

    with pytest.raises(Invalid, match="is there already"):
        backup(rt.settings, tmp_path / "mine.db", rt.clock.now())

    assert (tmp_path / "mine.db").read_text() == "dear to me"


async def test_a_backup_into_no_folder_is_one_line(rt: Runtime, tmp_path: Path):
    with pytest.raises(Invalid, match=r"/no/such/copy\.db: No such file or directory$"):
        backup(rt.settings, tmp_path / "no" / "such" / "copy.db", rt.clock.now())


async def test_a_damaged_database_makes_no_backup(rt: Runtime, tmp_path: Path):
    await a_person(rt)
    await rt.stop()
    with (tmp_path / "oo.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\x00\xff" * 20_000)

    with pytest.raises(Invalid):
        backup(rt.settings, None, rt.clock.now())

    assert names(tmp_path / "backups") == set()


async def test_nothing_to_back_up_is_one_line(rt: Runtime, tmp_path: Path):
    nowhere = rt.settings.model_copy(update={"oo_data_dir": tmp_path / "nowhere"})

    with pytest.raises(Invalid, match="nothing to back up yet"):
        backup(nowhere, None, rt.clock.now())


async def test_key_backups_are_kept_for_seven_days(rt: Runtime, tmp_path: Path, clock: FakeClock):
    await a_person(rt)
    first = backup_keys(rt.settings, None, clock.now())
    clock.advance(timedelta(days=7))
    second = backup_keys(rt.settings, None, clock.now())
    assert (first.outdated, second.outdated) == (0, 0)

    clock.advance(timedelta(seconds=1))
    third = backup_keys(rt.settings, None, clock.now())

    assert third.outdated == 1
    assert names(tmp_path / "backups") == {second.file.name, third.file.name}
    clock.advance(timedelta(days=8))
    assert (await ops.purge(rt))["key_backups"] == 2
    assert names(tmp_path / "backups") == set()


async def test_somebody_elses_files_among_the_backups_stay(rt: Runtime, tmp_path: Path, clock: FakeClock):
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "keys-of-the-house.db").write_text("not ours")
    clock.advance(timedelta(days=30))

    assert (await ops.purge(rt))["key_backups"] == 0

    assert names(tmp_path / "backups") == {"keys-of-the-house.db"}


async def test_deleting_takes_the_key_out_of_our_own_copies(rt: Runtime):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    copy = backup_keys(rt.settings, None, rt.clock.now()).file
    (wrapped,) = next(iter(select(copy, f"SELECT wrapped FROM person_key WHERE user_id = '{ada.id}'")))
    assert isinstance(wrapped, bytes)

    await ops.delete_everything(rt, ada.id)

    assert select(copy, "SELECT user_id FROM person_key") == [(ben.id,)]
    assert wrapped not in copy.read_bytes()
    assert ada.id.encode() not in copy.read_bytes()


def set_aside(tmp_path: Path, content: bytes) -> Path:
    """Leave a store of keys as a restore sets one aside (that it does so, the test of lost keys shows)."""
    kept = tmp_path / "keys.db.before-20261123T090000Z"
    kept.write_bytes(content)
    return kept


async def test_deleting_takes_the_key_out_of_a_store_that_was_set_aside(rt: Runtime, tmp_path: Path):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    kept = set_aside(tmp_path, (tmp_path / "keys.db").read_bytes())
    assert set(select(kept, "SELECT user_id FROM person_key")) == {(ada.id,), (ben.id,)}

    await ops.delete_everything(rt, ada.id)

    assert select(kept, "SELECT user_id FROM person_key") == [(ben.id,)]
    assert ada.id.encode() not in kept.read_bytes()


async def test_a_store_set_aside_out_of_which_nothing_can_be_taken_goes_as_a_whole(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt, "ada")
    await a_person(rt, "ben")
    store = bytearray((tmp_path / "keys.db").read_bytes())
    store[4096 * 2 : 4096 * 2 + 64] = b"x" * 64  # a page of the index, which a deletion has to change
    kept = set_aside(tmp_path, bytes(store))

    await ops.delete_everything(rt, ada.id)

    assert not kept.exists()


async def test_a_store_set_aside_is_kept_for_seven_days(rt: Runtime, tmp_path: Path, clock: FakeClock):
    await a_person(rt)
    kept = set_aside(tmp_path, (tmp_path / "keys.db").read_bytes())
    clock.advance(timedelta(days=7))
    assert (await ops.purge(rt))["key_backups"] == 0

    clock.advance(timedelta(seconds=1))

    assert (await ops.purge(rt))["key_backups"] == 1
    assert not kept.exists()


@pytest.mark.parametrize("name", ["backups/keys-20261123T090000Z.db.partial", "keys.db.restoring"])
async def test_what_a_broken_off_verb_left_of_the_keys_is_no_way_around_a_deletion(
    rt: Runtime, tmp_path: Path, clock: FakeClock, name: str
):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    left = tmp_path / name
    left.parent.mkdir(exist_ok=True)
    shutil.copyfile(tmp_path / "keys.db", left)

    await ops.delete_everything(rt, ada.id)

    assert select(left, "SELECT user_id FROM person_key") == [(ben.id,)]
    assert ada.id.encode() not in left.read_bytes()
    long_ago = (clock.now() - timedelta(hours=2)).timestamp()
    os.utime(left, (long_ago, long_ago))
    await ops.purge(rt)
    assert not left.exists()


async def test_a_deletion_that_a_crash_kept_from_our_copies_is_made_up_for(rt: Runtime):
    ada = await a_person(rt, "ada")
    copy = backup_keys(rt.settings, None, rt.clock.now()).file
    await accounts.erase(rt, ada.id)  # and here the process is killed
    assert select(copy, "SELECT user_id FROM person_key") == [(ada.id,)]

    await ops.strike_all(rt)

    assert select(copy, "SELECT user_id FROM person_key") == []
