"""Restores: checked before anything changes, whole or not at all, and nobody who was deleted comes back."""

import asyncio
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import update
from sqlmodel import col

from oo_app import accounts, ops, signals, tips
from oo_app.accounts.models import Session, User
from oo_app.kit.errors import Invalid, NotFound
from oo_app.ops.backup import backup, backup_keys, key_backups
from oo_app.ops.restore import restore, restore_keys
from oo_app.runtime import Runtime
from oo_app.signals.models import Closing, Item
from tests.accounts.people import person
from tests.files import names, run, select
from tests.outside import on_files_of
from tests.people import a_person, a_tip, exported, rows


async def test_a_restore_brings_back_what_was_backed_up(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt, "ada")
    copy = backup(rt.settings, None, rt.clock.now()).file
    ben = await a_person(rt, "ben")
    await rt.stop()

    restored = await restore(rt.settings, copy, rt.clock)

    assert restored.people == 1
    assert (restored.forgotten, restored.keyless, restored.dropped) == (0, 0, 0)
    async with on_files_of(rt, tmp_path) as later:
        assert [user.id for user in await rows(later, User)] == [ada.id]
        vault = await later.vault.for_user(ada.id)
        assert {item["content"] for item in (await exported(later, ada.id))["item"]} >= {"ada's task 0"}
        assert vault
    kept = tmp_path / "oo.db.before-20261123T090000Z"
    assert restored.kept == kept
    assert {row[0] for row in select(kept, 'SELECT id FROM "user"')} == {ada.id, ben.id}
    assert not [name for name in names(tmp_path) if "restoring" in name]
    assert stat.S_IMODE((tmp_path / "oo.db").stat().st_mode) == 0o600


async def test_who_was_deleted_since_the_backup_does_not_come_back(rt: Runtime, tmp_path: Path):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    copy = backup(rt.settings, None, rt.clock.now()).file
    keys = backup_keys(rt.settings, tmp_path / "elsewhere.db", rt.clock.now()).file
    await ops.delete_everything(rt, ada.id)
    await rt.stop()

    restored = await restore(rt.settings, copy, rt.clock)
    came = await restore_keys(rt.settings, keys, rt.clock)

    assert (restored.people, restored.forgotten) == (1, 1)
    assert (came.added, came.forgotten) == (0, 1)
    assert ada.id.encode() not in (tmp_path / "oo.db").read_bytes()
    async with on_files_of(rt, tmp_path) as later:
        assert [user.id for user in await rows(later, User)] == [ben.id]
        assert await later.vault.store.people() == {ben.id}


async def test_who_was_deleted_stays_so_also_when_the_key_store_was_lost(rt: Runtime, tmp_path: Path):
    """Only the database that is replaced knows of the deletion then."""
    ada = await a_person(rt, "ada")
    copy = backup(rt.settings, None, rt.clock.now()).file
    keys = backup_keys(rt.settings, tmp_path / "elsewhere.db", rt.clock.now()).file
    await ops.delete_everything(rt, ada.id)
    await rt.stop()
    (tmp_path / "keys.db").unlink()

    restored = await restore(rt.settings, copy, rt.clock)
    came = await restore_keys(rt.settings, keys, rt.clock)

    assert (restored.people, restored.forgotten) == (0, 1)
    assert (came.added, came.forgotten) == (0, 1)


async def test_lost_keys_come_back_from_their_own_backup(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt, "ada")
    keys = backup_keys(rt.settings, tmp_path / "elsewhere.db", rt.clock.now()).file
    ben = await a_person(rt, "ben")
    await rt.stop()
    (tmp_path / "keys.db").write_bytes(b"not a database, but long enough to be looked at" * 100)

    came = await restore_keys(rt.settings, keys, rt.clock)

    assert (came.added, came.forgotten) == (1, 0)
    assert came.kept
    assert came.kept.read_bytes().startswith(b"not a database")
    assert came.kept in {file for file, _ in key_backups(rt.settings)}  # and so held to what holds for copies of keys
    async with on_files_of(rt, tmp_path) as later:
        assert (await accounts.profile(later, ada.id)).email == "ada@sandbox.test"
        with pytest.raises(NotFound):
            await later.vault.for_user(ben.id)
        assert await accounts.keyless(later) == (1, 2)


async def test_keys_under_another_key_change_nothing(rt: Runtime, tmp_path: Path):
    await a_person(rt, "ada")
    keys = backup_keys(rt.settings, tmp_path / "elsewhere.db", rt.clock.now()).file
    run(keys, "UPDATE person_key SET wrapped = x'00'")
    await rt.stop()
    before = (tmp_path / "keys.db").read_bytes()

    with pytest.raises(Invalid, match="OO_ENCRYPTION_KEYS does not open these keys"):
        await restore_keys(rt.settings, keys, rt.clock)

    assert (tmp_path / "keys.db").read_bytes() == before


