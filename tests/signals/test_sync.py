"""Reading a source: what changes there changes here, once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, timedelta
from pathlib import Path

import httpx
from sqlalchemy import text

from oo_app import accounts, signals
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.conftest import KEY, Faults
from tests.outside import lies_readable, rekeyed, sent, turn
from tests.signals.elsewhere import (
    Fault,
    answering,
    change,
    completions,
    connection,
    content,
    full,
    item,
    open_names,
    opened,
    read,
    stored,
    told,
)

NEW_ACCOUNT = "new"


def cursors(rt: Runtime) -> list[str]:
    """Return whether each reading asked for everything or for changes."""
    calls = [call.content.decode() for call in sent(rt, "/sync") if b"sync_token" in call.content]
    return ["full" if "sync_token=%2A" in call else "changes" for call in calls]


async def test_the_first_reading_takes_everything_that_is_open(ada: Browser):
    there = await opened(ada)
    tasks = (await there.ask("GET", "/tasks", params={"limit": 200}))["results"]

    assert await open_names(ada.rt) == {task["id"] for task in tasks}
    assert len(tasks) > 40
    assert cursors(ada.rt)[:2] == ["full", "changes"]


async def test_words_are_kept_sealed_and_facts_as_they_are(ada: Browser):
    there = await opened(ada)
    task_id = await there.add(
        "Pay the dentist", description="Invoice 7", priority=4, due_date="2026-11-25", deadline_date="2026-12-01"
    )
    await read(ada.rt)

    row = await stored(ada.rt, task_id)

    assert await content(ada.rt, row) == "Pay the dentist"
    assert (row.priority, row.due_on, row.deadline_on) == (4, date(2026, 11, 25), date(2026, 12, 1))
    assert row.url == f"{ada.rt.settings.sandbox_url}/sandbox/todoist/app/task/{task_id}"
    assert (row.is_open, row.is_recurring, row.is_completable) == (True, False, True)


async def test_later_readings_ask_for_what_changed(ada: Browser):
    there = await opened(ada)
    await read(ada.rt)
    before = await open_names(ada.rt)

    task_id = await there.add("Something new")
    await read(ada.rt)

    assert await open_names(ada.rt) == before | {task_id}
    assert cursors(ada.rt).count("full") == 1


async def test_reading_again_changes_nothing_and_tells_nothing(ada: Browser):
    there = await opened(ada)
    await there.add("Something new")
    await read(ada.rt)
    before = await told(ada.rt, "signals.task.synced")

    await read(ada.rt)

    assert await told(ada.rt, "signals.task.synced") == before
    assert [each["is_full"] for each in before] == [True, False]


async def test_a_change_there_is_a_change_here(ada: Browser):
    there = await opened(ada)
    task_id = await there.add("Old words", priority=1)
    await read(ada.rt)
    before = await stored(ada.rt, task_id)

    await there.change(task_id, content="New words", priority=3)
    await read(ada.rt)

    after = await stored(ada.rt, task_id)
    assert (after.id, after.created_at) == (before.id, before.created_at)
    assert (await content(ada.rt, after), after.priority) == ("New words", 3)


async def test_a_deletion_there_closes_the_item_and_is_no_completion(ada: Browser):
    there = await opened(ada)
    task_id = await there.add("Soon gone")
    await read(ada.rt)

    await there.delete(task_id)
    await read(ada.rt)

    assert not (await stored(ada.rt, task_id)).is_open
    assert await completions(ada.rt) == []


async def test_a_completion_elsewhere_is_told_once(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    task_id = await there.add("Done elsewhere")
    await read(ada.rt)
    clock.advance(timedelta(minutes=7))

    await there.close(task_id)
    for _ in range(3):
        await read(ada.rt)

    row = await stored(ada.rt, task_id)
    assert not row.is_open
    assert row.completed_at == clock.now()
    assert await completions(ada.rt) == [row.id]
    assert (await told(ada.rt, "signals.task.completed"))[0]["completed_at"] == clock.now().isoformat()


async def test_a_completion_taken_back_opens_the_item_and_counts_again(ada: Browser, clock: FakeClock):
    there = await opened(ada)
    task_id = await there.add("Done, or not")
    await read(ada.rt)

    await there.close(task_id)
    await read(ada.rt)
    await there.reopen(task_id)
    await read(ada.rt)
    clock.advance(timedelta(minutes=1))
    is_open = (await stored(ada.rt, task_id)).is_open
    await there.close(task_id)
    await read(ada.rt)

    assert is_open
    assert len(await completions(ada.rt)) == 2


async def test_what_was_never_open_here_is_not_kept(ada: Browser):
    there = await opened(ada)
    task_id = await there.add("Added and done between two readings")
    await there.close(task_id)

    await read(ada.rt)

    assert await item(ada.rt, task_id) is None
    assert await completions(ada.rt) == []


async def test_a_recurring_task_done_elsewhere_moves_on_and_stays_open(ada: Browser):
    there = await opened(ada)
    task_id = await there.add("Water the cactus", due_string="every day")
    await read(ada.rt)
    before = await stored(ada.rt, task_id)

    await there.close(task_id)
    await read(ada.rt)

    after = await stored(ada.rt, task_id)
    assert (before.is_recurring, after.is_open) == (True, True)
    assert before.due_on is not None
    assert after.due_on is not None
    assert after.due_on > before.due_on


async def test_what_a_full_reading_no_longer_tells_of_is_gone(ada: Browser, faults: Faults):
    before = await open_names(ada.rt)
    kept = min(before)
    rows = [{"id": kept, "content": "The only one left"}]
    faults.fault = answering(full(items=rows), change(items=[]))

    await read(ada.rt)

    assert await open_names(ada.rt) == {kept}
    assert await completions(ada.rt) == []


async def test_many_changes_at_once_close_nothing_they_do_not_tell_of(ada: Browser, faults: Faults):
    before = await open_names(ada.rt)
    rows = [{"id": f"t{number}", "content": "One of many"} for number in range(600)]
    faults.fault = answering(change(items=rows))

    await read(ada.rt)

    assert await open_names(ada.rt) == before | {row["id"] for row in rows}


async def test_an_unknown_cursor_is_answered_by_reading_everything(ada: Browser, faults: Faults):
    there = await opened(ada)
    before = await open_names(ada.rt)
    task_id = await there.add("Added meanwhile")
    asked = len(cursors(ada.rt))
    faults.fault = first_changes(lambda: httpx.Response(400, json={"error_tag": "INVALID_ARGUMENT_VALUE"}))

    assert await read(ada.rt)

    assert await open_names(ada.rt) == before | {task_id}
    assert cursors(ada.rt)[asked:] == ["changes", "full", "changes"]


async def test_a_source_that_forgot_everything_sends_everything_again(ada: Browser):
    there = await opened(ada)
    task_id = await there.add("Of an earlier life")
    await read(ada.rt)

    await turn(ada, "reset")
    assert await read(ada.rt)

    assert not (await stored(ada.rt, task_id)).is_open
    assert len(await open_names(ada.rt)) > 40


async def test_a_project_that_is_archived_takes_its_tasks_with_it(ada: Browser, faults: Faults):
    archived = {"id": "p1", "name": "Old", "is_archived": True}
    faults.fault = answering(change(projects=[archived]), full(items=[{"id": "t1", "content": "x"}]), change())

    assert await read(ada.rt)

    assert await open_names(ada.rt) == {"t1"}


async def test_the_zone_of_the_source_is_taken_until_somebody_says_otherwise(ada: Browser):
    user_id = (await connection(ada.rt)).user_id

    assert (await accounts.preferences(ada.rt, user_id)).time_zone == "Europe/Berlin"


async def test_a_zone_that_nobody_knows_spoils_nothing(ada: Browser, faults: Faults):
    user_id = (await connection(ada.rt)).user_id
    async with ada.rt.db.begin() as tx:
        await tx.session.execute(text("UPDATE preferences SET time_zone = NULL"))
    faults.fault = answering(full(user={"id": "7", "tz_info": {"timezone": "GMT +3:00"}}), change())

    assert await read(ada.rt)

    assert str((await accounts.preferences(ada.rt, user_id)).zone) == "UTC"


async def test_times_come_in_three_kinds(ada: Browser, faults: Faults):
    dues = {
        "day": {"date": "2026-11-24"},
        "floating": {"date": "2026-11-24T09:00:00"},
        "fixed": {"date": "2026-11-24T09:00:00Z", "timezone": "Asia/Tokyo"},
    }
    faults.fault = answering(full(items=[{"id": name, "due": due} for name, due in dues.items()]), change())

    await read(ada.rt)

    day, floating, fixed = [await stored(ada.rt, name) for name in dues]
    assert (day.due_on, day.due_at, day.due_floating) == (date(2026, 11, 24), None, None)
    assert (floating.due_on, floating.due_at, floating.due_floating) == (None, None, "2026-11-24T09:00:00")
    assert fixed.due_at is not None
    assert fixed.due_at.tzinfo is UTC
    assert (fixed.due_on, fixed.due_at.hour, fixed.due_floating) == (None, 9, None)


def first_changes(answer: Callable[[], httpx.Response]) -> Fault:
    """Answer the first reading that has a cursor."""
    waiting = [answer]

    def fault(request: httpx.Request) -> httpx.Response | None:
        is_it = b"sync_token" in request.content and b"sync_token=%2A" not in request.content
        return waiting.pop()() if waiting and is_it else None

    return fault


async def test_reading_twice_at_once_is_reading_once_after_the_other(ada: Browser):
    there = await opened(ada)
    task_id = await there.add("Added before both")

    assert await asyncio.gather(read(ada.rt), read(ada.rt)) == [True, True]

    assert (await stored(ada.rt, task_id)).is_open
    assert len(await told(ada.rt, "signals.task.synced")) == 2


async def test_connecting_with_another_account_leaves_nothing_of_the_old_one(ada: Browser):
    before = await open_names(ada.rt)

    await ada.open("/connect/todoist/start")
    await ada.press("Agree", account="new")
    await ada.rt.jobs.settle()

    assert before
    assert [await item(ada.rt, name) for name in sorted(before)] == [None] * len(before)
    assert (await ada.recommend())["tip"] is None


async def test_connecting_with_the_same_account_again_keeps_the_items(ada: Browser):
    name = min(await open_names(ada.rt))
    before = await stored(ada.rt, name)

    await ada.connect_todoist()

    after = await stored(ada.rt, name)
    assert (after.id, after.is_open) == (before.id, True)
    assert cursors(ada.rt).count("full") == 2


async def test_the_same_account_is_known_after_the_secret_key_was_changed(ada: Browser):
    row = await connection(ada.rt)
    before = await stored(ada.rt, min(await open_names(ada.rt)))
    async with ada.rt.db.begin() as tx:
        await tx.session.execute(text("UPDATE connection SET cursor = NULL"))

    async with rekeyed(ada.rt, f"{'n' * 32},{KEY}") as changed:
        assert await signals.sync(changed, row.id)

    assert (await stored(ada.rt, before.external_id)).id == before.id


async def test_an_empty_account_is_connected_and_has_nothing_to_say(browser: Browser):
    await browser.sign_in("ada@sandbox.test")
    await browser.open("/connect/todoist/start")
    await browser.press("Agree", account=NEW_ACCOUNT)
    await browser.rt.jobs.settle()

    assert await open_names(browser.rt) == set()
    assert (await browser.recommend())["reason"] == "nothing_suitable"


async def test_nothing_read_lies_readable(ada: Browser, tmp_path: Path):
    there = await opened(ada)
    await there.add("Buy xylophones", description="Quokka Street 7")

    await read(ada.rt)

    assert lies_readable(tmp_path, "xylophones") == []
    assert lies_readable(tmp_path, "Quokka") == []
