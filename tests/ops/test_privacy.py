"""Taking along and leaving: everything readable is handed out, everything is erased, nobody else is touched."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, update
from sqlmodel import SQLModel

from ml.policies import POLICIES
from oo_app import accounts, features, ops, tips
from oo_app.connections import connection_id_of
from oo_app.kit.clock import FakeClock
from oo_app.kit.crypto import Place
from oo_app.kit.errors import Invalid, NotFound
from oo_app.ops.privacy import _tables_of_people
from oo_app.runtime import Runtime
from oo_app.signals.models import CalendarEvent, Item, PushChannel
from oo_app.tips.models import Decision
from tests.browser import Browser
from tests.deliveries import a_delivery
from tests.outside import lies_readable, sent, turn
from tests.people import a_person, a_tip, exported, rows
from tests.world import access_token, todoist_task

TABLES = [table.name for table in _tables_of_people(SQLModel.metadata)]


async def with_everything(rt: Runtime, browser: Browser) -> str:
    """Let the person leave a row in every table; return their id."""
    for action in ("snooze", "done"):
        served = await browser.recommend()
        await browser.react(served["tip"]["impression_id"], action)
    caller = await accounts.caller(rt, browser.client.cookies.get(rt.settings.session_cookie))
    served = await browser.recommend()
    learner = replace(rt, policy=POLICIES["hybrid_v1"])
    await tips.react(learner, caller.user_id, served["tip"]["impression_id"], "dismiss")
    await browser.recommend()
    await browser.client.get("/connect/todoist/start")
    await browser.post("/api/v1/tokens", {"name": "My terminal"})
    task = await todoist_task(rt, browser, served["tip"]["id"])
    await a_delivery(browser, user_id=task["user_id"], event_data=task)
    await with_calendar(rt, caller.user_id)
    return caller.user_id


async def with_calendar(rt: Runtime, user_id: str) -> None:
    """Give the person an entry of a calendar, and a channel that watches it."""
    vault = await rt.vault.for_user(user_id)
    connection_id = await connection_id_of(rt, user_id, "todoist")
    assert connection_id is not None
    async with rt.db.begin() as tx:
        whose: dict[str, Any] = {"user_id": user_id, "connection_id": connection_id}
        title = vault.seal("Lunch", Place("calendar_event", "an-entry", "title"))
        times = {"starts_at": tx.now, "ends_at": tx.now + timedelta(hours=1)}
        tx.session.add(CalendarEvent(id="an-entry", external_id="e1", title=title, **times, **whose))
        tx.session.add(PushChannel(id="a-channel", token_hash="h", resource_id="r", ends_at=tx.now, **whose))


async def counts(rt: Runtime, user_id: str) -> dict[str, int]:
    """Count the person's rows in every table that knows people."""
    counted: dict[str, int] = {}
    for table in _tables_of_people(SQLModel.metadata):
        async with rt.db.read() as session:
            query = select(func.count()).select_from(table).where(table.c.user_id == user_id)
            counted[table.name] = (await session.execute(query)).scalar_one()
    return counted