async def test_sessions_do_not_come_back(rt: Runtime, tmp_path: Path):
    user_id, token = await accounts.sign_in(rt, person(), replacing=None)
    await accounts.begin_flow(rt, "sign-in:google", "a-browser")
    await accounts.mint(rt, user_id, "a program")
    copy = backup(rt.settings, None, rt.clock.now()).file
    await accounts.close_session(rt, token)
    await rt.stop()

    await restore(rt.settings, copy, rt.clock)

    async with on_files_of(rt, tmp_path) as later:
        assert await rows(later, Session) == []
        assert await accounts.find_caller(later, token) is None
    for table in ("flow", "api_token"):
        assert select(tmp_path / "oo.db", f"SELECT count(*) FROM {table}") == [(0,)]


async def test_completions_that_recur_are_not_made_twice_and_the_others_are_sent_again(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt, tasks=2)
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Item).where(col(Item.id) == ada.item_ids[0]).values(is_recurring=True))
    for _ in range(2):
        served = await a_tip(rt, ada.id)
        await tips.react(rt, ada.id, served.tip.impression_id, "done")
    copy = backup(rt.settings, None, rt.clock.now()).file
    await rt.stop()

    assert (await restore(rt.settings, copy, rt.clock)).dropped == 1

    async with on_files_of(rt, tmp_path) as later:
        assert [closing.item_id for closing in await rows(later, Closing)] == [ada.item_ids[1]]
        assert await signals.drop_uncertain(later) == 0


async def test_an_older_version_is_brought_up_to_date(rt: Runtime, tmp_path: Path):
    await a_person(rt)
    copy = backup(rt.settings, None, rt.clock.now()).file
    older = ops.alembic_config(rt.settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{copy}"}))
    await asyncio.to_thread(command.downgrade, older, "0004")
    await rt.stop()

    assert (await restore(rt.settings, copy, rt.clock)).people == 1

    assert select(tmp_path / "oo.db", "SELECT version_num FROM alembic_version") == [(ops.head(),)]


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def scratched(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\x00\xff" * 10_000)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def written_over(file: Path) -> None:
    file.write_text("Dear diary, " * 1000)


def of_somebody_else(file: Path) -> None:
    file.unlink()
    run(file, "CREATE TABLE recipe (id INTEGER)")


def from_the_future(file: Path) -> None:
    run(file, "UPDATE alembic_version SET version_num = '9999'")


def without_version(file: Path) -> None:
    run(file, "DELETE FROM alembic_version")


def stranded(file: Path) -> None:
    run(file, "PRAGMA foreign_keys=OFF", 'DELETE FROM "user"')


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (cut, "damaged"),
        (scratched, "damaged"),
        (emptied, "is not a database of oO"),
        (written_over, "is not a database"),
        (of_somebody_else, "is not a database of oO"),
        (from_the_future, r"is of another version of oO \(9999\); this one knows up to "),
        (without_version, "is of another version of oO"),
        (stranded, "damaged"),
        (Path.unlink, "there is no such file"),
    ],
)
async def test_a_file_that_is_no_good_changes_nothing(
    rt: Runtime, tmp_path: Path, spoil: Callable[[Path], None], complaint: str
):
    await a_person(rt)
    copy = backup(rt.settings, tmp_path / "copy.db", rt.clock.now()).file
    await rt.stop()
    spoil(copy)
    copy.with_name("copy.db-wal").unlink(missing_ok=True)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path) if name.startswith(("oo", "keys"))}

    with pytest.raises(Invalid, match=complaint):
        await restore(rt.settings, copy, rt.clock)

    assert {
        name: (tmp_path / name).read_bytes() for name in names(tmp_path) if name.startswith(("oo", "keys"))
    } == before


async def test_keys_and_database_are_not_taken_for_one_another(rt: Runtime, tmp_path: Path):
    await a_person(rt)
    keys = backup_keys(rt.settings, None, rt.clock.now()).file
    copy = backup(rt.settings, None, rt.clock.now()).file
    await rt.stop()

    with pytest.raises(Invalid, match="holds people's keys"):
        await restore(rt.settings, keys, rt.clock)
    with pytest.raises(Invalid, match="is not a store of people's keys"):
        await restore_keys(rt.settings, copy, rt.clock)
    with pytest.raises(Invalid, match="is what oO uses now"):
        await restore(rt.settings, tmp_path / "oo.db", rt.clock)


async def test_a_damaged_database_is_replaced_and_kept(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt)
    copy = backup(rt.settings, None, rt.clock.now()).file
    await rt.stop()
    (tmp_path / "oo.db").write_bytes(b"not a database, but long enough to be looked at" * 100)

    restored = await restore(rt.settings, copy, rt.clock)

    assert restored.kept
    assert restored.kept.read_bytes().startswith(b"not a database")
    assert select(tmp_path / "oo.db", 'SELECT id FROM "user"') == [(ada.id,)]


async def test_a_copy_that_was_made_by_hand_brings_its_log_along(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt)
    folder = tmp_path / "by-hand"
    folder.mkdir()
    for name in ("oo.db", "oo.db-wal"):
        shutil.copy(tmp_path / name, folder / name)
    await rt.stop()
    (tmp_path / "oo.db").unlink()

    restored = await restore(rt.settings, folder / "oo.db", rt.clock)

    assert restored.kept is None
    assert select(tmp_path / "oo.db", 'SELECT id FROM "user"') == [(ada.id,)]
