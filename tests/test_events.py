"""Events: stable subjects, payloads without a person's words."""

import json
from dataclasses import fields
from datetime import datetime, timedelta

import pytest

from oo_app import signals, wiring
from oo_app.events import EVENTS, Event
from oo_app.kit.clock import FakeClock
from oo_app.kit.outbox import Outbox
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.people import rows
from tests.world import todoist


def test_subjects_are_those_of_the_contract():
    assert sorted(event.subject for event in EVENTS) == [
        "feedback.delayed",
        "feedback.reward",
        "signals.calendar.synced",
        "signals.source.connected",
        "signals.source.disconnected",
        "signals.source.failed",
        "signals.task.completed",
        "signals.task.synced",
        "signals.tip.reacted",
        "signals.tip.served",
    ]


def test_every_event_is_listed():
    assert {event.__name__ for event in Event.__subclasses__()} == {event.__name__ for event in EVENTS}


@pytest.mark.parametrize("event", EVENTS, ids=[event.subject for event in EVENTS])
def test_fields_are_ids_numbers_and_enumerations(event: type[Event]):
    plain = {"str", "int", "float", "bool", "int | None", "str | None"}
    kinds = {
        field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
        for field in fields(event)
    }

    assert kinds <= plain
    assert "user_id" in {field.name for field in fields(event)}


def test_what_happens_by_itself_hears_events_that_exist(rt: Runtime):
    assert set(wiring.handlers(rt)) <= {event.subject for event in EVENTS}


async def test_no_event_of_a_whole_story_holds_a_persons_words(rt: Runtime, clock: FakeClock, ada: Browser):
    tasks = (await todoist(rt, ada, "GET", "/tasks", params={"limit": 200}))["results"]
    for action in ("snooze", "dismiss", "done"):
        served = await ada.recommend()
        await ada.react(served["tip"]["impression_id"], action)
    clock.advance(timedelta(seconds=6))
    await signals.deliver_closes(rt)
    await rt.jobs.settle()
    await rt.bus.drain()
    await ada.send("DELETE", "/api/v1/connections/todoist")

    payloads = " ".join(fact.payload for fact in await rows(rt, Outbox))

    assert len(tasks) > 20
    assert [task["content"] for task in tasks if task["content"] in payloads] == []
    assert "sandbox.test" not in payloads


async def test_a_completions_time_is_written_so_that_it_can_be_read_again():
    at = datetime.fromisoformat("2026-11-23T10:00:00+01:00")

    assert signals.moment(json.loads(json.dumps(at.isoformat()))) == at
