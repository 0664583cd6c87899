"""A source that is slow, cut, silent or lying keeps nobody waiting longer than told, and nothing is lost by it."""

import asyncio

import pytest

from tests.doors.watch import select
from tests.faults.conftest import LONG_AGO, Line, Story, agreed, new_story
from tests.proxy import Line as Spoiled
from tests.proxy import Proxy

pytestmark = [pytest.mark.server, pytest.mark.timeout(240)]

MARGIN_S = 2.0  # on a busy machine
DECISION_S = 0.8
LEAVING_S = 5.0
EXCHANGE_S = 8.0
FIRST_READING_S = 4.0

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
QUICK = {
    "cut in the middle of an answer": Spoiled(cut_after=60),
    "garbage": Spoiled(answers=b"\x00\xff\x7f garbage \r\n\r\n" * 10),
    "JSON that ends too soon": Spoiled(answers=HEAD + b'Content-Length: 12\r\n\r\n{"sync_token'),
    "an answer shorter than told": Spoiled(answers=HEAD + b"Content-Length: 9999\r\n\r\n{}"),
    "an answer longer than told": Spoiled(answers=HEAD + b'Content-Length: 2\r\n\r\n{"sync_token": "x"}'),
    "JSON of another kind": Spoiled(answers=HEAD + b"Content-Length: 4\r\n\r\nnull"),
    "TLS where none was asked for": Spoiled(answers=b"\x15\x03\x01\x00\x02\x02\x28"),
    "refused": Spoiled(is_refusing=True),
}
SLOW = {
    "late": Spoiled(delay_s=3.0),
    "byte by byte": Spoiled(drip_s=0.05),
    "half-open": Spoiled(swallows_questions=True),
    "silent": Spoiled(swallows_answers=True),
}


def spoil(proxy: Proxy, how: Spoiled) -> None:
    """Spoil the line, for connections that stand as well."""
    proxy.line = how
    proxy.cut()


@pytest.mark.parametrize("fault", [*QUICK, *SLOW])
async def test_a_tip_is_answered_in_time_and_its_completion_arrives_once_the_line_heals(story: Story, fault: str):
    tip = await story.tip()
    task = story.external_id(tip)
    story.make_stale()
    spoil(story.proxy, (QUICK | SLOW)[fault])

    again = await story.tip()
    assert (again["impression_id"], story.took_s < DECISION_S + MARGIN_S) == (tip["impression_id"], True)
    said = await story.answer(tip, "done")
    assert (said.json(), story.took_s < MARGIN_S) == ({"reward": 1.0, "accepted": True}, True)
    following = await story.tip()
    assert (following["impression_id"] != tip["impression_id"], story.took_s < DECISION_S + MARGIN_S) == (True, True)
    story.let_time_pass()
    await story.has_asked()

    story.proxy.heal()
    story.let_time_pass()
    closed = "SELECT 1 FROM closing WHERE user_id = ? AND done_at IS NOT NULL AND NOT is_refused"
    await story.until(closed, story.somebody.user_id)
    await story.until("SELECT 1 FROM connection WHERE id = ? AND failures = 0", story.somebody.connection)

    assert story.account.completions()[task] == 1
    states = {each["source"]: each["state"] for each in (await story.ask("GET", "/api/v1/connections")).json()}
    assert states["todoist"] == "connected"
    reaction = select(story.line.site.folder, "SELECT action FROM reaction WHERE user_id = ?", story.somebody.user_id)
    assert reaction == [("done",)]


@pytest.mark.parametrize("fault", ["cut in the middle of an answer", "refused", "byte by byte", "half-open"])
async def test_connecting_disconnecting_and_leaving_end_in_time(story: Story, line: Line, proxy: Proxy, fault: str):
    leaver, newcomer = await new_story(line, proxy), await asyncio.to_thread(agreed, line.site, "a-newcomer")
    spoil(proxy, (QUICK | SLOW)[fault])

    connecting, disconnected, deleted = await asyncio.gather(
        asyncio.to_thread(newcomer.come_back),
        story.ask("DELETE", "/api/v1/connections/todoist"),
        leaver.ask("DELETE", "/api/v1/me"),
    )

    assert connecting < EXCHANGE_S + FIRST_READING_S + MARGIN_S
    assert (disconnected.status_code, story.took_s < LEAVING_S + MARGIN_S) == (200, True)
    assert (deleted.status_code, leaver.took_s < LEAVING_S + MARGIN_S) == (200, True)
    assert select(line.site.folder, "SELECT 1 FROM connection WHERE id = ?", story.somebody.connection) == []
    assert select(line.site.folder, "SELECT 1 FROM user WHERE id = ?", leaver.somebody.user_id) == []


async def test_one_persons_slow_reading_keeps_nobody_else_waiting(story: Story, line: Line, proxy: Proxy):
    other = await new_story(line, proxy)
    story.make_stale()
    other.make_stale()
    line.world.turn("fault", delay_ms=5_000, count=1, path="/api/v1/sync")

    await story.tip()
    await other.tip()

    assert other.took_s < DECISION_S
    read_just_now = "SELECT 1 FROM connection WHERE id = ? AND last_read_at > ?"
    assert select(line.site.folder, read_just_now, other.somebody.connection, LONG_AGO)
    assert not select(line.site.folder, read_just_now, story.somebody.connection, LONG_AGO)
    await story.until(read_just_now, story.somebody.connection, LONG_AGO)


async def test_a_refresh_whose_answer_is_cut_keeps_the_grant(story: Story, line: Line, proxy: Proxy):
    tip = await story.tip()
    await story.answer(tip, "done")
    line.world.turn("expire", account=story.account.name)
    proxy.line = Spoiled(cuts_answer_to=b"/oauth/access_token")

    story.let_time_pass()
    await story.until("SELECT 1 FROM closing WHERE user_id = ? AND done_at IS NOT NULL", story.somebody.user_id)

    assert proxy.line.cuts_answer_to is None
    assert line.world.account(story.account.name).completions()[story.external_id(tip)] == 1
    states = {each["source"]: each["state"] for each in (await story.ask("GET", "/api/v1/connections")).json()}
    assert states["todoist"] == "connected"
