from datetime import date, time

import pytest

from oo_app.sandbox.todoist_due import Due, parse_phrase

MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("phrase", "due", "following"),
    [
        ("every day", "2026-11-23", "2026-11-24"),
        ("every day", "2026-11-20", "2026-11-24"),
        ("every day", "2026-11-25", "2026-11-26"),
        ("every 3 days", "2026-11-22", "2026-11-25"),
        ("every! 3 days", "2026-11-22", "2026-11-26"),
        ("every! 3 days", "2026-11-25", "2026-11-26"),
        ("every weekday at 09:30", "2026-11-27", "2026-11-30"),
        ("every tue, thu, sun at 18:30", "2026-11-23", "2026-11-24"),
        ("every other week", "2026-11-20", "2026-12-04"),
        ("every month", "2026-10-31", "2026-11-30"),
        ("every 1st", "2026-11-01", "2026-12-01"),
        ("every 31st", "2026-11-30", "2026-12-31"),
        ("every year", "2024-02-29", "2027-02-28"),
        ("every friday", "2026-11-20", "2026-11-27"),
    ],
)
def test_a_recurring_date_moves_on(phrase: str, due: str, following: str):
    moved = Due(date.fromisoformat(due), time(9, 30), string=phrase, is_recurring=True).next_after(MONDAY)

    assert moved == Due(date.fromisoformat(following), time(9, 30), string=phrase, is_recurring=True)


@pytest.mark.parametrize(
    ("phrase", "on", "at"),
    [
        ("today", "2026-11-23", None),
        ("Tomorrow at 9", "2026-11-24", time(9)),
        ("at 5pm", "2026-11-23", time(17)),
        ("today at 12am", "2026-11-23", time(0)),
        ("monday", "2026-11-30", None),
        ("next week", "2026-11-30", None),
        ("in 10 days", "2026-12-03", None),
        ("2026-12-24 at 18:15", "2026-12-24", time(18, 15)),
        ("every sunday at 17:00", "2026-11-29", time(17)),
    ],
)
def test_a_phrase_names_a_day(phrase: str, on: str, at: time | None):
    due = parse_phrase(phrase, MONDAY)

    assert due is not None
    assert (due.on.isoformat(), due.at) == (on, at)


def test_no_date_is_none():
    assert parse_phrase("no date", MONDAY) is None


@pytest.mark.parametrize(
    "phrase",
    [
        "when pigs fly",
        "today at 25",
        "every blue moon",
        "every",
        "every 32nd",
        "every 0th",
        "every 90 years",
        "sunshine",
    ],
)
def test_an_unknown_phrase_is_refused(phrase: str):
    with pytest.raises(ValueError, match="does not know"):
        parse_phrase(phrase, MONDAY)


def test_a_fixed_time_is_written_in_utc_and_a_floating_one_without_zone():
    fixed = Due(date(2026, 7, 1), time(9), "Europe/Berlin")
    floating = Due(date(2026, 7, 1), time(9))

    assert fixed.date_text() == "2026-07-01T07:00:00Z"
    assert floating.date_text() == "2026-07-01T09:00:00"
