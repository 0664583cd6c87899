"""How long an item sleeps: the table of PRODUCT section 5, on the person's own wall clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_app.tips.sleep import snoozed_until

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Casablanca",
    ]
).map(ZoneInfo)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis wants naive bounds


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("snooze", "said", "wakes"),
    [
        ("later_today", "2026-11-23T10:00", "2026-11-23T14:00"),
        ("later_today", "2026-11-23T17:59:59", "2026-11-23T21:59:59"),
        ("later_today", "2026-11-23T18:00", "2026-11-24T09:00"),
        ("later_today", "2026-11-23T23:59", "2026-11-24T09:00"),
        ("later_today", "2026-11-24T00:30", "2026-11-24T04:30"),
        ("tomorrow", "2026-11-23T10:00", "2026-11-24T09:00"),
        ("tomorrow", "2026-11-23T00:01", "2026-11-24T09:00"),
        ("tomorrow", "2026-12-31T23:00", "2027-01-01T09:00"),
        ("not_this_week", "2026-11-23T00:00", "2026-11-30T09:00"),
        ("not_this_week", "2026-11-23T10:00", "2026-11-30T09:00"),
        ("not_this_week", "2026-11-25T10:00", "2026-11-30T09:00"),
        ("not_this_week", "2026-11-29T23:59", "2026-11-30T09:00"),
        ("too_big", "2026-11-23T10:00", "2026-11-24T10:00"),
    ],
)
def test_a_snooze_wakes_as_the_table_says(snooze: str, said: str, wakes: str):
    assert snoozed_until(snooze, berlin(said), BERLIN) == berlin(wakes)


def test_not_for_me_does_not_wake_by_itself():
    assert snoozed_until("not_for_me", berlin("2026-11-23T10:00"), BERLIN) is None


@pytest.mark.parametrize(
    ("snooze", "said", "wakes"),
    [
        # The clocks go forward at 02:00 on 29 March 2026 and back at 03:00 on 25 October 2026.
        ("later_today", "2026-03-29T00:30", "2026-03-29T05:30"),
        ("later_today", "2026-10-25T00:30", "2026-10-25T03:30"),
        ("later_today", "2026-03-28T19:00", "2026-03-29T09:00"),
        ("tomorrow", "2026-03-28T10:00", "2026-03-29T09:00"),
        ("tomorrow", "2026-10-24T10:00", "2026-10-25T09:00"),
        ("not_this_week", "2026-03-25T10:00", "2026-03-30T09:00"),
        ("not_this_week", "2026-10-19T08:00", "2026-10-26T09:00"),
        ("too_big", "2026-03-28T10:00", "2026-03-29T11:00"),
        ("too_big", "2026-10-24T10:00", "2026-10-25T09:00"),
    ],
)
def test_hours_are_real_and_mornings_are_on_the_wall_when_clocks_change(snooze: str, said: str, wakes: str):
    assert snoozed_until(snooze, berlin(said), BERLIN) == berlin(wakes)


def test_the_evening_is_the_persons_own():
    at = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)

    assert snoozed_until("later_today", at, ZoneInfo("UTC")) == at + timedelta(hours=4)
    assert snoozed_until("later_today", at, BERLIN) == berlin("2026-11-24T09:00")


@given(at=MOMENTS, zone=ZONES)
def test_later_today_is_four_hours_or_the_next_morning(at: datetime, zone: ZoneInfo):
    wakes = snoozed_until("later_today", at, zone)

    assert wakes is not None
    if at.astimezone(zone).hour < 18:
        assert wakes - at == timedelta(hours=4)
    else:
        assert (wakes.astimezone(zone).hour, wakes.astimezone(zone).minute) == (9, 0)
        assert wakes.astimezone(zone).date() == at.astimezone(zone).date() + timedelta(days=1)


@given(at=MOMENTS, zone=ZONES)
def test_not_this_week_is_the_first_monday_morning_after_today(at: datetime, zone: ZoneInfo):
    wakes = snoozed_until("not_this_week", at, zone)

    assert wakes is not None
    local = wakes.astimezone(zone)
    assert (local.weekday(), local.hour, local.minute) == (0, 9, 0)
    assert 1 <= (local.date() - at.astimezone(zone).date()).days <= 7


@given(at=MOMENTS, zone=ZONES, snooze=st.sampled_from(["later_today", "tomorrow", "not_this_week", "too_big"]))
def test_every_snooze_wakes_later_than_it_was_said(at: datetime, zone: ZoneInfo, snooze: str):
    wakes = snoozed_until(snooze, at, zone)

    assert wakes is not None
    assert wakes > at
    assert wakes.utcoffset() == timedelta(0)
