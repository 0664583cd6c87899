"""How completions end: taken, refused for good, taken back, or left behind when the person leaves."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select

from oo_app import signals
from oo_app.kit.clock import FakeClock
from oo_app.signals.models import Closing
from tests.browser import Browser
from tests.conftest import Faults
from tests.outside import sent, turn
from tests.signals.closings import WINDOW, add, answering_closes, closes, closing, deliver, pause, plan
from tests.signals.elsewhere import completions, connection, item, opened, stored


async def test_an_item_that_is_gone_counts_as_done(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there)
    closing_id = await plan(ada.rt, row)
    await there.delete(row.external_id)

    clock.advance(WINDOW)
    await deliver(ada.rt)

    assert (await closing(ada.rt, closing_id)).done_at
    assert not (await stored(ada.rt, row.external_id)).is_open


@pytest.mark.parametrize("error", [{"http_code": 503}, None])
async def test_a_command_that_failed_for_a_moment_is_sent_again(
    ada: Browser, clock: FakeClock, faults: Faults, error: object
):
    there = await opened(ada)
    row = await add(there)
    closing_id = await plan(ada.rt, row)
    clock.advance(WINDOW)
    faults.fault = answering_closes(closing_id, error)
    await deliver(ada.rt)
    waited = await pause(ada.rt, closing_id)

    faults.fault = None
    clock.advance(timedelta(seconds=5))
    await deliver(ada.rt)

    assert waited == 5
    assert (await there.task(row.external_id))["checked"]


async def test_a_command_that_is_refused_for_good_is_not_sent_again(ada: Browser, clock: FakeClock, faults: Faults):
    row = await add(await opened(ada))
    closing_id = await plan(ada.rt, row)
    clock.advance(WINDOW)
    faults.fault = answering_closes(closing_id, {"http_code": 403, "error_tag": "FORBIDDEN"})

    await deliver(ada.rt)
    faults.fault = None
    clock.advance(timedelta(days=1))
    await deliver(ada.rt)

    after = await stored(ada.rt, row.external_id)
    assert closes(ada.rt) == [closing_id]
    assert (after.is_open, after.is_completable) == (True, False), "open there, and no tip any more"
    assert await signals.waiting(ada.rt, row.user_id) == {}
    assert await signals.refused(ada.rt, row.user_id) == {"todoist": 1}
    assert (await signals.leave(ada.rt, row.user_id, "todoist")).unsent == 1


async def test_a_refusal_is_forgotten_when_the_item_is_completed_there(ada: Browser, clock: FakeClock, faults: Faults):
    there = await opened(ada)
    row = await add(there)
    closing_id = await plan(ada.rt, row)
    clock.advance(WINDOW)
    faults.fault = answering_closes(closing_id, {"http_code": 403, "error_tag": "FORBIDDEN"})
    await deliver(ada.rt)
    faults.fault = None

    await there.close(row.external_id)
    await signals.sync(ada.rt, (await connection(ada.rt)).id)

    assert await signals.refused(ada.rt, row.user_id) == {}


async def test_an_item_is_on_its_way_once(ada: Browser):
    row = await add(await opened(ada))

    assert await plan(ada.rt, row) is not None
    assert await plan(ada.rt, row) is None


async def test_a_recurring_item_comes_back_open_at_its_next_time(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there, due_string="every day")
    await plan(ada.rt, row)
    clock.advance(WINDOW)

    await signals.deliver_closes(ada.rt)
    at_once = (await stored(ada.rt, row.external_id)).is_open
    await ada.rt.jobs.settle()

    after = await stored(ada.rt, row.external_id)
    assert not at_once
    assert after.is_open
    assert row.due_on is not None
    assert after.due_on is not None
    assert after.due_on > row.due_on
    assert await completions(ada.rt) == []


async def test_a_recurring_item_can_be_done_again_at_its_next_time(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there, due_string="every day")
    for _ in range(2):
        await plan(ada.rt, row)
        clock.advance(timedelta(days=1))
        await deliver(ada.rt)

    assert len(set(closes(ada.rt))) == 2


async def test_a_refused_grant_waits_until_it_is_connected_again(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    row = await add(there)
    closing_id = await plan(ada.rt, row)
    clock.advance(WINDOW)
    await turn(ada, "revoke", account="ada")
    await deliver(ada.rt)
    asked = len(sent(ada.rt, "/todoist/"))
    for _ in range(3):
        clock.advance(timedelta(minutes=5))
        await deliver(ada.rt)
    silent = len(sent(ada.rt, "/todoist/")) == asked

    await ada.connect_todoist()
    await deliver(ada.rt)

    assert silent
    assert (await closing(ada.rt, closing_id)).done_at == clock.now()
    assert (await (await opened(ada)).task(row.external_id))["checked"]


async def test_leaving_sends_what_is_still_inside_its_undo_window(ada: Browser):
    there = await opened(ada)
    row = await add(there)
    await plan(ada.rt, row)

    assert await signals.leave(ada.rt, row.user_id, "todoist") == signals.Left(is_revoked=True, unsent=0)

    assert (await there.task(row.external_id))["checked"]
    assert await item(ada.rt, row.external_id) is None
    async with ada.rt.db.read() as session:
        assert (await session.execute(select(func.count()).select_from(Closing))).scalar_one() == 0


async def test_leaving_a_source_that_is_down_goes_on_without_it(ada: Browser, faults: Faults):
    row = await add(await opened(ada))
    await plan(ada.rt, row)
    faults.fault = lambda _: httpx.Response(503)

    assert await signals.leave(ada.rt, row.user_id, "todoist") == signals.Left(is_revoked=False, unsent=1)

    assert await item(ada.rt, row.external_id) is None


async def test_taking_back_before_it_leaves_plans_nothing(ada: Browser, clock: FakeClock):
    row = await add(await opened(ada))
    closing_id = await plan(ada.rt, row)

    async with ada.rt.db.begin() as tx:
        is_back = await signals.cancel_close(tx, str(closing_id))
    clock.advance(WINDOW)
    await deliver(ada.rt)

    assert is_back
    assert closes(ada.rt) == []
    assert (await stored(ada.rt, row.external_id)).is_open


async def test_what_has_left_cannot_be_taken_back(ada: Browser, clock: FakeClock, faults: Faults):
    closing_id = await plan(ada.rt, await add(await opened(ada)))
    clock.advance(WINDOW)
    faults.fault = lambda _: httpx.Response(503)
    await deliver(ada.rt)

    async with ada.rt.db.begin() as tx:
        assert not await signals.cancel_close(tx, str(closing_id))
        assert not await signals.cancel_close(tx, "made up")


async def test_an_item_that_is_closed_already_needs_no_completion(ada: Browser):
    there = await opened(ada)
    row = await add(there)
    await there.close(row.external_id)
    await signals.sync(ada.rt, row.connection_id)

    assert await plan(ada.rt, row) is None
    async with ada.rt.db.begin() as tx:
        assert await signals.schedule_close(tx, "made up", at=tx.now) is None
