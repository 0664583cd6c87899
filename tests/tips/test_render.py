"""How an item is shown: its own words, its own day."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from oo_app.runtime import Runtime
from oo_app.tips.render import plain
from tests.people import a_person, a_task, a_tip


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Water the plants", "Water the plants"),
        ("  Water  ", "Water"),
        ("**Water** the plants", "Water the plants"),
        ("Call [Mum](https://example.org/mum) today", "Call Mum today"),
        ("Run `make test`", "Run make test"),
        ("~~Old~~ __new__", "Old new"),
        ("2 * 3 ** 4", "2 * 3 ** 4"),
        ("[not a link]", "[not a link]"),
        ("Plants 🌱", "Plants 🌱"),
        ("", ""),
    ],
)
def test_markup_is_dropped_and_words_are_kept(written: str, read: str):
    assert plain(written) == read


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({}, None),
        ({"due_on": date(2026, 11, 23)}, "2026-11-23"),
        ({"due_at": datetime(2026, 11, 23, 14, 30, tzinfo=UTC)}, "2026-11-23T15:30:00+01:00"),
        ({"due_at": datetime(2026, 7, 1, 14, 30, tzinfo=UTC)}, "2026-07-01T16:30:00+02:00"),
        ({"due_floating": "2026-11-23T14:30:00"}, "2026-11-23T14:30:00+01:00"),
    ],
)
async def test_due_is_a_day_or_a_time_with_the_persons_offset(rt: Runtime, fields: dict[str, Any], due: str | None):
    ada = await a_person(rt, tasks=0, time_zone="Europe/Berlin")
    await a_task(rt, ada, **fields)

    assert (await a_tip(rt, ada.id)).tip.due == due


async def test_a_task_without_words_is_still_a_tip(rt: Runtime):
    ada = await a_person(rt, tasks=0)
    await a_task(rt, ada, content=" ")

    assert (await a_tip(rt, ada.id)).tip.content == "Untitled task"


async def test_a_tip_says_what_it_is_and_where_it_comes_from(rt: Runtime):
    ada = await a_person(rt, tasks=0)
    item_id = await a_task(rt, ada, content="Call Mum", url="https://app.todoist.com/app/task/1")

    tip = (await a_tip(rt, ada.id)).tip

    assert (tip.id, tip.kind, tip.content, tip.detail, tip.source) == (item_id, "task", "Call Mum", "Home", "todoist")
    assert tip.source_url == "https://app.todoist.com/app/task/1"
    assert tip.actions == ("done", "snooze", "dismiss")
