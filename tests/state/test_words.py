from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from state.words import ago, due_in_words

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=3, seconds=50), "3 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
    ],
)
def test_ago(passed: timedelta, words: str) -> None:
    assert ago(NOW - passed, NOW) == words


@pytest.mark.parametrize(
    ("due", "words"),
    [
        (None, ""),
        ("2026-11-23", "Due today"),
        ("2026-11-24", "Due tomorrow"),
        ("2026-11-22", "Was due yesterday"),
        ("2026-11-27", "Due Friday"),
        ("2026-11-30", "Due 30 November"),
        ("2027-01-02", "Due 2 January 2027"),
        ("2026-11-23T23:30:00+09:00", "Due today at 23:30"),
        ("2026-11-23T16:00:00+00:00", "Due tomorrow at 01:00"),
        ("2026-11-23T08:00:00+00:00", "Was due today at 17:00"),
    ],
)
def test_due_is_told_from_where_the_person_is(due: str | None, words: str) -> None:
    assert due_in_words(due, NOW, TOKYO) == words
