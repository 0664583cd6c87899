"""Rotation leaves nothing under the old keys; the purge blanks what has had its time and nothing else."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from oo_app import accounts, ops, signals, tips
from oo_app.accounts.models import Identity
from oo_app.connections import sources_by_name
from oo_app.connections.models import Connection
from oo_app.kit.clock import FakeClock
from oo_app.kit.config import SettingsError
from oo_app.kit.crypto import Place
from oo_app.runtime import Runtime
from oo_app.signals.models import Item
from oo_app.sources.todoist import Todoist
from oo_app.tips.models import Decision, Impression, Reaction, Reward
from tests.browser import Browser
from tests.conftest import KEY
from tests.outside import on_files_of
from tests.people import a_person, a_tip, decision, exported, rows

NEW = "a-new-key-" * 5
DETAILS = ("context", "candidates", "scores", "propensities")


@asynccontextmanager
async def under(rt: Runtime, *, encryption: str, secret: str):
    """Run on the same files with other keys, as after a restart."""
    keys = {"oo_encryption_keys": SecretStr(encryption), "oo_secret_keys": SecretStr(secret)}
    async with on_files_of(rt, rt.settings.oo_data_dir, **keys) as later:
        yield later


async def test_after_a_rotation_the_old_keys_can_be_dropped(rt: Runtime, ada: Browser):
    (user_id,) = await accounts.find_by_email(rt, "ada@sandbox.test")
    before = (await exported(rt, user_id))["item"]
    others = [await a_person(rt, f"person{number}") for number in range(3)]

    async with under(rt, encryption=f"{NEW},{KEY[::-1]}", secret=f"{NEW},{KEY}") as rotating:
        assert await ops.rotate(rotating) == ops.Rotated(keys=4, addresses=1, owners=1, unread=0)
        assert await ops.rotate(rotating) == ops.Rotated(keys=0, addresses=0, owners=0, unread=0)

    async with under(rt, encryption=NEW, secret=NEW) as after:
        assert (await exported(after, user_id))["item"] == before
        assert await accounts.find_by_email(after, "ada@sandbox.test") == [user_id]
        for person in others:
            assert (await accounts.profile(after, person.id)).email.startswith("person")
        (connection,) = [each for each in await rows(after, Connection) if each.user_id == user_id]
        await reread(after, connection.id)
        # The same account, by the new hash: nothing was taken for somebody else's and read anew under other ids.
        assert (await exported(after, user_id))["item"] == before

    with pytest.raises(SettingsError):
        async with under(rt, encryption=KEY[::-1], secret=KEY):
            pass


async def reread(rt: Runtime, connection_id: str) -> None:
    """Read a source from the start, which compares whose account it is."""
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Connection).values(cursor=None))
    assert await signals.sync(rt, connection_id)


async def test_without_rotation_the_old_keys_are_needed(rt: Runtime):
    await a_person(rt)

    with pytest.raises(SettingsError):
        async with under(rt, encryption=NEW, secret=NEW):
            pass


async def test_a_rotation_that_was_broken_off_goes_on(rt: Runtime):
    people = [await a_person(rt, f"person{number}", tasks=0) for number in range(3)]
    async with under(rt, encryption=f"{NEW},{KEY[::-1]}", secret=KEY) as rotating:
        first, *_ = await rotating.vault.store.page()
        rewrapped = rotating.vault._wrap.encrypt(rotating.vault.unwrapped(first[1]))
        assert await rotating.vault.store.rewrap([(first[0], first[1], rewrapped)]) == 1

        assert (await ops.rotate(rotating)).keys == 2

    async with under(rt, encryption=NEW, secret=KEY) as after:
        for person in people:
            assert await accounts.profile(after, person.id)


async def test_a_rotation_brings_nobody_back(rt: Runtime):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    async with under(rt, encryption=f"{NEW},{KEY[::-1]}", secret=KEY) as rotating:
        stale = await rotating.vault.store.page()
        await accounts.erase(rotating, ada.id)

        assert await rotating.vault.store.rewrap([(user_id, key, b"new") for user_id, key in stale]) == 1

        assert await rotating.vault.store.people() == {ben.id}


async def test_a_rotation_while_people_use_it_disturbs_nobody(rt: Runtime):
    ada = await a_person(rt)
    both = {"encryption": f"{NEW},{KEY[::-1]}", "secret": f"{NEW},{KEY}"}
    async with under(rt, **both) as serving, under(rt, **both) as rotating:
        rotated, served = await asyncio.gather(ops.rotate(rotating), a_tip(serving, ada.id))
        assert rotated.keys == 1

        serving.vault.forget()
        assert await tips.react(serving, ada.id, served.tip.impression_id, "dismiss")
        assert await a_tip(serving, ada.id)


async def test_a_connection_whose_cursor_names_nobody_is_read_first(rt: Runtime, ada: Browser):
    (connection,) = await rows(rt, Connection)
    vault = await rt.vault.for_user(connection.user_id)
    nameless = vault.seal('["token", {"projects": {}}]', Place("connection", connection.id, "cursor"))
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Connection).values(cursor=nameless))

    async with under(rt, encryption=KEY[::-1], secret=f"{NEW},{KEY}") as rotating:
        assert (await ops.rotate(rotating)).unread == 1
        assert await signals.sync(rotating, connection.id)
        assert (await ops.rotate(rotating)).unread == 0

        (owner_hash,) = [each.owner_hash for each in await rows(rotating, Connection)]
        assert owner_hash != connection.owner_hash
        assert len({item.id for item in await rows(rotating, Item)}) == len(await rows(rotating, Item))


@pytest.mark.parametrize("name", ["todoist", "google_calendar", "ical", "caldav"])
def test_a_cursor_tells_whose_account_it_is(name: str):
    assert sources_by_name()[name].tells_owner


async def test_where_no_cursor_ever_tells_rotating_ends(rt: Runtime, monkeypatch: pytest.MonkeyPatch, ada: Browser):
    monkeypatch.delattr(Todoist, "owner_in")

    async with under(rt, encryption=KEY[::-1], secret=f"{NEW},{KEY}") as rotating:
        assert [(await ops.rotate(rotating)).unread for _ in range(2)] == [0, 0]


async def test_people_without_a_key_are_passed_over(rt: Runtime, ada: Browser):
    (identity,) = await rows(rt, Identity)
    await rt.vault.destroy_for([identity.user_id], rt.clock.now())

    async with under(rt, encryption=KEY[::-1], secret=f"{NEW},{KEY}") as rotating:
        assert await ops.rotate(rotating) == ops.Rotated(keys=0, addresses=0, owners=0, unread=0)


async def test_after_thirty_days_a_decision_keeps_only_what_came_of_it(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    old = await a_tip(rt, ada.id)
    await tips.react(rt, ada.id, old.tip.impression_id, "dismiss", dwell_ms=5000)
    kept = [await rows(rt, table) for table in (Impression, Reaction, Reward)]
    clock.advance(timedelta(days=30) - timedelta(seconds=1))
    new = await a_tip(rt, ada.id)
    assert (await ops.purge(rt))["decision_details"] == 0

    clock.advance(timedelta(seconds=1))
    assert (await ops.purge(rt))["decision_details"] == 1

    blanked, whole = await decision(rt, old.tip.impression_id), await decision(rt, new.tip.impression_id)
    assert {name: getattr(blanked, name) for name in DETAILS} == dict.fromkeys(DETAILS, b"")
    assert (blanked.candidate_ids, blanked.policy, blanked.at) == ("[]", "random", old.served_at)
    assert all(getattr(whole, name) for name in DETAILS)
    after = [await rows(rt, table) for table in (Impression, Reaction, Reward)]
    assert [[row for row in rows if row in of] for rows, of in zip(kept, after, strict=True)] == kept
    assert (await ops.purge(rt))["decision_details"] == 0


async def test_a_blanked_decision_is_exported_as_it_is(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    await a_tip(rt, ada.id)
    clock.advance(timedelta(days=31))
    await ops.purge(rt)

    (told,) = (await exported(rt, ada.id))["decision"]

    assert (told["context"], told["candidate_ids"]) == ([], [])


async def test_more_than_a_batch_is_blanked_at_once(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    await a_tip(rt, ada.id)
    (one,) = await rows(rt, Decision)
    async with rt.db.begin() as tx:
        tx.session.add_all([Decision(**one.model_dump() | {"id": f"d{number}"}) for number in range(1100)])
    clock.advance(timedelta(days=31))

    assert (await ops.purge(rt))["decision_details"] == 1101


async def test_the_purge_counts_sessions_round_trips_and_facts(rt: Runtime, clock: FakeClock, tmp_path: Path):
    ada = await a_person(rt)
    await accounts.begin_flow(rt, "sign-in:google", "a-browser")
    await a_tip(rt, ada.id)
    clock.advance(timedelta(days=91))

    purged = await ops.purge(rt)

    assert (purged["sessions"], purged["round_trips"], purged["facts"]) == (1, 1, 1)
    assert (tmp_path / "oo.db-wal").stat().st_size == 0
