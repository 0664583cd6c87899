import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from oo_app import accounts
from oo_app.accounts import DOCUMENTS, choose, find_by_email, preferences, profile, sign_in, suggest_time_zone
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import NotFound
from oo_app.runtime import Runtime
from tests.accounts.people import google_person, person
from tests.conftest import KEY
from tests.outside import lies_readable, rekeyed, with_settings


async def account(rt: Runtime, who: accounts.Person) -> str:
    user_id, _ = await sign_in(rt, who, replacing=None)
    return user_id


async def rows(rt: Runtime, table: str) -> int:
    async with rt.db.read() as session:
        return (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()


async def suggest(rt: Runtime, user_id: str, zone: str) -> str | None:
    async with rt.db.begin() as tx:
        await suggest_time_zone(tx, user_id, zone)
    return (await preferences(rt, user_id)).time_zone


async def test_the_same_identity_twice_is_one_account(rt: Runtime):
    first, second = await account(rt, person()), await account(rt, person())

    assert first == second
    assert await rows(rt, '"user"') == 1


async def test_two_first_sign_ins_at_once_make_one_account(rt: Runtime):
    made = await asyncio.gather(*(account(rt, person()) for _ in range(4)))

    assert len(set(made)) == 1
    assert await rows(rt, '"user"') == 1
    assert (await profile(rt, made[0])).email == "ada@example.com"


async def test_a_lost_race_leaves_no_key_behind(rt: Runtime, tmp_path: Path):
    made = await asyncio.gather(*(account(rt, person()) for _ in range(4)))

    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys:
        assert keys.execute("SELECT user_id FROM person_key").fetchall() == [(made[0],)]


@pytest.mark.parametrize(
    "other",
    [person(issuer="https://other.example"), person("111"), person("Abc"), person("abc")],
    ids=["another issuer", "another subject", "upper case", "lower case"],
)
async def test_another_identity_with_the_same_address_is_another_account(rt: Runtime, other: accounts.Person):
    first = await account(rt, person("aBC"))

    second = await account(rt, other)

    assert first != second
    assert sorted(await find_by_email(rt, "ada@example.com")) == sorted([first, second])


async def test_consent_is_recorded_once_with_version_and_time(rt: Runtime, clock: FakeClock):
    agreed_at = clock.now()
    user_id = await account(rt, person())

    clock.advance(timedelta(days=1))
    await account(rt, person())

    consents = (await profile(rt, user_id)).consents
    assert {(each.document, each.version, each.at) for each in consents} == {
        (document, version, agreed_at) for document, version in DOCUMENTS.items()
    }
    assert len(consents) == len(DOCUMENTS)


async def test_an_address_changed_at_the_provider_is_taken_over(rt: Runtime):
    user_id = await account(rt, person())

    await account(rt, person(email="ada@new.example"))

    assert (await profile(rt, user_id)).email == "ada@new.example"
    assert await find_by_email(rt, "ada@new.example") == [user_id]
    assert await find_by_email(rt, "ada@example.com") == []


@pytest.mark.parametrize("asked", ["ada@example.com", " ADA@Example.com "])
async def test_an_address_is_found_however_it_is_written(rt: Runtime, asked: str):
    user_id = await account(rt, person(email="Ada@example.com"))

    assert await find_by_email(rt, asked) == [user_id]


async def test_an_address_is_found_after_the_secret_key_was_changed(rt: Runtime):
    user_id = await account(rt, person())

    async with rekeyed(rt, f"{'n' * 32},{KEY}") as changed:
        assert await find_by_email(changed, "ada@example.com") == [user_id]
        await account(changed, person())
        assert await find_by_email(changed, "ada@example.com") == [user_id]


async def test_an_address_lies_nowhere_readable(rt: Runtime, tmp_path: Path):
    user_id = await account(rt, person(email="ada.lovelace@example.com", refresh_token="apple-refresh-token"))

    for words in ("ada.lovelace", "ADA.LOVELACE", "apple-refresh-token", '"110"'):
        assert lies_readable(tmp_path, words) == []
    assert lies_readable(tmp_path, user_id), "what is searched for would be found"


async def test_the_sandboxs_admin_is_an_admin(rt: Runtime):
    user_id = await account(rt, google_person(rt, "Admin@sandbox.test"))

    assert (await profile(rt, user_id)).role == "admin"


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "https://appleid.apple.com"])
async def test_the_seeded_address_is_an_admin_where_a_real_provider_verified_it(rt: Runtime, issuer: str):
    seeded = with_settings(rt, admin_seed_email="Ada@example.com")

    user_id = await account(seeded, person(issuer=issuer, email="ada@EXAMPLE.com"))

    assert (await profile(seeded, user_id)).role == "admin"


