"""The numbers that a decision is made from."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_app import features
from oo_app.features import CANDIDATE_FEATURES, CONTEXT_FEATURES, FEATURES, Dose, Moment, day_of
from oo_app.features.known import Agenda, agenda_of
from oo_app.features.profile import WEEK_HOURS, Habits, counted
from oo_app.kit.config import Settings
from oo_app.signals import Busy, OpenItem
from oo_app.sources import SOURCES
from scripts.features_page import PAGE, page
from tests.features.known import BERLIN, ITEM, NOW, at, of_item, of_moment

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis wants naive bounds
FAR_MOMENTS = st.datetimes(datetime(2, 1, 2), datetime(9998, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 -- as above
ITEMS = st.builds(
    ITEM._replace,
    source=st.sampled_from(["todoist", "gone"]),
    due_on=st.none() | st.dates(date(2, 1, 1), date(9998, 12, 31)),
    due_at=st.none() | FAR_MOMENTS,
    due_floating=st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(datetime.isoformat),  # noqa: DTZ001 -- floating on purpose
    deadline_on=st.none() | st.dates(date(2, 1, 1), date(9998, 12, 31)),
    priority=st.integers(1, 4),
    is_recurring=st.booleans(),
    minutes=st.none() | st.integers(0, 100_000),
    label_count=st.integers(0, 500),
    label_bits=st.integers(0, 255),
    postponed=st.integers(0, 10_000),
    created_at=MOMENTS,
)
# Half an hour and three quarters beside the hour, clocks that change by half an hour, at midnight, and not at all.
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Beirut", "Asia/Kathmandu"]
).map(ZoneInfo)
# Around the nights on which clocks change in one of them, so that they are met often.
NOWS = MOMENTS | st.builds(
    lambda night, minutes: night + minutes * MINUTE,
    st.sampled_from([datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)]),
    st.integers(0, 1440),
)
DOSES = st.builds(Dose, st.integers(0, 99), st.none() | MOMENTS, st.integers(0, 99))
COUNTS = st.lists(st.integers(0, 10_000), min_size=WEEK_HOURS, max_size=WEEK_HOURS)


@st.composite
def calendars(draw: st.DrawFn, now: datetime) -> list[Busy]:
    """Draw entries around a moment, in order, as the database gives them."""
    spans = st.tuples(st.integers(-2000, 2000), st.integers(0, 3000))
    drawn = draw(st.lists(spans, max_size=12))
    return sorted(Busy(now + start * MINUTE, now + (start + length) * MINUTE) for start, length in drawn)


@st.composite
def moments(draw: st.DrawFn) -> Moment:
    """Draw a moment with anything known about it, or nothing."""
    now, zone = draw(NOWS), draw(ZONES)
    agenda = draw(st.none() | calendars(now).map(lambda entries: agenda_of(entries, now, zone)))
    habits = draw(st.none() | COUNTS.map(lambda counts: Habits(counts, sum(counts))))
    read_at = draw(st.dictionaries(st.sampled_from(["todoist", "ical"]), st.none() | MOMENTS))
    return at(now, zone, agenda=agenda, habits=habits, dose=draw(DOSES), read_at=read_at)


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
    assert of_item("is_overdue", item) == is_overdue


def test_a_day_ends_at_the_persons_midnight():
    item = ITEM._replace(due_on=date(2026, 11, 23))
    an_hour_to_midnight_in_new_york = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)

    assert of_item("is_overdue", item, at(an_hour_to_midnight_in_new_york)) == 1.0
    assert of_item("is_overdue", item, at(an_hour_to_midnight_in_new_york, ZoneInfo("America/New_York"))) == 0.0


def test_a_due_time_comes_before_a_deadline():
    item = ITEM._replace(due_at=NOW + DAY, deadline_on=date(2026, 11, 1))

    assert of_item("days_until_due", item) == 1.0
    assert of_item("days_until_deadline", item) == pytest.approx(-21.4, abs=0.1)


@pytest.mark.parametrize(
    ("item", "name", "told"),
    [
        (ITEM, "has_due", 0.0),
        (ITEM, "days_until_due", 30.0),
        (ITEM, "days_until_deadline", 30.0),
        (ITEM, "has_due_time", 0.0),
        (ITEM._replace(due_on=date(2026, 11, 23)), "has_due_time", 0.0),
        (ITEM._replace(due_at=NOW), "has_due_time", 1.0),
        (ITEM._replace(due_floating="2026-11-23T09:59:00"), "has_due_time", 1.0),
        (ITEM, "has_minutes", 0.0),
        (ITEM, "estimated_minutes", None),
        (ITEM._replace(minutes=15), "has_minutes", 1.0),
        (ITEM._replace(minutes=15), "estimated_minutes", 15),
        (ITEM._replace(postponed=3), "times_postponed", 3.0),
        (ITEM._replace(label_count=2), "label_count", 2.0),
        (ITEM._replace(label_bits=0b100), "label_bit_2", 1.0),
        (ITEM._replace(label_bits=0b100), "label_bit_1", 0.0),
        (ITEM, "minutes_since_read", 0.0),
        (ITEM._replace(source="ical"), "minutes_since_read", None),
    ],
)
def test_what_a_source_tells_of_an_item(item: OpenItem, name: str, told: float | None):
    assert of_item(name, item) == told


def column(name: str, item: OpenItem, moment: Moment) -> float:
    """Return a feature as a policy is given it."""
    columns = [feature.name for feature in CANDIDATE_FEATURES]
    return features.snapshot(moment, [item]).candidates[0, columns.index(name)]


@pytest.mark.parametrize(
    ("zone", "day", "last_hour"),
    [("Africa/Cairo", date(2026, 10, 29), "2026-10-29T20:30"), ("Asia/Beirut", date(2026, 10, 24), "2026-10-24T20:30")],
)
def test_a_day_on_which_clocks_go_back_before_midnight_is_over_with_its_second_last_hour(
    zone: str, day: date, last_hour: str
):
    item, there = ITEM._replace(due_on=day), ZoneInfo(zone)
    within = datetime.fromisoformat(last_hour).replace(tzinfo=UTC) + timedelta(hours=1)

    assert within.astimezone(there).date() == day
    assert of_item("is_overdue", item, at(within, there)) == 0.0
    assert of_item("is_overdue", item, at(within + timedelta(hours=1), there)) == 1.0


@pytest.mark.parametrize(("days", "told"), [(1, 1.0), (-2, -2.0), (90, 30.0), (-90, -30.0)])
def test_days_until_due_are_cut_at_thirty(days: int, told: float):
    assert column("days_until_due", ITEM._replace(due_at=NOW + days * DAY), at()) == told


@pytest.mark.parametrize(("age", "told"), [(7 * DAY, 7.0), (900 * DAY, 365.0), (-DAY, 0.0)])
def test_age_is_cut_at_a_year(age: timedelta, told: float):
    assert column("task_age_days", ITEM._replace(created_at=NOW - age), at()) == told


def test_the_context_is_the_persons_own_hour_and_day():
    moment = at(datetime(2026, 11, 22, 23, 30, tzinfo=UTC))  # half past midnight on Monday in Berlin

    assert (of_moment("hour_of_day", moment), of_moment("day_of_week", moment)) == (0.5, 0.0)


def meeting(start: int, end: int) -> Busy:
    """Return a meeting by its minutes from now."""
    return Busy(NOW + start * MINUTE, NOW + end * MINUTE)


@pytest.mark.parametrize(
    ("entries", "agenda"),
    [
        ([], Agenda(480, 0, 0, 0)),
        ([meeting(45, 60)], Agenda(45, 0, 1, 1)),
        ([meeting(-15, 30)], Agenda(0, 30, 1, 0)),
        ([meeting(-60, 0)], Agenda(480, 0, 1, 0)),
        ([meeting(0, 30)], Agenda(0, 30, 1, 0)),
        ([meeting(-15, 30), meeting(0, 90), meeting(90, 120), meeting(150, 180)], Agenda(0, 120, 4, 2)),
        ([meeting(-15, 60), meeting(10, 20)], Agenda(0, 60, 2, 1)),
        ([meeting(900, 960)], Agenda(480, 0, 0, 0)),  # tomorrow at one in the night
        ([meeting(-700, -610)], Agenda(480, 0, 0, 0)),  # over before midnight
        ([meeting(-1440, 2000)], Agenda(0, 480, 1, 0)),
    ],
)
def test_what_a_calendar_leaves_of_the_day(entries: list[Busy], agenda: Agenda):
    assert agenda_of(entries, NOW, BERLIN) == agenda


@given(NOWS.flatmap(lambda now: st.tuples(st.just(now), calendars(now))), ZONES)
def test_one_is_free_or_busy_until_the_calendar_says_otherwise(drawn: tuple[datetime, list[Busy]], zone: ZoneInfo):
    now, entries = drawn
    agenda = agenda_of(entries, now, zone)

    def is_busy(minute: float) -> bool:
        return any(each.starts_at <= now + minute * MINUTE < each.ends_at for each in entries)

    assert (agenda.free_minutes == 0) == is_busy(0)
    assert not any(is_busy(minute + 0.5) for minute in range(int(agenda.free_minutes)))
    assert all(is_busy(minute) for minute in range(int(agenda.busy_minutes)))
    assert agenda.busy_minutes == 480 or not is_busy(agenda.busy_minutes)
    assert agenda.meetings_left <= agenda.meetings <= len(entries)


@given(NOWS, ZONES)
def test_a_day_holds_its_moments_and_borders_on_the_next(now: datetime, zone: ZoneInfo):
    begins, ends = day_of(now, zone)

    assert begins <= now < ends
    assert day_of(ends, zone)[0] == ends
    assert timedelta(hours=22) < ends - begins < timedelta(hours=26)
    assert begins.astimezone(zone).date() == now.astimezone(zone).date()


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 29, 23), (10, 25, 25), (11, 23, 24)])
def test_a_day_is_as_long_as_the_clocks_make_it(month: int, day: int, hours: int):
    begins, ends = day_of(datetime(2026, month, day, 12, tzinfo=UTC), BERLIN)

    assert ends - begins == hours * HOUR


def test_minutes_pass_as_they_are_not_as_clocks_show_them():
    before_the_jump = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # half past one in Berlin; two o'clock is three o'clock
    at_half_past_three = Busy(datetime(2026, 3, 29, 1, 30, tzinfo=UTC), datetime(2026, 3, 29, 2, 30, tzinfo=UTC))

    assert agenda_of([at_half_past_three], before_the_jump, BERLIN).free_minutes == 60


@pytest.mark.parametrize(
    ("minutes", "free", "told"), [(30, 45, 1.0), (45, 45, 1.0), (46, 45, 0.0), (5, 0, 0.0), (None, 45, None)]
)
def test_a_task_fits_before_the_next_meeting(minutes: int | None, free: int, told: float | None):
    moment = at(agenda=Agenda(free, 0, 1, 1))

    assert of_item("fits_gap", ITEM._replace(minutes=minutes), moment) == told


def test_whether_a_task_fits_cannot_be_known_without_a_calendar():
    assert of_item("fits_gap", ITEM._replace(minutes=5), at()) is None
    assert column("fits_gap", ITEM._replace(minutes=5), at()) == 1.0


def test_habits_are_multiples_of_an_even_share():
    mondays_at_ten = counted([NOW - weeks * 7 * DAY for weeks in range(1, 5)], BERLIN)
    habits = Habits(mondays_at_ten, 4)

    assert of_moment("done_this_hour", at(habits=habits)) == pytest.approx(5 * 24 / 28)
    assert of_moment("done_this_hour", at(NOW + HOUR, habits=habits)) == pytest.approx(24 / 28)
    assert of_moment("done_this_hour", at(NOW + DAY, habits=habits)) == pytest.approx(5 * 24 / 28)
    assert of_moment("done_this_hour_and_weekday", at(habits=habits)) == pytest.approx(5 * 168 / 172)
    assert of_moment("done_this_hour_and_weekday", at(NOW + DAY, habits=habits)) == pytest.approx(168 / 172)


def test_habits_keep_to_the_persons_clock_when_it_changes():
    in_winter, in_summer = NOW - 4 * 7 * DAY, NOW - 5 * 7 * DAY - HOUR  # both a Monday at ten in Berlin
    counts = counted([in_winter, in_summer], BERLIN)

    assert counts[10] == 2


@given(COUNTS)
def test_habits_of_a_whole_week_are_one_on_average(counts: list[int]):
    habits = Habits(counts, sum(counts))
    told = [of_moment("done_this_hour_and_weekday", at(NOW + hour * HOUR, habits=habits)) for hour in range(WEEK_HOURS)]

    assert sum(value or 0 for value in told) / WEEK_HOURS == pytest.approx(1)


@given(st.lists(NOWS, max_size=40), ZONES)
def test_every_moment_counts_once_wherever_one_lives(times: list[datetime], zone: ZoneInfo):
    counts = counted(times, zone)

    assert sum(counts) == len(times)
    for moment in times:
        local = moment.astimezone(zone)
        assert counts[local.weekday() * 24 + local.hour] > 0


def test_the_dose_is_what_was_told_lately():
    moment = at(dose=Dose(tips_today=3, last_at=NOW - 20 * MINUTE, refusals=2))

    names = ("tips_today", "minutes_since_tip", "refusals_in_a_row")
    assert [of_moment(name, moment) for name in names] == [3.0, 20.0, 2.0]
    assert of_moment("minutes_since_tip", at()) == 1440


def test_the_stalest_source_is_told_once_all_are_known():
    read = {"todoist": NOW, "ical": NOW - 50 * MINUTE}

    assert of_moment("stalest_source_minutes", at(read_at=read)) == 50
    assert of_moment("stalest_source_minutes", at(read_at=read | {"ical": None})) is None
    assert of_moment("stalest_source_minutes", at(read_at={})) is None


@given(items=st.lists(ITEMS, max_size=8), moment=moments())
def test_a_snapshot_is_finite_and_within_bounds_whatever_is_known(items: list[OpenItem], moment: Moment):
    seen = features.snapshot(moment, items)

    assert seen.context.shape == (len(CONTEXT_FEATURES),)
    assert seen.candidates.shape == (len(items), len(CANDIDATE_FEATURES))
    for values, columns in ((seen.context[None], CONTEXT_FEATURES), (seen.candidates, CANDIDATE_FEATURES)):
        assert np.isfinite(values).all()
        assert (values >= [feature.low for feature in columns]).all()
        assert (values <= [feature.high for feature in columns]).all()
        flags = [place for place, feature in enumerate(columns) if feature.type == "flag"]
        assert np.isin(values[:, flags], (0, 1)).all()


@given(items=st.lists(ITEMS, max_size=4), moment=moments())
def test_what_cannot_be_known_is_the_default_and_counted(items: list[OpenItem], moment: Moment):
    seen = features.snapshot(moment, items)

    for place, feature in enumerate(CONTEXT_FEATURES):
        is_missing = feature.compute(moment) is None
        assert seen.missing.get(feature.name, 0) == is_missing
        if is_missing:
            assert seen.context[place] == feature.default
    assert seen.missing.get("estimated_minutes", 0) == sum(item.minutes is None for item in items)


def test_a_snapshot_cannot_be_changed_by_who_reads_it():
    seen = features.snapshot(at(), [ITEM])

    for array in (seen.context, seen.candidates):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_every_feature_says_what_it_is():
    names = [feature.name for feature in FEATURES]

    assert len(set(names)) == len(names)
    for feature in FEATURES:
        assert feature.name.isidentifier()
        assert feature.meaning
        assert not feature.meaning.endswith(".")
        assert feature.low <= feature.default <= feature.high
        assert feature.version >= 1
        assert feature.type != "flag" or (feature.low, feature.high) == (0, 1)


def test_features_are_as_fresh_as_their_sources_promise():
    settings = Settings.model_construct()
    promised = {feature.name: feature.late_after(settings) for feature in FEATURES}

    assert promised["priority"] == 20 * MINUTE  # Todoist is read every ten minutes
    assert promised["free_minutes"] == HOUR  # a calendar feed every half hour
    assert promised["done_this_hour"] == 20 * MINUTE
    assert promised["hour_of_day"] is None
    assert promised["tips_today"] is None


def test_what_is_read_often_is_late_after_a_quarter_of_an_hour_all_the_same():
    every_minute = Settings.model_construct(todoist_sync_interval_ms=60_000)
    todoist = next(source for source in SOURCES if source.name == "todoist")

    assert todoist.late_after(every_minute) == 15 * MINUTE


def test_the_columns_are_those_of_the_schema_version():
    """A change here is a new SCHEMA: stored decisions are read by it."""
    assert features.SCHEMA == "2"
    assert [feature.name for feature in CANDIDATE_FEATURES] == [
        "is_overdue",
        "has_due",
        "days_until_due",
        "task_age_days",
        "priority",
        "is_recurring",
        "has_due_time",
        "days_until_deadline",
        "has_minutes",
        "estimated_minutes",
        "fits_gap",
        "times_postponed",
        "label_count",
        *(f"label_bit_{number}" for number in range(8)),
        "minutes_since_read",
    ]
    assert [feature.name for feature in CONTEXT_FEATURES] == [
        "hour_of_day",
        "day_of_week",
        "open_items",
        "has_calendar",
        "free_minutes",
        "busy_minutes",
        "meetings_today",
        "meetings_left_today",
        "done_this_hour",
        "done_this_hour_and_weekday",
        "completions",
        "tips_today",
        "minutes_since_tip",
        "refusals_in_a_row",
        "stalest_source_minutes",
    ]
    assert [feature.version for feature in FEATURES] == [1] * len(FEATURES)


def test_the_page_lists_the_registry():
    assert PAGE.read_text() == page(), "python -m scripts.features_page"