def strings(value: Any) -> list[str]:
    """Return every text in a document."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


async def test_an_export_holds_every_table_of_the_person(rt: Runtime, ada: Browser):
    user_id = await with_everything(rt, ada)

    held = await exported(rt, user_id)

    assert {name: len(held[name]) for name in TABLES} == await counts(rt, user_id)
    assert all(held[name] for name in TABLES)


async def test_an_export_is_readable(rt: Runtime, ada: Browser):
    user_id = await with_everything(rt, ada)

    held = await exported(rt, user_id)

    assert held["account"]["email"] == "ada@sandbox.test"
    assert {"Call Mum", "Dentist"} <= {item["content"] for item in held["item"]}
    assert sorted(reaction["action"] for reaction in held["reaction"]) == ["dismiss", "done", "snooze"]
    decision = held["decision"][0]
    assert list(decision["context"]) == [feature.name for feature in features.CONTEXT_FEATURES]
    assert decision["missing"]["free_minutes"] == 1
    assert decision["stale"] == {}
    assert sum(candidate["propensity"] for candidate in decision["candidates"]) == pytest.approx(1)
    known = {item["id"]: item for item in held["item"]}
    assert all(candidate["priority"] == known[candidate["item_id"]]["priority"] for candidate in decision["candidates"])
    assert [token["name"] for token in held["api_token"]] == ["My terminal"]
    assert all(isinstance(event["payload"], dict) for event in held["outbox"])
    assert held["preferences"][0]["time_zone"] == "Europe/Berlin"


async def test_a_decision_of_an_earlier_schema_is_taken_along_by_its_own_names(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt, tasks=2)
    await a_tip(rt, ada.id)
    old = {"schema_version": "1", "context": np.arange(3.0).tobytes(), "candidates": np.arange(12.0).tobytes()}
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Decision).values(**old))

    (kept,) = (await exported(rt, ada.id))["decision"]

    assert kept["context"] == {"hour_of_day": 0.0, "day_of_week": 1.0, "open_items": 2.0}
    assert [candidate["priority"] for candidate in kept["candidates"]] == [4.0, 10.0]
    served = await a_tip(rt, ada.id)  # still open: shown again, its reasons no longer told
    assert served.reasons == ()
    clock.advance(timedelta(days=31))
    assert await tips.purge_details(rt, 10) == 1
    assert (await exported(rt, ada.id))["decision"][0]["context"] == []


async def test_an_export_holds_no_token(rt: Runtime, ada: Browser):
    user_id = await with_everything(rt, ada)
    session = ada.client.cookies[rt.settings.session_cookie]
    flow = ada.client.cookies[rt.settings.flow_cookie]
    secret = [await access_token(rt), session, flow]
    secret += [row.id for table in ("session", "flow") for row in await of_table(rt, table)]
    secret += [row.token_hash for row in await of_table(rt, "api_token")]

    told = set(strings(await exported(rt, user_id)))

    assert told.isdisjoint(secret)
    assert not any(token in text for token in secret for text in told)


async def of_table(rt: Runtime, name: str) -> list[Any]:
    async with rt.db.read() as session:
        return list((await session.execute(select(SQLModel.metadata.tables[name]))).all())


async def test_an_export_holds_nothing_of_anybody_else(rt: Runtime):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    await a_tip(rt, ada.id)
    await a_tip(rt, ben.id)

    told = json.dumps(await exported(rt, ada.id))

    assert ben.id not in told
    assert "ben" not in told


async def test_a_stored_text_that_does_not_open_stops_the_export(rt: Runtime):
    ada = await a_person(rt, tasks=1)
    async with rt.db.begin() as tx:
        item = (await tx.session.execute(select(Item))).scalar_one()
        vault = await rt.vault.for_user(ada.id)
        item.content = vault.seal("moved here", Place("item", "another", "content"))
        tx.session.add(item)

    with pytest.raises(Invalid, match="does not open in its place"):
        await exported(rt, ada.id)


async def test_who_does_not_exist_has_nothing_to_take_along(rt: Runtime):
    with pytest.raises(NotFound):
        await exported(rt, "nobody")


async def test_deleting_erases_every_row_and_destroys_the_key(rt: Runtime, ada: Browser):
    user_id = await with_everything(rt, ada)
    assert all((await counts(rt, user_id)).values())

    assert await ops.delete_everything(rt, user_id) == ops.Deleted((), 0)

    assert set((await counts(rt, user_id)).values()) == {0}
    assert await of_table(rt, "user") == []
    with pytest.raises(NotFound):
        await rt.vault.for_user(user_id)


async def test_deleting_leaves_everybody_else_as_they_were(rt: Runtime):
    ada, ben = await a_person(rt, "ada"), await a_person(rt, "ben")
    for person in (ada, ben):
        await a_tip(rt, person.id)
    before = await counts(rt, ben.id)
    export_before = await exported(rt, ben.id)

    await ops.delete_everything(rt, ada.id)

    assert await counts(rt, ben.id) == before
    assert await exported(rt, ben.id) == export_before


async def test_deleting_takes_the_grant_back_at_the_source(rt: Runtime, ada: Browser):
    user_id = await with_everything(rt, ada)
    token = await access_token(rt)
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{rt.settings.todoist_api_url}/tasks"
    assert (await ada.client.get(url, headers=headers)).status_code == 200

    await ops.delete_everything(rt, user_id)

    assert (await ada.client.get(url, headers=headers)).status_code == 401


async def test_a_source_that_cannot_be_told_is_named_and_everything_is_erased_all_the_same(rt: Runtime, ada: Browser):
    user_id = await with_everything(rt, ada)
    await turn(ada, "fault", status=503, count=20)

    assert await ops.delete_everything(rt, user_id) == ops.Deleted(("Todoist",), 1)

    assert set((await counts(rt, user_id)).values()) == {0}


async def test_apple_is_told(rt: Runtime, browser: Browser):
    await browser.sign_in("ben@sandbox.test", "apple")
    (user,) = await of_table(rt, "user")

    assert await ops.delete_everything(rt, user.id) == ops.Deleted((), 0)

    assert len(sent(rt, "/sandbox/apple/revoke")) == 1


async def test_what_was_done_a_moment_ago_is_completed_before_leaving(rt: Runtime, ada: Browser):
    served = await ada.recommend()
    await ada.react(served["tip"]["impression_id"], "done")
    (user,) = await of_table(rt, "user")

    await ops.delete_everything(rt, user.id)

    closes = [request for request in sent(rt, "/api/v1/sync") if b"item_close" in request.content]
    assert len(closes) == 1


async def test_nothing_of_the_person_lies_readable_in_the_files(rt: Runtime, ada: Browser, tmp_path: Path):
    user_id = await with_everything(rt, ada)
    token = await access_token(rt)

    for text in ("ada@sandbox.test", "Call Mum", token):
        assert lies_readable(tmp_path, text) == []
    await ops.delete_everything(rt, user_id)

    assert (tmp_path / "oo.db-wal").stat().st_size == 0
    for text in (user_id, "ada@sandbox.test", "Call Mum", token):
        assert lies_readable(tmp_path, text) == []


async def test_deleting_from_two_tabs_at_once_deletes_once(rt: Runtime, ada: Browser):
    user_id = await with_everything(rt, ada)

    answers = await asyncio.gather(
        ops.delete_everything(rt, user_id), ops.delete_everything(rt, user_id), return_exceptions=True
    )

    assert [answer for answer in answers if not isinstance(answer, ops.Deleted | NotFound)] == []
    assert set((await counts(rt, user_id)).values()) == {0}


async def test_who_left_comes_back_as_somebody_new(rt: Runtime, ada: Browser):
    user_id = await with_everything(rt, ada)
    await ops.delete_everything(rt, user_id)

    await ada.sign_in("ada@sandbox.test")

    (user,) = await of_table(rt, "user")
    assert user.id != user_id
    assert await rows(rt, Item) == []
