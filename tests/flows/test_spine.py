"""The whole story in one process: sign in, connect, one tip, a reaction, the task completed at its source."""

from datetime import timedelta

from oo_app import signals
from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.world import todoist_task


async def test_a_new_person_signs_in_connects_and_completes_a_real_task(
    rt: Runtime, clock: FakeClock, browser: Browser
) -> None:
    signed_in = await browser.sign_in("ada@sandbox.test")
    assert signed_in.headers["location"] == "/connect"
    connected = await browser.connect_todoist()
    assert connected.headers["location"] == "/connect"

    served = await browser.recommend()
    answer = await browser.react(served["tip"]["impression_id"], "done", dwell_ms=20_000)

    assert answer.json() == {"reward": 1.0, "accepted": True}
    task_before = await todoist_task(rt, browser, served["tip"]["id"])
    assert task_before["checked"] is False
    clock.advance(timedelta(seconds=6))
    await signals.deliver_closes(rt)
    task = await todoist_task(rt, browser, served["tip"]["id"])
    assert task["checked"] is True or task["due"]["date"] != task_before["due"]["date"]
