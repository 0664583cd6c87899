"""A list of tasks on a real CalDAV server, connected, suggested, done, and done elsewhere, through the application."""

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from oo_app import signals, wiring
from oo_app.connections.models import Connection
from oo_app.kit.addresses import Addresses, Private
from oo_app.kit.bus import Outbox
from oo_app.kit.clock import FakeClock
from oo_app.kit.http import Http
from oo_app.runtime import Runtime, use
from tests.browser import Browser
from tests.people import reward, rows
from tests.radicale import PASSWORD, Home, Server, running
from tests.web.api import problem_of, signed_in

pytestmark = pytest.mark.server
ROUTE = "/api/v1/connections/caldav"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    with running(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture
def home(server: Server, tmp_path: Path) -> Home:
    home = Home.of(server, tmp_path.name)
    home.make_list("tasks")
    return home


@pytest.fixture
def world(rt: Runtime) -> Runtime:
    """A world in which the operator lets a server on this machine through."""
    changed = replace(rt, http=Http(rt.clock, None, Addresses(Private.read("127.0.0.1"))))
    wiring.bind(changed)
    use(changed)
    return changed


def login(home: Home, **changes: str) -> dict[str, str]:
    return {"url": home.server.url, "username": home.user, "password": PASSWORD, **changes}


async def state(browser: Browser) -> str:
    views: list[dict[str, Any]] = (await browser.get("/api/v1/connections")).json()
    return next(view["state"] for view in views if view["source"] == "caldav")


async def shown(world: Runtime, browser: Browser, home: Home, *lines: str) -> dict[str, Any]:
    """Connect a list with one task; return the tip made of it."""
    home.put("tasks/1.ics", "SUMMARY:Water the plants", *lines)
    await signed_in(world, browser, tasks=0)
    answer = await browser.post(ROUTE, login(home))
    assert answer.status_code == 200, answer.text
    tip = (await browser.recommend())["tip"]
    assert tip["content"] == "Water the plants"
    return tip


async def read(world: Runtime) -> None:
    """Read the server, and let happen what follows."""
    (connection,) = [each for each in await rows(world, Connection) if each.source == "caldav"]
    assert await signals.sync(world, connection.id)
    await world.bus.drain()


async def test_a_task_becomes_a_tip_and_done_completes_it_there(
    world: Runtime, browser: Browser, home: Home, clock: FakeClock
):
    tip = await shown(world, browser, home)

    assert (await browser.react(tip["impression_id"], "done")).status_code == 200
    clock.advance(timedelta(seconds=6))
    await signals.deliver_closes(world)
    await world.jobs.settle()

    assert "STATUS:COMPLETED" in home.text("tasks/1.ics")
    assert await state(browser) == "connected"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], ["STATUS:COMPLETED", "COMPLETED:20261123T090100Z"]),
        (["DUE;VALUE=DATE:20261123", "RRULE:FREQ=DAILY"], ["DUE;VALUE=DATE:20261124", "RRULE:FREQ=DAILY"]),
    ],
    ids=["once", "recurring"],
)
async def test_done_elsewhere_is_rewarded_once(
    world: Runtime, browser: Browser, home: Home, clock: FakeClock, before: list[str], after: list[str]
):
    tip = await shown(world, browser, home, *before)

    clock.advance(timedelta(minutes=2))
    home.put("tasks/1.ics", "SUMMARY:Water the plants", *after)
    await read(world)
    await read(world)

    found = await reward(world, tip["impression_id"])
    assert found is not None
    assert found[0] == "completed"
    assert [fact.subject for fact in await rows(world, Outbox)].count("feedback.delayed") == 1


async def test_a_password_that_was_changed_needs_attention(world: Runtime, browser: Browser, home: Home):
    await shown(world, browser, home)
    (home.server.folder / "people").write_text(f"{home.user}:another\n")

    (connection,) = [each for each in await rows(world, Connection) if each.source == "caldav"]
    assert not await signals.sync(world, connection.id)

    assert await state(browser) == "needs_attention"


async def test_a_name_that_leads_nowhere_for_a_while_is_a_server_that_is_down(
    world: Runtime, browser: Browser, home: Home
):
    await shown(world, browser, home)
    later = replace(world, http=Http(world.clock, None, Addresses()))  # refuses what was let through before
    (connection,) = [each for each in await rows(world, Connection) if each.source == "caldav"]

    assert not await signals.sync(later, connection.id)

    assert await state(browser) == "connected"
    (connection,) = [each for each in await rows(world, Connection) if each.source == "caldav"]
    assert (connection.failures, connection.failure) == (1, "address")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"password": "wrong"}, "password"),
        ({"username": ""}, "username: "),
        ({"password": ""}, "password: "),
        ({"url": "http://10.0.0.1/"}, "url: "),
        ({"url": "nowhere"}, "url: "),
    ],
)
async def test_what_does_not_fit_is_named(
    world: Runtime, browser: Browser, home: Home, changes: dict[str, str], told: str
):
    await signed_in(world, browser)

    detail = problem_of(await browser.post(ROUTE, login(home, **changes)), 422)

    assert told in detail
    assert await state(browser) == "not_connected"
