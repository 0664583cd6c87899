from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from oo_app.accounts import begin_flow, purge_flows, take_flow
from oo_app.accounts.flows import LIFETIME
from oo_app.accounts.models import Flow
from oo_app.kit.clock import FakeClock
from oo_app.kit.crypto import new_token
from oo_app.kit.errors import Invalid
from oo_app.runtime import Runtime
from tests.outside import lies_readable

PURPOSE = "sign-in:google"
BROWSER = new_token()


async def refusal_of(rt: Runtime, state: str, *, browser: str = BROWSER, purpose: str = PURPOSE) -> str:
    """Return the code that a round trip is refused with."""
    with pytest.raises(Invalid) as refused:
        await take_flow(rt, purpose, state, browser)
    return str(refused.value.facts["code"])


async def flows(rt: Runtime) -> int:
    async with rt.db.read() as session:
        return (await session.execute(select(func.count()).select_from(Flow))).scalar_one()


async def test_a_round_trip_gives_back_what_it_left_with(rt: Runtime):
    begun = await begin_flow(rt, PURPOSE, BROWSER)

    taken = await take_flow(rt, PURPOSE, begun.state, BROWSER)

    assert (taken.nonce, taken.verifier, taken.user_id) == (begun.nonce, begun.verifier, None)


async def test_a_round_trip_is_used_once(rt: Runtime):
    begun = await begin_flow(rt, PURPOSE, BROWSER)

    await take_flow(rt, PURPOSE, begun.state, BROWSER)

    assert await refusal_of(rt, begun.state) == "expired"


async def test_another_browser_is_refused_and_uses_it_up(rt: Runtime):
    begun = await begin_flow(rt, PURPOSE, BROWSER)

    assert await refusal_of(rt, begun.state, browser=new_token()) == "mismatch"
    assert await refusal_of(rt, begun.state) == "expired"


async def test_a_browser_without_its_secret_is_refused(rt: Runtime):
    begun = await begin_flow(rt, PURPOSE, BROWSER)

    assert await refusal_of(rt, begun.state, browser="") == "mismatch"


async def test_a_round_trip_ends_after_ten_minutes(rt: Runtime, clock: FakeClock):
    begun = await begin_flow(rt, PURPOSE, BROWSER)

    clock.advance(timedelta(minutes=10))

    assert await refusal_of(rt, begun.state) == "expired"


async def test_a_round_trip_lasts_nearly_ten_minutes(rt: Runtime, clock: FakeClock):
    begun = await begin_flow(rt, PURPOSE, BROWSER)

    clock.advance(timedelta(minutes=9, seconds=59))

    assert (await take_flow(rt, PURPOSE, begun.state, BROWSER)).nonce == begun.nonce


async def test_a_round_trip_of_another_purpose_is_unknown_and_stays(rt: Runtime):
    begun = await begin_flow(rt, PURPOSE, BROWSER)

    assert await refusal_of(rt, begun.state, purpose="connect:todoist") == "expired"
    assert (await take_flow(rt, PURPOSE, begun.state, BROWSER)).nonce == begun.nonce


async def test_an_unknown_state_is_refused(rt: Runtime):
    assert await refusal_of(rt, "made up") == "expired"


async def test_every_round_trip_has_its_own_secrets(rt: Runtime):
    first, second = await begin_flow(rt, PURPOSE, BROWSER), await begin_flow(rt, PURPOSE, BROWSER)

    assert not {first.state, first.nonce, first.verifier} & {second.state, second.nonce, second.verifier}


async def test_nothing_of_a_round_trip_lies_readable_in_the_database(rt: Runtime, tmp_path: Path):
    begun = await begin_flow(rt, PURPOSE, BROWSER)

    for secret in (begun.state, begun.nonce, begun.verifier, BROWSER):
        assert lies_readable(tmp_path, secret) == []


async def test_purging_drops_what_never_came_back_only(rt: Runtime, clock: FakeClock):
    await begin_flow(rt, PURPOSE, BROWSER)
    clock.advance(LIFETIME)
    fresh = await begin_flow(rt, PURPOSE, BROWSER)

    await purge_flows(rt, 100)

    assert await flows(rt) == 1
    assert await take_flow(rt, PURPOSE, fresh.state, BROWSER)
