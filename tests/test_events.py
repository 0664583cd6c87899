"""Events: stable subjects, payloads without a person's words."""

import json
from dataclasses import fields
from datetime import datetime, timedelta
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from oo_app import signals, wiring
from oo_app.events import EVENTS, Event, PersonsEvent
from oo_app.kit.clock import FakeClock
from oo_app.kit.outbox import Outbox
from oo_app.runtime import Runtime
from scripts.events import emitters
from tests.browser import Browser
from tests.people import rows
from tests.world import todoist


def test_subjects_are_those_of_the_contract():
    assert sorted(event.subject for event in EVENTS) == [
        "feedback.delayed",
        "feedback.reward",
        "ops.event.parked",
        "ops.mirror.skipped",
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
    def below(kind: type[Event]) -> set[str]:
        found = {event.__name__ for event in kind.__subclasses__()}
        return found.union(*(below(event) for event in kind.__subclasses__()))

    assert below(Event) - {PersonsEvent.__name__} == {event.__name__ for event in EVENTS}


@pytest.mark.parametrize("event", EVENTS, ids=[event.subject for event in EVENTS])
def test_fields_are_ids_numbers_and_enumerations(event: type[Event]):
    hints = get_type_hints(event)
    words = [name for field in fields(event) if is_text(hints[name := field.name]) and not name.endswith(NO_WORDS)]

    assert words == []
    assert ("user_id" in hints) == (not event.subject.startswith("ops."))


# Ids, times, and names that stand in a registry of ours: sources, policies, subjects.
NO_WORDS = ("_id", "_at", "source", "policy", "subject")


def is_text(kind: Any) -> bool:
    """Whether a field's type lets in any text at all."""
    if get_origin(kind) is Literal:
        return False
    if isinstance(kind, UnionType):
        return any(is_text(each) for each in get_args(kind))
    return kind not in {int, float, bool, NoneType}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(str, True), (str | None, True), (int | None, False), (Literal["a", "b"], False), (list, True)],
)
def test_a_planted_field_for_words_is_named(kind: Any, *, expected: bool):
    assert is_text(kind) == expected


@pytest.mark.parametrize("event", EVENTS, ids=[event.subject for event in EVENTS])
def test_every_event_is_told_by_somebody(event: type[Event]):
    assert emitters(event) != []


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
