"""What is logged: one line a request, ids and templates; whatever people write, name or send is found nowhere in it."""

import json
import logging
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import text as sql

from oo_app import accounts
from oo_app.kit import log
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.conftest import Faults
from tests.people import a_person, a_task
from tests.web.api import problem_of, signed_in
from tests.world import todoist

PLANTED = "planted"


class Lines:
    """Everything logged so far, debug lines too."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    @property
    def text(self) -> str:
        """All of it as it was written."""
        said = self._capsys.readouterr()
        self._text += said.err + said.out
        return self._text

    def of(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of one kind."""
        lines = [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Generator[Lines]:
    """What is logged, as production writes it, and the debug lines with it."""
    log.configure(as_json=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    yield Lines(capsys)
    log.configure(as_json=False)


async def test_a_request_is_one_line(rt: Runtime, browser: Browser, lines: Lines):
    ada = await signed_in(rt, browser)

    response = await browser.get("/api/v1/me?name=planted")

    (line,) = lines.of("request")
    assert line["duration_ms"] >= 0
    assert {name: line[name] for name in ("route", "method", "status", "user_id", "request_id", "level")} == {
        "route": "/api/v1/me",
        "method": "GET",
        "status": 200,
        "user_id": ada.id,
        "request_id": response.headers["x-request-id"],
        "level": "info",
    }
    assert set(line) - {"duration_ms", "route", "method", "status", "user_id", "request_id"} == {
        "event",
        "level",
        "module",
        "timestamp",
    }


async def test_a_problem_names_the_same_request_as_the_line_and_the_header(browser: Browser, lines: Lines):
    response = await browser.get("/api/v1/me")

    assert response.json()["request_id"] == response.headers["x-request-id"] == lines.of("request")[0]["request_id"]
    assert lines.of("request.refused")[0]["request_id"] == response.headers["x-request-id"]


async def test_an_id_that_a_client_sends_is_not_taken(browser: Browser, lines: Lines):
    response = await browser.client.get("/healthz", headers={"X-Request-ID": PLANTED})

    assert response.headers["x-request-id"] != PLANTED
    assert PLANTED not in lines.text


async def test_a_program_is_named_by_its_person(rt: Runtime, browser: Browser, lines: Lines):
    ada = await a_person(rt)
    minted = await accounts.mint(rt, ada.id, PLANTED)

    await browser.client.get("/api/v1/me", headers={"Authorization": f"Bearer {minted.token}"})

    assert lines.of("request")[0]["user_id"] == ada.id
    assert minted.token not in lines.text


async def test_nobody_is_named_after_somebody_else(rt: Runtime, browser: Browser, lines: Lines):
    await signed_in(rt, browser)
    await browser.get("/api/v1/me")
    browser.client.cookies.clear()

    await browser.get("/api/v1/me")

    assert ["user_id" in line for line in lines.of("request")] == [True, False]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/assets/x.js", "/sandbox/todoist/"])
async def test_probes_and_files_are_told_to_who_looks_closely_only(browser: Browser, lines: Lines, path: str):
    await browser.get(path)

    assert [line["level"] for line in lines.of("request")] == ["debug"]


async def test_a_probe_that_fails_is_told(rt: Runtime, browser: Browser, lines: Lines):
    async with rt.db.begin() as tx:
        await tx.session.execute(sql("UPDATE alembic_version SET version_num = '9999'"))

    problem_of(await browser.get("/readyz"), 503)

    assert lines.of("request")[-1]["level"] == "info"


async def test_a_decision_and_a_reaction_can_be_followed_from_their_requests(
    rt: Runtime, browser: Browser, lines: Lines
):
    await signed_in(rt, browser)
    served = await browser.recommend()
    await browser.react(served["tip"]["impression_id"], "snooze")

    (decided,), (reacted,) = lines.of("decided"), lines.of("reacted")
    first, second = lines.of("request")
    assert decided["impression_id"] == reacted["impression_id"] == served["tip"]["impression_id"]
    assert (decided["decision_id"] != "", reacted["action"]) == (True, "snooze")
    assert (decided["request_id"], reacted["request_id"]) == (first["request_id"], second["request_id"])


async def test_whatever_people_write_name_or_send_is_logged_nowhere(
    rt: Runtime, browser: Browser, lines: Lines, clock: FakeClock, faults: Faults
):
    """A whole life with us, every text of it marked: sign-in, source, tasks, tip, errors, outage, export, deletion."""
    await browser.sign_in(f"{PLANTED}-mail@sandbox.test")
    await browser.connect_todoist()
    await todoist(rt, browser, "POST", "/tasks", json={"content": f"{PLANTED} task"})
    clock.advance(timedelta(minutes=1))
    caller = await accounts.caller(rt, browser.client.cookies[rt.settings.session_cookie])
    session = browser.client.cookies[rt.settings.session_cookie]
    minted = (await browser.post("/api/v1/tokens", {"name": f"{PLANTED} token"})).json()
    served = await browser.recommend()
    await browser.react(served["tip"]["impression_id"], "done")
    clock.advance(timedelta(seconds=7))
    await rt.bus.drain()
    for body in ({"surface": f"{PLANTED} surface"}, {f"{PLANTED}-field": 1}, [PLANTED], f"{PLANTED} text"):
        problem_of(await browser.post("/api/v1/recommend", body), 422)
    await browser.client.request(
        "POST", "/api/v1/recommend", content=b'{"planted', headers={"Origin": browser.base, "User-Agent": PLANTED}
    )
    for path in (
        f"/api/{PLANTED}",
        f"/{PLANTED}?{PLANTED}={PLANTED}",
        f"/auth/{PLANTED}/start",
        f"/auth/google/callback?code={PLANTED}&state={PLANTED}&error={PLANTED}",
        f"/connect/todoist/callback?code={PLANTED}&state={PLANTED}",
        f"/connect/{PLANTED}/start",
        f"/api/v1/me?{PLANTED}",
        f"/tip?{PLANTED}",
    ):
        await browser.client.get(path, headers={"Referer": f"https://{PLANTED}.example", "X-Planted": PLANTED})
    await browser.client.request(PLANTED.upper(), f"/{PLANTED}")
    faults.fault = lambda _: httpx.Response(500, json={"error": f"{PLANTED} outside"})
    clock.advance(timedelta(hours=1))
    await browser.recommend()
    await rt.jobs.settle()
    faults.fault = None
    assert PLANTED in (await browser.get("/api/v1/me/export")).text
    await browser.send("DELETE", "/api/v1/me")

    text = lines.text
    assert len(lines.of("request")) > 20
    assert caller.user_id in text
    assert PLANTED not in text.lower()
    for secret in (session, minted["token"], "oo_session=", served["tip"]["content"]):
        assert secret not in text


async def test_a_bug_tells_its_place_and_not_what_it_was_about(rt: Runtime, browser: Browser, lines: Lines):
    ada = await signed_in(rt, browser, tasks=0)
    item_id = await a_task(rt, ada, content=f"{PLANTED} words")
    async with rt.db.begin() as tx:
        await tx.session.execute(sql("UPDATE item SET due_floating = 'planted' WHERE id = :id"), {"id": item_id})
    with pytest.raises(ValueError, match=PLANTED):
        await browser.post("/api/v1/recommend", {"surface": "web"})

    assert lines.of("request")[0]["status"] == 500
    assert "ValueError" in lines.text
    assert PLANTED not in lines.text
