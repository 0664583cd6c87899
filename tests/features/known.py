"""A moment and an item to compute features from, of which a test changes what it is about."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from oo_app.features import CANDIDATE_FEATURES, CONTEXT_FEATURES, Dose, Moment
from oo_app.features.known import candidate
from oo_app.signals import OpenItem

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday, ten o'clock in Berlin
NEVER = Dose(tips_today=0, last_at=None, refusals=0)
ITEM = OpenItem(
    id="an-item",
    source="todoist",
    url=None,
    due_on=None,
    due_at=None,
    due_floating=None,
    deadline_on=None,
    priority=1,
    is_recurring=False,
    minutes=None,
    label_count=0,
    label_bits=0,
    postponed=0,
    created_at=NOW - timedelta(days=7),
    sealed_content=b"",
    sealed_detail=b"",
)
_OF_CANDIDATES: dict[str, Callable[..., float | None]] = {each.name: each.compute for each in CANDIDATE_FEATURES}
_OF_MOMENTS: dict[str, Callable[..., float | None]] = {each.name: each.compute for each in CONTEXT_FEATURES}


def at(now: datetime = NOW, zone: ZoneInfo = BERLIN, **known: Any) -> Moment:
    """Return a moment of which nothing is known but what is given."""
    nothing = Moment(
        now=now,
        local=now.astimezone(zone),
        zone=zone,
        open_items=1,
        agenda=None,
        habits=None,
        dose=NEVER,
        read_at={"todoist": now},
    )
    return replace(nothing, **known)


def of_item(name: str, item: OpenItem, moment: Moment | None = None) -> float | None:
    """Compute one feature of an item."""
    return _OF_CANDIDATES[name](candidate(item, moment or at()))


def of_moment(name: str, moment: Moment) -> float | None:
    """Compute one feature of a moment."""
    return _OF_MOMENTS[name](moment)
