"""Tokens of a person's programs: shown once, hashed, ninety days, twenty a person, gone with the person."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from oo_app import accounts, wiring
from oo_app.accounts.models import ApiToken
from oo_app.accounts.tokens import LIFETIME, MOST
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import Enough, NotFound, NotSignedIn
from oo_app.runtime import Runtime
from tests.outside import lies_readable
from tests.people import a_person, rows


async def test_a_token_speaks_for_its_person_and_never_as_an_admin(rt: Runtime):
    ada = await a_person(rt)
    minted = await accounts.mint(rt, ada.id, "my terminal")

    caller = await accounts.bearer(rt, minted.token)

    assert (caller.user_id, caller.role, caller.session_id) == (ada.id, "user", minted.id)


async def test_scanners_can_tell_what_they_found(rt: Runtime):
    ada = await a_person(rt)

    tokens = {(await accounts.mint(rt, ada.id, "one")).token for _ in range(5)}

    assert len(tokens) == 5
    assert all(token.startswith("oo_") and len(token) == 46 for token in tokens)


async def test_neither_token_nor_name_lies_readable(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt)

    minted = await accounts.mint(rt, ada.id, "planted-name")

    assert lies_readable(tmp_path, minted.token) == lies_readable(tmp_path, "planted-name") == []


async def test_the_list_tells_everything_but_the_secret(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    minted = await accounts.mint(rt, ada.id, "my terminal")
    clock.advance(timedelta(minutes=5))
    await accounts.bearer(rt, minted.token)

    (view,) = await accounts.tokens(rt, ada.id)

    assert (view.id, view.name) == (minted.id, "my terminal")
    assert view.expires_at == minted.expires_at == view.created_at + LIFETIME
    assert view.last_used_at == clock.now()
    assert minted.token not in repr(view)


async def test_use_is_noted_once_a_minute_at_most(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    minted = await accounts.mint(rt, ada.id, "my terminal")
    await accounts.bearer(rt, minted.token)
    first = clock.now()
    clock.advance(timedelta(seconds=59))
    await accounts.bearer(rt, minted.token)

    (view,) = await accounts.tokens(rt, ada.id)

    assert view.last_used_at == first


@pytest.mark.parametrize("token", ["", "oo_", "oo_unknown", "unknown", "oo_" + "é" * 43])
async def test_a_token_that_is_none_is_nobody(rt: Runtime, token: str):
    with pytest.raises(NotSignedIn):
        await accounts.bearer(rt, token)


async def test_a_session_is_no_token(rt: Runtime):
    ada = await a_person(rt)

    with pytest.raises(NotSignedIn):
        await accounts.bearer(rt, ada.token)


async def test_after_ninety_days_it_is_over(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    minted = await accounts.mint(rt, ada.id, "my terminal")
    clock.advance(timedelta(days=90) - timedelta(seconds=1))
    await accounts.bearer(rt, minted.token)
    clock.advance(timedelta(seconds=1))

    with pytest.raises(NotSignedIn):
        await accounts.bearer(rt, minted.token)
    assert await accounts.tokens(rt, ada.id) == []


async def test_what_is_over_is_purged_and_the_rest_stays(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    await accounts.mint(rt, ada.id, "old")
    clock.advance(timedelta(days=89))
    young = await accounts.mint(rt, ada.id, "young")
    clock.advance(timedelta(days=1))

    await accounts.purge_tokens(rt, 100)

    assert [row.id for row in await rows(rt, ApiToken)] == [young.id]


async def test_the_hourly_purge_takes_them_along(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    await accounts.mint(rt, ada.id, "old")
    clock.advance(LIFETIME)

    await next(job for job in wiring.jobs(rt) if job.name == "purge").run()

    assert await rows(rt, ApiToken) == []


async def test_a_token_ends_at_once_and_only_by_its_person(rt: Runtime):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    minted = await accounts.mint(rt, ada.id, "my terminal")

    with pytest.raises(NotFound):
        await accounts.withdraw_token(rt, ben.id, minted.id)
    await accounts.bearer(rt, minted.token)
    await accounts.withdraw_token(rt, ada.id, minted.id)

    with pytest.raises(NotSignedIn):
        await accounts.bearer(rt, minted.token)
    with pytest.raises(NotFound):
        await accounts.withdraw_token(rt, ada.id, minted.id)


async def test_nobody_has_more_than_twenty_also_when_asking_at_once(rt: Runtime, clock: FakeClock):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")

    came = await asyncio.gather(*(accounts.mint(rt, ada.id, "x") for _ in range(MOST + 5)), return_exceptions=True)

    assert sum(isinstance(each, accounts.Minted) for each in came) == MOST == 20
    assert sum(isinstance(each, Enough) for each in came) == 5
    await accounts.mint(rt, ben.id, "x")
    clock.advance(LIFETIME)
    await accounts.mint(rt, ada.id, "one more, the others being over")


async def test_a_token_goes_with_its_person(rt: Runtime):
    ada = await a_person(rt)
    minted = await accounts.mint(rt, ada.id, "my terminal")

    await accounts.erase(rt, ada.id)

    assert await rows(rt, ApiToken) == []
    with pytest.raises(NotSignedIn):
        await accounts.bearer(rt, minted.token)
