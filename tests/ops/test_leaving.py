"""Deletion while something is under way: nothing is made anew, nobody sees an error, everybody is told at once."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select, update
from sqlmodel import SQLModel

from oo_app import accounts, ops, signals
from oo_app.connections.models import Connection
from oo_app.kit.clock import FakeClock
from oo_app.kit.crypto import Place
from oo_app.kit.errors import NotFound
from oo_app.kit.http import Http
from oo_app.ops.privacy import _tables_of_people
from oo_app.runtime import Runtime, use
from oo_app.signals.models import Closing, Item
from tests.browser import Browser
from tests.outside import Gate, behind_gate, sent, turn
from tests.people import rows
from tests.world import access_token

ANSWERED = range(200, 500)


def to(path: str, method: str = "POST") -> Callable[[httpx.Request], bool]:
    return lambda request: path in request.url.path and request.method == method


def closes(request: httpx.Request) -> bool:
    return b"item_close" in request.content


async def me(rt: Runtime) -> str:
    (user_id,) = await accounts.find_by_email(rt, "ada@sandbox.test")
    return user_id


async def left_over(rt: Runtime) -> dict[str, int]:
    """Count the rows of people, in every table that knows any."""
    left: dict[str, int] = {}
    for table in _tables_of_people(SQLModel.metadata):
        async with rt.db.read() as session:
            left[table.name] = (await session.execute(select(func.count()).select_from(table))).scalar_one()
    return {name: count for name, count in left.items() if count}


async def erased_behind(rt: Runtime, gate: Gate, under_way: asyncio.Task[object]) -> None:
    """Erase everybody while a call is held back, then let it go on."""
    await asyncio.wait_for(gate.reached.wait(), 10)
    await accounts.erase(rt, await me(rt))
    gate.opened.set()
    await under_way


@pytest.mark.parametrize("path", ["/sync", "/completed/by_completion_date"])
async def test_a_reading_under_way_stores_nothing(rt: Runtime, ada: Browser, path: str):
    gated, gate = behind_gate(rt, lambda request: path in request.url.path)
    (connection_id,) = {item.connection_id for item in await rows(rt, Item)}

    reading = asyncio.create_task(signals.sync(gated, connection_id))
    await erased_behind(gated, gate, reading)

    assert reading.result() is False
    assert await left_over(rt) == {}


async def test_a_completion_under_way_stores_nothing(rt: Runtime, ada: Browser, clock: FakeClock):
    served = await ada.recommend()
    await ada.react(served["tip"]["impression_id"], "done")
    clock.advance(timedelta(seconds=7))
    gated, gate = behind_gate(rt, closes)

    await erased_behind(gated, gate, asyncio.create_task(signals.deliver_closes(gated)))

    assert await left_over(rt) == {}
    assert await rows(rt, Closing) == []


async def test_a_refresh_under_way_stores_nothing(rt: Runtime, ada: Browser, clock: FakeClock):
    (connection_id,) = {item.connection_id for item in await rows(rt, Item)}
    clock.advance(timedelta(days=3650))
    gated, gate = behind_gate(rt, to("/oauth/access_token"))

    await erased_behind(gated, gate, asyncio.create_task(signals.sync(gated, connection_id)))

    assert await left_over(rt) == {}


async def test_a_grant_that_comes_too_late_is_taken_back(rt: Runtime, ada: Browser):
    await ada.open("/connect/todoist/start")
    gated, gate = behind_gate(rt, to("/oauth/access_token"))
    revoked = len(sent(rt, "/access_tokens"))

    agreeing = asyncio.create_task(ada.press("Agree"))
    await erased_behind(gated, gate, agreeing)

    assert agreeing.result().status_code == 303
    assert await left_over(rt) == {}
    assert len(sent(rt, "/access_tokens")) == revoked + 1


async def test_a_reading_that_ends_in_time_is_waited_for(rt: Runtime, ada: Browser):
    gated, gate = behind_gate(rt, to("/sync"))
    user_id, token = await me(rt), await access_token(rt)
    (connection_id,) = {item.connection_id for item in await rows(rt, Item)}
    signals.spawn_sync(gated, connection_id)
    await asyncio.wait_for(gate.reached.wait(), 10)

    deleting = asyncio.create_task(ops.delete_everything(gated, user_id))
    await asyncio.sleep(0)
    gate.opened.set()

    assert await deleting == ops.Deleted((), 0)
    await rt.jobs.settle()
    assert await left_over(rt) == {}
    headers = {"Authorization": f"Bearer {token}"}
    assert (await ada.client.get(f"{rt.settings.todoist_api_url}/tasks", headers=headers)).status_code == 401


async def test_everything_at_once_is_answered_and_nothing_is_left(rt: Runtime, ada: Browser):
    for _ in range(6):
        await ada.sign_in("ada@sandbox.test")
        await ada.connect_todoist()
        served = await ada.recommend()
        impression_id = served["tip"]["impression_id"]

        answers = await asyncio.gather(
            ada.react(impression_id, "dismiss"),
            ada.get("/api/v1/me/export"),
            ada.send("DELETE", "/api/v1/me"),
            ada.react(impression_id, "dismiss"),
            ada.post("/api/v1/recommend", {"surface": "web"}),
            ada.get("/connect/todoist/start"),
            ada.send("PUT", "/api/v1/me/preferences", {"paused": False}),
            ada.send("DELETE", "/api/v1/me"),
            ada.send("DELETE", "/api/v1/connections/todoist"),
            ada.post("/api/v1/recommend", {"surface": "web"}),
        )

        assert [answer.status_code for answer in answers if answer.status_code not in ANSWERED] == []
        await rt.jobs.settle()
        await rt.bus.drain()
        assert await left_over(rt) == {}


async def test_deleting_twice_at_once_is_the_same_twice(rt: Runtime, ada: Browser):
    user_id = await me(rt)

    answers = await asyncio.gather(*(ops.delete_everything(rt, user_id) for _ in range(3)))

    assert set(answers) == {ops.Deleted((), 0)}
    assert await left_over(rt) == {}


async def test_sources_and_providers_are_told_side_by_side(rt: Runtime, browser: Browser):
    await browser.sign_in("ben@sandbox.test", "apple")
    await browser.connect_todoist()
    (user_id,) = await accounts.find_by_email(rt, "ben@sandbox.test")
    todoist_gated, todoist = behind_gate(rt, to("/access_tokens", "DELETE"))
    both_gated, apple = behind_gate_of(todoist_gated, todoist, to("/apple/revoke"))

    deleting = asyncio.create_task(ops.delete_everything(both_gated, user_id))
    await asyncio.wait_for(asyncio.gather(todoist.reached.wait(), apple.reached.wait()), 10)
    todoist.opened.set()
    apple.opened.set()

    assert await deleting == ops.Deleted((), 0)


def behind_gate_of(rt: Runtime, inner: Gate, holds: Callable[[httpx.Request], bool]) -> tuple[Runtime, Gate]:
    """Put a second gate before the first."""
    gate = Gate(inner, holds)
    changed = replace(rt, http=Http(rt.clock, gate))
    use(changed)
    return changed, gate


async def test_whose_key_is_gone_can_still_be_deleted_and_is_told_what_stays(rt: Runtime, ada: Browser):
    user_id = await me(rt)
    await rt.vault.destroy_for([user_id], rt.clock.now())

    deleted = await ops.delete_everything(rt, user_id)

    assert deleted.not_told == ("Todoist",)
    assert await left_over(rt) == {}


async def test_tokens_that_do_not_open_stop_no_deletion(rt: Runtime, ada: Browser):
    user_id = await me(rt)
    vault = await rt.vault.for_user(user_id)
    async with rt.db.begin() as tx:
        moved = vault.seal("token", Place("connection", "another", "access_token"))
        await tx.session.execute(update(Connection).values(access_token=moved))

    assert (await ops.delete_everything(rt, user_id)).not_told == ("Todoist",)

    assert await left_over(rt) == {}


async def test_pages_of_somebody_without_a_key_say_so(rt: Runtime, ada: Browser):
    await rt.vault.destroy_for([await me(rt)], rt.clock.now())

    for path in ("/api/v1/me", "/api/v1/me/export"):
        assert (await ada.get(path)).status_code == 404
    response = await ada.sign_in("ada@sandbox.test")
    assert response.headers["location"] == "/?error=keyless"
    with pytest.raises(NotFound):
        await accounts.profile(rt, await me(rt))


async def test_a_source_in_trouble_keeps_the_others_from_nothing(rt: Runtime, ada: Browser):
    await turn(ada, "fault", status=503, count=20)

    assert (await ops.delete_everything(rt, await me(rt))).not_told == ("Todoist",)

    assert await left_over(rt) == {}
