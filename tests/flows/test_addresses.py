"""Connecting what asks for an address, through the whole application."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import httpx
import pytest

from oo_app.kit.addresses import Addresses, Ip
from oo_app.kit.http import Http
from oo_app.runtime import Runtime, use
from oo_app.signals.models import CalendarEvent
from tests.browser import Browser
from tests.conftest import Faults
from tests.outside import outside
from tests.people import rows
from tests.sources.test_ical import a_calendar, an_entry
from tests.web.api import problem_of, signed_in

URL = "https://calendar.example/secret/basic.ics"
FEED = a_calendar(
    an_entry("DTSTART:20261124T090000Z", "DTEND:20261124T100000Z", "SUMMARY:Dentist", uid="u1"),
    an_entry("DTSTART:20261125T090000Z", uid="u2"),
)


@pytest.fixture
def world(rt: Runtime, faults: Faults) -> Runtime:
    """A world in which every name leads to a public address, and one of them to a calendar."""

    async def resolve(host: str, port: int) -> Sequence[Ip]:
        return [ip_address("10.0.0.5" if host.endswith(".internal") else "93.184.216.34")]

    changed = replace(rt, http=Http(rt.clock, outside(rt), Addresses(resolve=resolve)))
    use(changed)
    faults.fault = lambda request: httpx.Response(200, content=FEED) if request.url.host == "calendar.example" else None
    return changed


async def source(browser: Browser) -> dict[str, Any]:
    views = (await browser.get("/api/v1/connections")).json()
    return next(view for view in views if view["source"] == "ical")


async def test_a_feed_is_connected_read_and_left_again(world: Runtime, browser: Browser):
    await signed_in(world, browser)

    answer = await browser.post("/api/v1/connections/ical", {"url": URL})

    assert answer.status_code == 200, answer.text
    assert answer.json() == {**await source(browser), "not_completed": 0}
    assert (await source(browser))["name"] == "Calendar feed"
    assert (await source(browser))["state"] == "connected"
    assert (await source(browser))["last_read_at"] is not None
    assert len(await rows(world, CalendarEvent)) == 2

    assert (await browser.send("DELETE", "/api/v1/connections/ical")).json()["revoked"]

    assert (await source(browser))["state"] == "not_connected"
    assert await rows(world, CalendarEvent) == []


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"url": "not an address"}, 422, "url: "),
        ({"url": "https://nas.internal/feed.ics"}, 422, "url: "),
        ({"url": "http://127.0.0.1:8000/healthz"}, 422, "url: "),
        ({"url": "http://169.254.169.254/latest"}, 422, "url: "),
        ({"url": "https://me:secret@calendar.example/"}, 422, "url: "),
        ({"url": URL, "username": "me"}, 422, "username: "),
        ({"url": URL, "password": "me"}, 422, "password: "),
        ({}, 422, "url"),
        ({"url": URL, "more": 1}, 422, "more"),
        ({"url": 5}, 422, "url"),
    ],
)
async def test_what_does_not_fit_is_named(
    world: Runtime, browser: Browser, body: dict[str, Any], status: int, told: str
):
    await signed_in(world, browser)

    answer = await browser.post("/api/v1/connections/ical", body)

    detail = problem_of(answer, status)
    assert told in detail
    assert "secret" not in detail
    assert (await source(browser))["state"] == "not_connected"


@pytest.mark.parametrize("name", ["todoist", "nobody"])
async def test_what_asks_for_consent_takes_no_address(world: Runtime, browser: Browser, name: str):
    await signed_in(world, browser)

    problem_of(await browser.post(f"/api/v1/connections/{name}", {"url": URL}), 404)


async def test_a_server_that_does_not_answer_is_told_calmly(world: Runtime, browser: Browser, faults: Faults):
    await signed_in(world, browser)
    faults.fault = lambda request: httpx.Response(503) if request.url.host == "calendar.example" else None

    problem_of(await browser.post("/api/v1/connections/ical", {"url": URL}), 503)


async def test_nobody_connects_without_being_signed_in(world: Runtime, browser: Browser):
    problem_of(await browser.post("/api/v1/connections/ical", {"url": URL}), 401)
