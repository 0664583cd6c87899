"""CalDAV tasks against a real server, which another program writes to as well."""

from collections.abc import AsyncIterator, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from oo_app.kit.addresses import Addresses, Private
from oo_app.kit.clock import FakeClock
from oo_app.kit.config import Settings
from oo_app.kit.errors import Invalid, SourceDown
from oo_app.kit.http import Http
from oo_app.sources import Completion, CompletionRefused, Door, Due, Item, Login, Pull, TokenRefused
from oo_app.sources.caldav import AT_ONCE, SOURCE
from tests.radicale import PASSWORD, Home, Server, running

pytestmark = [pytest.mark.server]
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
NUMBERS = count()
COMMAND = "0193-command"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    with running(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture
def home(server: Server) -> Home:
    return Home.of(server, f"person{next(NUMBERS)}")


@pytest.fixture
def tasks(home: Home) -> Home:
    home.make_list("tasks")
    return home


@pytest.fixture
async def door(home: Home, clock: FakeClock) -> AsyncIterator[Door]:
    http = Http(clock, None, Addresses(Private.read("127.0.0.1")))
    yield Door(http, Settings(), Login(home.url, home.user, PASSWORD).text(), NOW)
    await http.stop()


def at_address(door: Door, url: str, password: str = PASSWORD) -> Door:
    return replace(door, access_token=Login(url, door.login.username, password).text())


async def only(door: Door) -> Item:
    (item,) = (await SOURCE.pull(door, None)).items
    return item


def summaries(pull: Pull) -> set[tuple[str, bool]]:
    return {(item.content or item.external_id, item.is_open) for item in pull.items}


@pytest.mark.parametrize("path", ["", "/", "/{user}", "/{user}/", "/.well-known/caldav", "/no/such/page/"])
async def test_whatever_is_typed_leads_home(tasks: Home, door: Door, path: str):
    opened = await SOURCE.open(at_address(door, f"{tasks.server.url}{path.format(user=tasks.user)}"))

    assert (opened.url, opened.username, opened.password) == (tasks.url, tasks.user, PASSWORD)


async def test_one_list_can_be_connected_by_itself(tasks: Home, door: Door):
    tasks.make_list("other")
    tasks.put("tasks/1.ics", "SUMMARY:Here")
    tasks.put("other/2.ics", "SUMMARY:There")

    opened = await SOURCE.open(at_address(door, f"{tasks.url}tasks/"))

    assert opened.url == f"{tasks.url}tasks/"
    one = at_address(door, opened.url)
    first = await SOURCE.pull(one, None)
    assert summaries(first) == {("Here", True)}
    tasks.put("tasks/3.ics", "SUMMARY:More")
    assert summaries(await SOURCE.pull(one, first.cursor)) == {("More", True)}


async def test_a_wrong_password_is_refused(tasks: Home, door: Door):
    with pytest.raises(TokenRefused):
        await SOURCE.open(at_address(door, tasks.url, "wrong"))
    with pytest.raises(TokenRefused):
        await SOURCE.pull(at_address(door, tasks.url, "wrong"), None)


async def test_a_calendar_without_tasks_is_none(home: Home, door: Door):
    home.make_list("appointments", "VEVENT")

    with pytest.raises(Invalid) as refused:
        await SOURCE.open(at_address(door, home.url))

    assert refused.value.detail == "url: There is no list of tasks at that address"


async def test_a_task_is_read_with_all_it_says(tasks: Home, door: Door):
    path = tasks.put(
        "tasks/1.ics",
        "SUMMARY:Call the plumber",
        "DESCRIPTION:About the tap\\nin the kitchen",
        "DUE;VALUE=DATE:20261125",
        "PRIORITY:1",
        "CATEGORIES:home,calls",
        "URL:https://example.org/tap",
        "CREATED:20261101T120000Z",
        "LAST-MODIFIED:20261102T120000Z",
        "ESTIMATED-DURATION:PT25M",
    )

    pull = await SOURCE.pull(door, None)

    assert pull.items == (
        Item(
            external_id=path,
            is_open=True,
            content="Call the plumber",
            detail="About the tap\nin the kitchen",
            url="https://example.org/tap",
            due=Due(on=datetime(2026, 11, 25, tzinfo=UTC).date()),
            priority=4,
            minutes=25,
            labels=("home", "calls"),
            created_at=datetime(2026, 11, 1, 12, tzinfo=UTC),
        ),
    )
    assert (pull.is_full, pull.owner and pull.owner.external_id) == (True, tasks.url)
    assert SOURCE.owner_in(pull.cursor) == tasks.url


async def test_afterwards_only_what_changed_is_read_from_every_list(tasks: Home, door: Door):
    tasks.make_list("second")
    tasks.put("tasks/1.ics", "SUMMARY:One")
    tasks.put("tasks/2.ics", "SUMMARY:Two")
    gone = tasks.put("second/3.ics", "SUMMARY:Three")
    first = await SOURCE.pull(door, None)
    nothing = await SOURCE.pull(door, first.cursor)

    tasks.put("tasks/2.ics", "SUMMARY:Two", "STATUS:COMPLETED", "COMPLETED:20261123T080000Z")
    tasks.put("tasks/4.ics", "SUMMARY:Four")
    tasks.send("DELETE", "second/3.ics")
    second = await SOURCE.pull(door, nothing.cursor)

    assert summaries(first) == {("One", True), ("Two", True), ("Three", True)}
    assert (nothing.items, nothing.is_full, nothing.cursor) == ((), False, first.cursor)
    assert summaries(second) == {("Two", False), ("Four", True), (gone, False)}
    assert {item.completed_at for item in second.items if not item.is_open} == {NOW - timedelta(hours=1), None}


async def test_a_list_that_is_gone_takes_its_tasks_along(tasks: Home, door: Door):
    tasks.make_list("second")
    tasks.put("tasks/1.ics", "SUMMARY:One")
    gone = tasks.put("second/2.ics", "SUMMARY:Two")
    first = await SOURCE.pull(door, None)

    tasks.send("DELETE", "second/")

    assert summaries(await SOURCE.pull(door, first.cursor)) == {(gone, False)}


async def test_a_token_that_the_server_does_not_know_costs_a_comparison_only(tasks: Home, door: Door):
    tasks.put("tasks/1.ics", "SUMMARY:Stays")
    changed = tasks.put("tasks/2.ics", "SUMMARY:Changes")
    gone = tasks.put("tasks/3.ics", "SUMMARY:Goes")
    first = await SOURCE.pull(door, None)
    assert "radicale.org/ns/sync/" in first.cursor
    forgotten = first.cursor.replace("radicale.org/ns/sync/", "elsewhere.org/ns/sync/")

    tasks.put("tasks/2.ics", "SUMMARY:Changed")
    tasks.send("DELETE", "tasks/3.ics")
    second = await SOURCE.pull(door, forgotten)

    assert {item.external_id: item.is_open for item in second.items} == {changed: True, gone: False}
    assert (await SOURCE.pull(door, second.cursor)).items == ()


async def test_a_cursor_of_another_form_reads_everything(tasks: Home, door: Door):
    tasks.put("tasks/1.ics", "SUMMARY:One")

    assert (await SOURCE.pull(door, '["something", "else"]')).is_full


async def test_what_was_done_in_three_months_is_history(tasks: Home, door: Door):
    def done(name: str, at: datetime, status: str = "COMPLETED") -> str:
        return tasks.put(f"tasks/{name}.ics", f"SUMMARY:{name}", f"STATUS:{status}", f"COMPLETED:{at:%Y%m%dT%H%M%SZ}")

    just = done("just", NOW - timedelta(hours=2))
    earlier = done("earlier", NOW - timedelta(days=30))
    done("long-ago", NOW - timedelta(days=100))
    done("called-off", NOW - timedelta(days=3), "CANCELLED")

    pull = await SOURCE.pull(door, None)
    again = await SOURCE.pull(replace(door, read_at=NOW - timedelta(days=10)), None)

    assert summaries(pull) == {("just", False)}
    assert {each.external_id for each in pull.history} == {just, earlier}
    assert {each.external_id for each in again.history} == {just}


async def test_completing_leaves_everything_else_as_it_was(tasks: Home, door: Door):
    path = tasks.put(
        "tasks/1.ics",
        "SUMMARY:Call",
        "STATUS:IN-PROCESS",
        "PERCENT-COMPLETE:40",
        'X-ODD;X-PARAM="a:b":kept',
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT15M",
        "DESCRIPTION:Ring",
        "END:VALARM",
    )
    before = tasks.text("tasks/1.ics").splitlines()

    await SOURCE.complete(door, path, COMMAND)

    after = tasks.text("tasks/1.ics").splitlines()
    assert set(before) - set(after) == {"STATUS:IN-PROCESS", "PERCENT-COMPLETE:40"}
    assert set(after) - set(before) == {
        "STATUS:COMPLETED",
        "PERCENT-COMPLETE:100",
        "COMPLETED:20261123T090000Z",
        "LAST-MODIFIED:20261123T090000Z",
    }
    (item,) = (await SOURCE.pull(door, None)).items
    assert (item.is_open, item.completed_at) == (False, NOW)


async def test_completing_twice_or_what_is_gone_changes_nothing(tasks: Home, door: Door):
    path = tasks.put("tasks/1.ics", "SUMMARY:Call")
    await SOURCE.complete(door, path, COMMAND)
    done = tasks.text("tasks/1.ics")

    await SOURCE.complete(replace(door, now=NOW + timedelta(hours=1)), path, COMMAND)

    assert tasks.text("tasks/1.ics") == done
    tasks.send("DELETE", "tasks/1.ics")
    await SOURCE.complete(door, path, COMMAND)
    with pytest.raises(CompletionRefused):
        await SOURCE.complete(door, "0f" * 32, COMMAND)


async def test_a_recurring_task_goes_on_to_its_next_occurrence_once_a_command(tasks: Home, door: Door):
    path = tasks.put(
        "tasks/1.ics", "SUMMARY:Water", "DUE;TZID=Europe/Berlin:20261123T180000", "RRULE:FREQ=WEEKLY;COUNT=3"
    )
    first = await SOURCE.pull(door, None)

    await SOURCE.complete(door, path, COMMAND)
    await SOURCE.complete(door, path, COMMAND)

    second = await SOURCE.pull(door, first.cursor)
    (item,) = second.items
    assert (item.is_open, item.due) == (True, Due(at=datetime(2026, 11, 30, 17, tzinfo=UTC)))
    assert second.completions == (Completion(path, NOW),)
    assert "COUNT=2" in tasks.text("tasks/1.ics")

    await SOURCE.complete(door, path, "second")
    await SOURCE.complete(door, path, "third")

    (item,) = (await SOURCE.pull(door, second.cursor)).items
    assert (item.is_open, item.completed_at) == (False, NOW)


async def test_a_recurring_task_moved_by_its_rule_was_done_and_by_hand_put_off(tasks: Home, door: Door):
    rule = ("SUMMARY:Water", "RRULE:FREQ=WEEKLY;BYDAY=MO", "LAST-MODIFIED:20261123T083000Z")
    path = tasks.put("tasks/1.ics", "DTSTART;VALUE=DATE:20261123", "DUE;VALUE=DATE:20261125", *rule)
    pull = await SOURCE.pull(door, None)
    told: list[Any] = []
    for start, due in (("20261207", "20261209"), ("20261208", "20261210"), ("20261123", "20261125")):
        tasks.put("tasks/1.ics", f"DTSTART;VALUE=DATE:{start}", f"DUE;VALUE=DATE:{due}", *rule)
        pull = await SOURCE.pull(door, pull.cursor)
        told.append(pull.completions)

    assert told == [(Completion(path, NOW - timedelta(minutes=30)),), (), ()]


async def test_what_another_program_writes_in_between_is_not_lost(
    tasks: Home, door: Door, monkeypatch: pytest.MonkeyPatch
):
    path = tasks.put("tasks/1.ics", "SUMMARY:Call")
    send = door.http.foreign.send

    async def late(method: str, url: str, **rest: Any) -> Any:
        if method == "PUT" and "SUMMARY:Call her" not in tasks.text("tasks/1.ics"):
            tasks.put("tasks/1.ics", "SUMMARY:Call her")
        return await send(method, url, **rest)

    monkeypatch.setattr(door.http.foreign, "send", late)
    await SOURCE.complete(door, path, COMMAND)

    text = tasks.text("tasks/1.ics")
    assert "SUMMARY:Call her" in text
    assert "STATUS:COMPLETED" in text


async def test_a_server_that_was_killed_is_down_and_then_goes_on(tmp_path_factory: pytest.TempPathFactory, door: Door):
    with running(tmp_path_factory.mktemp("killed")) as server:
        home = Home.of(server, "ada")
        home.make_list("tasks")
        path = home.put("tasks/1.ics", "SUMMARY:One")
        here = replace(door, access_token=Login(home.url, "ada", PASSWORD).text())
        first = await SOURCE.pull(here, None)
        server.kill()
        with pytest.raises(SourceDown):
            await SOURCE.pull(here, first.cursor)
        with pytest.raises(SourceDown):
            await SOURCE.complete(here, path, COMMAND)
        server.start()
        home.put("tasks/2.ics", "SUMMARY:Two")

        assert summaries(await SOURCE.pull(here, first.cursor)) == {("Two", True)}
        await SOURCE.complete(here, path, COMMAND)
        assert "STATUS:COMPLETED" in home.text("tasks/1.ics")


async def test_a_long_list_is_read_in_parts(home: Home, door: Door):
    home.fill("tasks", [[f"SUMMARY:Task {number}"] for number in range(AT_ONCE + 50)])

    pull = await SOURCE.pull(door, None)

    assert {item.content for item in pull.items} == {f"Task {number}" for number in range(AT_ONCE + 50)}