@pytest.mark.parametrize(
    ("seed", "issuer", "email"),
    [
        ("ada@example.com", "http://127.0.0.1:8000/sandbox/google", "ada@example.com"),
        ("ada@example.com", "http://127.0.0.1:8000/sandbox/apple", "ada@example.com"),
        ("ada@example.com", "http://issuer.example", "ada@example.com"),
        ("ada@example.com", "https://accounts.google.com", "ben@example.com"),
        ("", "https://accounts.google.com", "ada@example.com"),
        ("", "https://accounts.google.com", ""),
        ("", "https://accounts.google.com", "admin@sandbox.test"),
        ("", "https://127.0.0.1:8000/sandbox/google", "admin@sandbox.test"),
    ],
)
async def test_nobody_else_is_an_admin(rt: Runtime, seed: str, issuer: str, email: str):
    seeded = with_settings(rt, admin_seed_email=seed)

    user_id = await account(seeded, person(issuer=issuer, email=email))

    assert (await profile(seeded, user_id)).role == "user"


async def test_the_sandboxs_admin_is_nobody_without_the_sandbox(rt: Runtime):
    real = with_settings(rt, oo_sandbox=False)

    user_id = await account(real, google_person(real, "admin@sandbox.test"))

    assert (await profile(real, user_id)).role == "user"


async def test_an_admin_no_longer_seeded_is_a_user_from_the_next_sign_in(rt: Runtime):
    ada = person(issuer="https://accounts.google.com")
    user_id = await account(with_settings(rt, admin_seed_email="ada@example.com"), ada)

    await account(with_settings(rt, admin_seed_email=""), ada)

    assert (await profile(rt, user_id)).role == "user"


async def test_a_new_person_has_the_quiet_defaults(rt: Runtime):
    chosen = await preferences(rt, await account(rt, person()))

    assert (chosen.time_zone, chosen.quiet_from, chosen.quiet_to) == (None, "22:00", "08:00")
    assert not any((chosen.notify, chosen.paused, chosen.learn_across_people, chosen.allow_remote_ai))
    assert str(chosen.zone) == "UTC"


async def test_choosing_changes_only_what_is_named(rt: Runtime):
    user_id = await account(rt, person())
    before = await preferences(rt, user_id)

    assert await choose(rt, user_id) == before
    assert await choose(rt, user_id, paused=True) == replace(before, paused=True)


async def test_a_suggested_zone_is_taken_once(rt: Runtime):
    user_id = await account(rt, person())

    assert await suggest(rt, user_id, "Europe/Berlin") == "Europe/Berlin"
    assert await suggest(rt, user_id, "Asia/Tokyo") == "Europe/Berlin"


async def test_a_chosen_zone_is_never_overruled(rt: Runtime):
    user_id = await account(rt, person())
    await choose(rt, user_id, time_zone="Asia/Tokyo")

    assert await suggest(rt, user_id, "Europe/Berlin") == "Asia/Tokyo"


@pytest.mark.parametrize("zone", ["GMT +3:00", "Europe", "../../etc/passwd", "", "x" * 500])
async def test_a_suggested_zone_that_nobody_knows_is_passed_over(rt: Runtime, zone: str):
    user_id = await account(rt, person())

    assert await suggest(rt, user_id, zone) is None


async def test_apples_refresh_token_is_kept_for_leaving(rt: Runtime):
    user_id = await account(rt, person(refresh_token="first"))
    await account(rt, person(refresh_token="second"))
    await account(rt, person())

    assert await accounts.identity_tokens(rt, user_id) == [("https://issuer.example", "second")]


async def test_nobody_else_is_told_of_when_leaving(rt: Runtime):
    user_id = await account(rt, person())

    assert await accounts.identity_tokens(rt, user_id) == []


async def test_erasing_takes_every_row_and_the_key(rt: Runtime):
    user_id = await account(rt, person())

    await accounts.erase(rt, user_id)

    for table in ('"user"', "identity", "session", "consent", "preferences"):
        assert await rows(rt, table) == 0
    for look in (profile, preferences, accounts.identity_tokens):
        with pytest.raises(NotFound):
            await look(rt, user_id)


async def test_after_erasing_the_same_identity_is_a_new_person(rt: Runtime):
    before = await account(rt, person())
    await accounts.erase(rt, before)

    after = await account(rt, person())

    assert after != before
    assert await rows(rt, '"user"') == 1
