"""The numbers that a decision is made from."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_app import features
from oo_app.features import CANDIDATE_FEATURES, CONTEXT_FEATURES, Moment
from oo_app.features import definitions as d
from oo_app.signals import OpenItem

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday, ten o'clock in Berlin
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
    created_at=NOW - timedelta(days=7),
    sealed_content=b"",
    sealed_detail=b"",
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis wants naive bounds
ITEMS = st.builds(
    ITEM._replace,
    due_on=st.none() | st.dates(date(2019, 1, 1), date(2036, 1, 1)),
    due_at=st.none() | MOMENTS,
    due_floating=st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(datetime.isoformat),  # noqa: DTZ001 -- floating on purpose
    deadline_on=st.none() | st.dates(date(2019, 1, 1), date(2036, 1, 1)),
    priority=st.integers(1, 4),
    is_recurring=st.booleans(),
    created_at=MOMENTS,
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"]).map(ZoneInfo)


def seen(item: OpenItem, zone: ZoneInfo = BERLIN) -> d.Candidate:
    return d.candidate(item, zone)


def at(now: datetime = NOW, zone: ZoneInfo = BERLIN) -> Moment:
    return features.moment(now, zone, [ITEM])


@pytest.mark.parametrize(
    ("item", "is_overdue"),
    [
        (ITEM, 0.0),
        (ITEM._replace(due_on=date(2026, 11, 22)), 1.0),
        (ITEM._replace(due_on=date(2026, 11, 23)), 0.0),
        (ITEM._replace(due_at=NOW - timedelta(seconds=1)), 1.0),
        (ITEM._replace(due_at=NOW), 0.0),
        (ITEM._replace(due_floating="2026-11-23T09:59:00"), 1.0),
        (ITEM._replace(due_floating="2026-11-23T10:01:00"), 0.0),
        (ITEM._replace(deadline_on=date(2026, 11, 22)), 1.0),
    ],
)
def test_an_item_is_overdue_on_the_persons_clock(item: OpenItem, is_overdue: float):
    assert d.is_overdue(seen(item), at()) == is_overdue


def test_a_day_ends_at_the_persons_midnight():
    item = ITEM._replace(due_on=date(2026, 11, 23))
    an_hour_to_midnight_in_new_york = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)

    assert d.is_overdue(seen(item), at(an_hour_to_midnight_in_new_york)) == 1.0
    assert d.is_overdue(seen(item, ZoneInfo("America/New_York")), at(an_hour_to_midnight_in_new_york)) == 0.0


def test_a_due_time_comes_before_a_deadline():
    item = ITEM._replace(due_at=NOW + timedelta(days=1), deadline_on=date(2026, 11, 1))

    assert d.days_until_due(seen(item), at()) == 1.0


@pytest.mark.parametrize(("days", "told"), [(1, 1.0), (-2, -2.0), (90, 30.0), (-90, -30.0)])
def test_days_until_due_are_cut_at_thirty(days: int, told: float):
    assert d.days_until_due(seen(ITEM._replace(due_at=NOW + timedelta(days=days))), at()) == told


def test_what_has_no_due_time_is_far_away():
    assert (d.has_due(seen(ITEM), at()), d.days_until_due(seen(ITEM), at())) == (0.0, 30.0)


@pytest.mark.parametrize(
    ("age", "told"), [(timedelta(days=7), 7.0), (timedelta(days=900), 365.0), (-timedelta(1), 0.0)]
)
def test_age_is_cut_at_a_year(age: timedelta, told: float):
    assert d.task_age_days(seen(ITEM._replace(created_at=NOW - age)), at()) == told


def test_the_context_is_the_persons_own_hour_and_day():
    context, _ = features.snapshot(at(datetime(2026, 11, 22, 23, 30, tzinfo=UTC)), [ITEM])

    assert context.tolist() == [0.5, 0.0, 1.0]  # half past midnight on Monday in Berlin


@given(items=st.lists(ITEMS, max_size=8), now=MOMENTS, zone=ZONES)
def test_a_snapshot_is_finite_whatever_the_items_are(items: list[OpenItem], now: datetime, zone: ZoneInfo):
    context, candidates = features.snapshot(features.moment(now, zone, items), items)

    assert context.shape == (len(CONTEXT_FEATURES),)
    assert candidates.shape == (len(items), len(CANDIDATE_FEATURES))
    assert np.isfinite(context).all()
    assert np.isfinite(candidates).all()


def test_a_snapshot_cannot_be_changed_by_who_reads_it():
    for array in features.snapshot(at(), [ITEM]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_every_feature_has_a_name_of_its_own():
    names = [feature.__name__ for feature in (*CANDIDATE_FEATURES, *CONTEXT_FEATURES)]

    assert len(set(names)) == len(names)


def test_the_columns_are_those_of_the_schema_version():
    """A change here is a new SCHEMA: stored decisions are read by it."""
    assert features.SCHEMA == "1"
    assert [feature.__name__ for feature in CANDIDATE_FEATURES] == [
        "is_overdue",
        "has_due",
        "days_until_due",
        "task_age_days",
        "priority",
        "is_recurring",
    ]
    assert [feature.__name__ for feature in CONTEXT_FEATURES] == ["hour_of_day", "day_of_week", "open_items"]
