"""What is connected, how fresh it is, when it is read next, and taking it back."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from oo_app import signals
from oo_app.connections import claim_due, connection_id_of, disconnect, has_any, mark_failed, overview, readings
from oo_app.connections.models import Connection
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import NotFound
from oo_app.runtime import Runtime
from oo_app.sources import SOURCES
from tests.browser import Browser
from tests.outside import behind_gate, turn


async def connection(rt: Runtime) -> Connection:
    """Return the only connection's row."""
    async with rt.db.read() as session:
        return (await session.execute(select(Connection))).scalar_one()


async def events(rt: Runtime, subject: str) -> int:
    async with rt.db.read() as session:
        query = text("SELECT count(*) FROM outbox WHERE subject = :subject").bindparams(subject=subject)
        return (await session.execute(query)).scalar_one()


async def test_a_new_person_has_every_source_not_connected(browser: Browser):
    await browser.sign_in("ada@sandbox.test")
    user_id = (await browser.get("/api/v1/me")).json()["id"]

    views = await overview(browser.rt, user_id)

    assert [(view.source, view.name, view.state) for view in views] == [
        (source.name, source.title, "not_connected") for source in SOURCES
    ]
    assert not await has_any(browser.rt, user_id)
    assert await readings(browser.rt, user_id) == []


async def test_a_connection_is_its_owners_only(ada: Browser):
    mine = await connection(ada.rt)

    assert await has_any(ada.rt, mine.user_id)
    assert await connection_id_of(ada.rt, mine.user_id, "todoist") == mine.id
    assert await connection_id_of(ada.rt, "somebody else", "todoist") is None
    assert await connection_id_of(ada.rt, mine.user_id, "myspace") is None


async def test_a_reading_that_worked_sets_the_next_one(ada: Browser, clock: FakeClock):
    row = await connection(ada.rt)

    assert row.last_read_at == clock.now()
    assert timedelta(minutes=9) < row.next_read_at - clock.now() <= timedelta(minutes=10)
    assert await claim_due(ada.rt, "todoist", 10) == []
    clock.advance(timedelta(minutes=10))
    assert await claim_due(ada.rt, "todoist", 10) == [row.id]


async def test_a_refused_grant_is_never_due(ada: Browser, clock: FakeClock):
    row = await connection(ada.rt)
    await turn(ada, "revoke", account="ada")
    await signals.sync(ada.rt, row.id)

    clock.advance(timedelta(days=1))

    assert await claim_due(ada.rt, "todoist", 10) == []


async def test_pauses_double_up_to_an_hour(ada: Browser, clock: FakeClock):
    row = await connection(ada.rt)
    pauses: list[float] = []

    for _ in range(12):
        await mark_failed(ada.rt, row.id, retry_after=None, cause="503")
        pauses.append(((await connection(ada.rt)).next_read_at - clock.now()).total_seconds())

    doubled = [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600, 3600]
    assert all(least <= pause < least * 1.1 for least, pause in zip(doubled, pauses, strict=True))


async def test_a_pause_never_falls_short_of_what_was_asked_within_reason(ada: Browser, clock: FakeClock):
    row = await connection(ada.rt)
    pauses: list[float] = []

    for wish in (90, 5, 7200, 1e30):
        await mark_failed(ada.rt, row.id, retry_after=wish, cause="503")
        pauses.append(((await connection(ada.rt)).next_read_at - clock.now()).total_seconds())

    assert (pauses[0], pauses[2], pauses[3]) == (90, 7200, 86_400)
    assert 60 <= pauses[1] < 66


async def test_backing_off_ends_with_the_pause_and_success_forgets_it(ada: Browser, clock: FakeClock):
    row = await connection(ada.rt)
    await mark_failed(ada.rt, row.id, retry_after=None, cause="503")
    first = (await readings(ada.rt, row.user_id))[0]

    clock.advance(timedelta(seconds=33))
    second = (await readings(ada.rt, row.user_id))[0]
    await signals.sync(ada.rt, row.id)

    assert (first.is_backing_off, second.is_backing_off) == (True, False)
    assert (await connection(ada.rt)).failures == 0


async def test_a_failure_of_a_connection_that_is_gone_is_forgotten(rt: Runtime):
    await mark_failed(rt, "made up", retry_after=None, cause="503")


async def test_a_refusal_is_told_once(ada: Browser):
    row = await connection(ada.rt)
    await turn(ada, "revoke", account="ada")

    for _ in range(3):
        await signals.sync(ada.rt, row.id)

    assert await events(ada.rt, "signals.source.failed") == 1


async def test_connecting_and_disconnecting_are_told(ada: Browser):
    await disconnect(ada.rt, (await connection(ada.rt)).user_id, "todoist")

    assert await events(ada.rt, "signals.source.connected") == 1
    assert await events(ada.rt, "signals.source.disconnected") == 1


async def test_nobody_disconnects_what_is_not_theirs(ada: Browser):
    with pytest.raises(NotFound):
        await disconnect(ada.rt, "somebody else", "todoist")

    assert await connection(ada.rt)


async def test_disconnecting_an_ended_token_revokes_with_a_new_one(ada: Browser, clock: FakeClock):
    clock.advance(timedelta(hours=2))

    assert await disconnect(ada.rt, (await connection(ada.rt)).user_id, "todoist")


class Hasty(FakeClock):
    """A clock whose limits in real time are over at once."""

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(0.05)


async def test_a_source_that_never_answers_is_left_without_it(ada: Browser, clock: FakeClock):
    row = await connection(ada.rt)
    gated, _ = behind_gate(ada.rt, lambda request: "access_tokens" in request.url.path)
    rt = replace(gated, clock=Hasty(clock.now()))

    was_revoked = await disconnect(rt, row.user_id, "todoist")

    assert not was_revoked
    assert await connection_id_of(rt, row.user_id, "todoist") is None
    await rt.http.stop()


async def test_a_reading_that_never_ends_does_not_keep_anybody_from_leaving(ada: Browser, clock: FakeClock):
    row = await connection(ada.rt)
    gated, gate = behind_gate(ada.rt, lambda request: request.url.path.endswith("/sync"))
    rt = replace(gated, clock=Hasty(clock.now()))
    reading = asyncio.create_task(signals.sync(rt, row.id))
    await gate.reached.wait()

    was_revoked = await disconnect(rt, row.user_id, "todoist")

    assert not was_revoked
    assert await connection_id_of(rt, row.user_id, "todoist") is None
    gate.opened.set()
    assert not await reading
    await rt.http.stop()


async def test_disconnecting_wins_over_a_reading_under_way(ada: Browser, clock: FakeClock):
    row = await connection(ada.rt)
    rt, gate = behind_gate(ada.rt, lambda request: request.url.path.endswith("/sync"))
    reading = asyncio.create_task(signals.sync(rt, row.id))
    await gate.reached.wait()
    async with rt.db.begin() as tx:
        await tx.session.delete(await tx.session.get_one(Connection, row.id))

    gate.opened.set()

    assert not await reading
    async with rt.db.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM item"))).scalar_one() == 0
    await rt.http.stop()
