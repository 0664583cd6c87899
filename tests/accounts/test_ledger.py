"""The deletion ledger: whichever store is restored alone, and wherever a crash fell, the deleted stay deleted."""

import asyncio
import shutil
from pathlib import Path

import pytest
from sqlalchemy import delete

from oo_app import accounts
from oo_app.accounts.models import Deletion, User
from oo_app.kit.errors import Invalid, NotFound
from oo_app.kit.keystore import person_hash
from oo_app.runtime import Runtime
from oo_app.signals.models import Item
from tests.accounts.people import person
from tests.outside import lies_readable, on_files_of, rekeyed, snapshot
from tests.people import a_person, a_tip, rows


async def test_erasing_is_noted_in_both_stores_as_a_hash(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt)

    await accounts.erase(rt, ada.id)

    assert [row.person_hash for row in await rows(rt, Deletion)] == [person_hash(ada.id)]
    assert await rt.vault.store.ledger() == {person_hash(ada.id): rt.clock.now()}
    await rt.db.truncate_wal()
    assert lies_readable(tmp_path, ada.id) == []


async def test_who_is_deleted_stays_so_when_the_database_alone_is_restored(rt: Runtime, tmp_path: Path):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    await a_tip(rt, ada.id)
    older = await snapshot(rt, tmp_path / "older")
    await accounts.erase(rt, ada.id)
    shutil.copy(tmp_path / "keys.db", older / "keys.db")

    async with on_files_of(rt, older) as later:
        assert {user.id for user in await rows(later, User)} == {ada.id, ben.id}
        assert await accounts.undone_deletions(later) == 1

        assert await accounts.replay(later) == accounts.Replayed(people=1, keys=0)

        assert [user.id for user in await rows(later, User)] == [ben.id]
        assert {item.user_id for item in await rows(later, Item)} == {ben.id}
        assert [row.person_hash for row in await rows(later, Deletion)] == [person_hash(ada.id)]
        assert await accounts.undone_deletions(later) == 0


async def test_who_is_deleted_stays_so_when_the_keys_alone_are_restored(rt: Runtime, tmp_path: Path):
    """The same files are left by a crash between the two transactions of a deletion."""
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    older = await snapshot(rt, tmp_path / "older")
    await accounts.erase(rt, ada.id)
    await rt.db.truncate_wal()
    shutil.copy(tmp_path / "oo.db", older / "oo.db")

    async with on_files_of(rt, older) as later:
        assert await later.vault.store.people() == {ada.id, ben.id}

        assert await accounts.replay(later) == accounts.Replayed(people=0, keys=1)

        assert await later.vault.store.people() == {ben.id}
        with pytest.raises(NotFound):
            await later.vault.for_user(ada.id)
        assert person_hash(ada.id) in await later.vault.store.ledger()


async def test_who_is_deleted_stays_so_under_new_secret_keys(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt)
    older = await snapshot(rt, tmp_path / "older")
    await accounts.erase(rt, ada.id)
    shutil.copy(tmp_path / "keys.db", older / "keys.db")

    async with on_files_of(rt, older) as later, rekeyed(later, "another-key-" * 4) as rotated:
        assert await accounts.replay(rotated) == accounts.Replayed(people=1, keys=0)


async def test_a_half_that_knows_less_is_told_by_the_other(rt: Runtime):
    first, second = await a_person(rt, "ada"), await a_person(rt, "ben")
    await accounts.erase(rt, first.id)
    async with rt.db.begin() as tx:
        await tx.session.execute(delete(Deletion))
        tx.session.add(Deletion(person_hash=person_hash(second.id), at=tx.now))

    assert await accounts.replay(rt) == accounts.Replayed(people=1, keys=1)

    both = {person_hash(first.id), person_hash(second.id)}
    assert {row.person_hash for row in await rows(rt, Deletion)} == both
    assert set(await rt.vault.store.ledger()) == both
    assert await accounts.replay(rt) == accounts.Replayed(people=0, keys=0)


async def test_replaying_leaves_everybody_else_alone(rt: Runtime):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    await accounts.erase(rt, ada.id)

    assert await accounts.replay(rt) == accounts.Replayed(people=0, keys=0)

    assert [user.id for user in await rows(rt, User)] == [ben.id]
    assert await accounts.keyless(rt) == (0, 1)


async def test_a_key_read_while_it_is_destroyed_is_not_kept(rt: Runtime):
    people = [await a_person(rt, f"ada{number}", tasks=0) for number in range(20)]
    rt.vault.forget()

    async def read(user_id: str) -> None:
        try:
            await rt.vault.for_user(user_id)
        except NotFound:
            return

    await asyncio.gather(
        *(read(each.id) for each in people),
        rt.vault.destroy_for([each.id for each in people], rt.clock.now()),
        *(read(each.id) for each in people),
    )

    assert rt.vault._people == {}
    for each in people:
        with pytest.raises(NotFound):
            await rt.vault.for_user(each.id)


async def test_a_key_that_another_process_destroyed_is_forgotten_with_the_next_purge(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt)
    async with on_files_of(rt, tmp_path) as other:
        await accounts.erase(other, ada.id)
    assert await rt.vault.for_user(ada.id)

    rt.vault.forget()

    with pytest.raises(NotFound):
        await rt.vault.for_user(ada.id)


async def test_signing_in_without_a_key_is_refused_with_a_sentence(rt: Runtime):
    user_id, _ = await accounts.sign_in(rt, person(), replacing=None)
    await rt.vault.destroy_for([user_id], rt.clock.now())

    with pytest.raises(Invalid) as refused:
        await accounts.sign_in(rt, person(), replacing=None)

    assert refused.value.facts["code"] == "keyless"
    assert await accounts.keyless(rt) == (1, 1)


async def test_signing_in_while_being_deleted_makes_a_new_account_or_the_old_one_goes(rt: Runtime):
    for _ in range(10):
        before, _ = await accounts.sign_in(rt, person(), replacing=None)

        (after, token), _ = await asyncio.gather(
            accounts.sign_in(rt, person(), replacing=None), accounts.erase(rt, before)
        )

        caller = await accounts.find_caller(rt, token)
        assert (caller is None) == (after == before)
