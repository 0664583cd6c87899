from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from oo_app.accounts import caller, close_session, find_caller, purge_sessions, sign_in
from oo_app.accounts.models import Session
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import NotSignedIn
from oo_app.runtime import Runtime
from tests.accounts.people import person
from tests.outside import lies_readable


async def signed_in(rt: Runtime, *, replacing: str | None = None) -> str:
    _, token = await sign_in(rt, person(), replacing=replacing)
    return token


async def sessions(rt: Runtime) -> int:
    async with rt.db.read() as session:
        return (await session.execute(select(func.count()).select_from(Session))).scalar_one()


async def test_the_cookies_value_names_its_holder(rt: Runtime):
    user_id, token = await sign_in(rt, person(), replacing=None)

    found = await caller(rt, token)

    assert (found.user_id, found.role) == (user_id, "user")


@pytest.mark.parametrize("token", [None, "", "made up"])
async def test_any_other_value_names_nobody(rt: Runtime, token: str | None):
    await signed_in(rt)

    assert await find_caller(rt, token) is None
    with pytest.raises(NotSignedIn):
        await caller(rt, token)


async def test_the_value_itself_is_not_stored(rt: Runtime, tmp_path: Path):
    token = await signed_in(rt)

    assert lies_readable(tmp_path, token) == []


async def test_signing_in_again_ends_the_session_one_came_with(rt: Runtime):
    old = await signed_in(rt)

    new = await signed_in(rt, replacing=old)

    assert await find_caller(rt, old) is None
    assert await find_caller(rt, new)


async def test_signing_in_elsewhere_leaves_other_sessions_alive(rt: Runtime):
    desk, phone = await signed_in(rt), await signed_in(rt)

    assert await find_caller(rt, desk)
    assert await find_caller(rt, phone)


async def test_thirty_days_without_a_visit_end_a_session(rt: Runtime, clock: FakeClock):
    token = await signed_in(rt)

    clock.advance(timedelta(days=30))

    assert await find_caller(rt, token) is None


async def test_a_visit_keeps_a_session_for_another_thirty_days(rt: Runtime, clock: FakeClock):
    token = await signed_in(rt)

    clock.advance(timedelta(days=29))
    visit = await find_caller(rt, token)
    clock.advance(timedelta(days=29))

    assert visit
    assert await find_caller(rt, token)


async def test_ninety_days_end_even_a_session_that_is_used_daily(rt: Runtime, clock: FakeClock):
    token = await signed_in(rt)

    days = 0
    while await find_caller(rt, token):
        clock.advance(timedelta(days=1))
        days += 1

    assert days == 90


async def test_a_visit_is_noted_once_an_hour(rt: Runtime, clock: FakeClock):
    token = await signed_in(rt)

    clock.advance(timedelta(minutes=59))
    await find_caller(rt, token)
    async with rt.db.read() as session:
        seen_at = (await session.execute(select(col(Session.seen_at)))).scalar_one()

    assert clock.now() - seen_at == timedelta(minutes=59)


async def test_a_closed_session_is_over_on_the_server(rt: Runtime):
    token = await signed_in(rt)

    await close_session(rt, token)

    assert await find_caller(rt, token) is None


async def test_closing_a_session_that_is_gone_is_fine(rt: Runtime):
    token = await signed_in(rt)

    await close_session(rt, token)
    await close_session(rt, token)
    await close_session(rt, None)

    assert await sessions(rt) == 0


async def test_purging_drops_what_has_run_out_only(rt: Runtime, clock: FakeClock):
    await signed_in(rt)
    clock.advance(timedelta(days=30))
    alive = await signed_in(rt)

    await purge_sessions(rt, 100)

    assert await sessions(rt) == 1
    assert await find_caller(rt, alive)


async def test_purging_drops_a_session_used_to_its_last_day(rt: Runtime, clock: FakeClock):
    token = await signed_in(rt)
    for _ in range(90):
        clock.advance(timedelta(days=1))
        await find_caller(rt, token)

    await purge_sessions(rt, 100)

    assert await sessions(rt) == 0
