"""What a task says in iCalendar, and how it is marked as done in its own text."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oo_app.sources import Completion, Due, Item
from oo_app.sources.rfc5545 import ODD, content_lines
from oo_app.sources.vtodo import done_since, item, occurrence_of, past, read
from oo_app.sources.vtodo_done import completed
from tests.radicale import a_part, a_todo, whole

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
COMMAND = "0193-command"
TODAY = date(2026, 11, 23)
BERLIN = "TZID=Europe/Berlin"


def told(text: str) -> Item:
    resource = read(text)
    assert resource is not None
    return item(resource, "/t.ics", is_completable=True)


def told_by(*lines: str) -> Item:
    return told(a_todo(*lines))


def done(text: str, command_id: str = COMMAND) -> str:
    changed = completed(text, command_id, NOW)
    assert changed is not None
    return changed


@pytest.mark.parametrize(
    ("lines", "due"),
    [
        (["DUE;VALUE=DATE:20261125"], Due(on=date(2026, 11, 25))),
        (["DUE:20261125T100000Z"], Due(at=datetime(2026, 11, 25, 10, tzinfo=UTC))),
        ([f"DUE;{BERLIN}:20261125T100000"], Due(at=datetime(2026, 11, 25, 9, tzinfo=UTC))),
        (["DUE:20261125T100000"], Due(floating=datetime.fromisoformat("2026-11-25T10:00"))),
        (["DTSTART:20261125T100000Z", "DURATION:PT1H"], Due(at=datetime(2026, 11, 25, 11, tzinfo=UTC))),
        (["DTSTART:20261125T100000Z"], Due()),
        (["DUE:99991231T235959Z"], Due()),
        (["DUE:soon"], Due()),
        ([], Due()),
    ],
)
def test_a_task_says_in_many_ways_when_it_is_due(lines: list[str], due: Due):
    assert told_by(*lines, "SUMMARY:Call").due == due


@pytest.mark.parametrize(
    ("priority", "ours"),
    [("0", 1), ("1", 4), ("2", 3), ("4", 3), ("5", 2), ("6", 1), ("9", 1), ("10", 1), ("high", 1), ("-1", 1)],
)
def test_one_is_the_highest_priority_there_and_four_here(priority: str, ours: int):
    assert told_by(f"PRIORITY:{priority}").priority == ours


@pytest.mark.parametrize(
    ("lines", "is_open", "completed_at"),
    [
        (["STATUS:NEEDS-ACTION"], True, None),
        (["STATUS:IN-PROCESS", "PERCENT-COMPLETE:99"], True, None),
        (["STATUS:COMPLETED", "COMPLETED:20261120T080000Z"], False, datetime(2026, 11, 20, 8, tzinfo=UTC)),
        (["COMPLETED:20261120T080000Z"], False, datetime(2026, 11, 20, 8, tzinfo=UTC)),
        (["status:completed", "LAST-MODIFIED:20261121T080000Z"], False, datetime(2026, 11, 21, 8, tzinfo=UTC)),
        (["STATUS:COMPLETED"], False, datetime(2026, 11, 1, tzinfo=UTC)),
        (["STATUS:CANCELLED", "COMPLETED:20261120T080000Z"], False, None),
    ],
)
def test_a_task_says_whether_it_is_done(lines: list[str], *, is_open: bool, completed_at: datetime | None):
    found = told_by(*lines)

    assert (found.is_open, found.completed_at) == (is_open, completed_at)


@pytest.mark.parametrize(
    ("line", "minutes"),
    [
        ("ESTIMATED-DURATION:PT1H30M", 90),
        ("DURATION:PT20M", 20),
        ("DURATION:P3D", None),
        ("ESTIMATED-DURATION:a while", None),
        ("DURATION:-PT5M", None),
    ],
)
def test_a_task_says_how_long_it_takes(line: str, minutes: int | None):
    assert told_by("DTSTART:20261125T100000Z", line).minutes == minutes


def test_words_may_be_long_many_and_folded():
    found = told_by(
        "SUMMARY:Buy \\, then c",
        " ook",
        "CATEGORIES:a,b",
        "CATEGORIES:" + ",".join(f"l{number}" for number in range(60)),
        "DESCRIPTION:" + "x" * 600,
        "URL:javascript:alert(1)",
    )

    assert (found.content, found.labels[:3], len(found.labels), len(found.detail), found.url) == (
        "Buy , then cook",
        ("a", "b", "l0"),
        50,
        500,
        None,
    )


@pytest.mark.parametrize(
    "text", ["", "<html>", "BEGIN:VCALENDAR", whole(""), whole(a_part().replace("VTODO", "VEVENT"))]
)
def test_what_holds_no_task_is_none(text: str):
    assert read(text) is None


@pytest.mark.parametrize(
    "rule", ["FREQ=SECONDLY", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;BYSECOND=1,2,3;BYMINUTE=1,2,3,4,5,6,7,8,9"]
)
def test_a_hostile_rule_is_not_followed_and_its_task_left_to_its_program(rule: str):
    found = told_by("DUE;VALUE=DATE:20261125", f"RRULE:{rule}")

    assert (found.is_recurring, found.is_completable, found.due) == (False, False, Due(on=date(2026, 11, 25)))


@pytest.mark.parametrize(
    "rule", ["FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;COUNT=1", "FREQ=DAILY;UNTIL=19990101"]
)
def test_a_rule_without_an_end_in_sight_ends(rule: str):
    text = done(a_todo("DTSTART;VALUE=DATE:20261123", f"RRULE:{rule}"))

    assert "STATUS:COMPLETED" in text


@pytest.mark.parametrize(
    ("lines", "moved"),
    [
        (
            ["DTSTART;VALUE=DATE:20261123", "DUE;VALUE=DATE:20261124", "RRULE:FREQ=DAILY;INTERVAL=2"],
            ["DTSTART;VALUE=DATE:20261125", "DUE;VALUE=DATE:20261126", "RRULE:FREQ=DAILY;INTERVAL=2"],
        ),
        (["DUE:20261123T100000Z", "RRULE:FREQ=WEEKLY;COUNT=5"], ["DUE:20261130T100000Z", "RRULE:FREQ=WEEKLY;COUNT=4"]),
        (["DUE:20261123T100000", "RRULE:FREQ=MONTHLY"], ["DUE:20261223T100000", "RRULE:FREQ=MONTHLY"]),
        (  # over the change of the clocks the time of day stays
            ['DUE;X-A="x:y";TZID=Europe/Berlin:20261023T100000', "RRULE:FREQ=WEEKLY"],
            ['DUE;X-A="x:y";TZID=Europe/Berlin:20261030T100000', "RRULE:FREQ=WEEKLY"],
        ),
    ],
)
def test_a_task_that_repeats_goes_on_in_the_form_it_has(lines: list[str], moved: list[str]):
    text = a_todo(*lines, "STATUS:IN-PROCESS", "SUMMARY:Water")

    changed = done(text)

    assert set(text.splitlines()) - set(changed.splitlines()) == {*lines, "STATUS:IN-PROCESS"} - set(moved)
    assert set(changed.splitlines()) - set(text.splitlines()) == {*moved} - set(lines) | {
        "STATUS:NEEDS-ACTION",
        "LAST-MODIFIED:20261123T090000Z",
        f"X-OO-COMMAND:{COMMAND}",
    }
    assert completed(changed, COMMAND, NOW) is None


SERIES = (f"DTSTART;{BERLIN}:20261123T100000", f"DUE;{BERLIN}:20261123T110000", "RRULE:FREQ=DAILY", "SUMMARY:Stretch")
FIRST_DONE = a_part(
    f"RECURRENCE-ID;{BERLIN}:20261123T100000",
    *SERIES[:2],
    "SUMMARY:Stretch",
    "STATUS:COMPLETED",
    "COMPLETED:20261123T083000Z",
)


def test_of_a_series_with_changed_occurrences_the_first_that_is_open_counts():
    text = whole(a_part(*SERIES) + FIRST_DONE)

    found = told(text)

    assert (found.is_open, found.due) == (True, Due(at=datetime(2026, 11, 24, 10, tzinfo=UTC)))


def test_of_a_series_with_changed_occurrences_the_current_one_is_marked_beside_it():
    text = whole(a_part(*SERIES) + FIRST_DONE)

    changed = done(text)

    assert all(line in changed.splitlines() for line in text.splitlines())
    assert f"RECURRENCE-ID;{BERLIN}:20261124T100000" in changed
    assert told(changed).due == Due(at=datetime(2026, 11, 25, 10, tzinfo=UTC))
    assert completed(changed, COMMAND, NOW) is None
    assert told(done(changed, "another")).due == Due(at=datetime(2026, 11, 26, 10, tzinfo=UTC))


def test_an_occurrence_that_was_moved_is_marked_where_it_is_written_down():
    moved = a_part(f"RECURRENCE-ID;{BERLIN}:20261124T100000", f"DUE;{BERLIN}:20261124T150000", "SUMMARY:Later")
    text = whole(a_part(*SERIES) + FIRST_DONE + moved)
    assert (told(text).content, told(text).due) == ("Later", Due(at=datetime(2026, 11, 24, 14, tzinfo=UTC)))

    changed = done(text)

    assert changed.count("BEGIN:VTODO") == 3
    assert told(changed).due == Due(at=datetime(2026, 11, 25, 10, tzinfo=UTC))


def test_a_series_whose_last_occurrence_is_done_is_done():
    text = whole(a_part(*SERIES).replace("FREQ=DAILY", "FREQ=DAILY;COUNT=2") + FIRST_DONE)

    changed = done(text)

    assert (told(changed).is_open, told(changed).completed_at) == (False, NOW)
    assert completed(changed, "another", NOW) is None


def test_what_was_done_beside_a_series_is_told_from_where_it_stood():
    before = read(whole(a_part(*SERIES)))
    after = read(whole(a_part(*SERIES) + FIRST_DONE))
    later = read(done(whole(a_part(*SERIES) + FIRST_DONE)))
    assert before
    assert after
    assert later

    at = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    first = Completion("t", at, "2026-11-23T10:00:00+00:00")
    assert done_since(after, "t", occurrence_of(before), NOW) == [first]
    assert [each.at for each in done_since(later, "t", occurrence_of(after), NOW)] == [NOW]
    assert done_since(after, "t", occurrence_of(after), NOW) == []
    assert [each.at for each in past(later, "t")] == [NOW, at]


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_lines_keep_their_ends_and_their_folds(end: str):
    text = a_todo("SUMMARY:fol", " ded", "BEGIN:VALARM", "STATUS:mine", "END:VALARM").replace("\r\n", end)

    changed = done(text)

    assert changed.replace("\r\n", "").count("\n") == (0 if end == "\r\n" else changed.count("\n"))
    assert f"SUMMARY:fol{end} ded{end}BEGIN:VALARM{end}STATUS:mine{end}END:VALARM{end}" in changed
    assert "".join(content_lines(text)) == text


@pytest.mark.parametrize("text", ["", "<html>", whole(""), whole(a_part().replace("VTODO", "VEVENT"))])
def test_what_is_no_task_cannot_be_completed(text: str):
    with pytest.raises(ODD):
        completed(text, COMMAND, NOW)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60), max_size=6))
def test_no_rubbish_breaks_reading_or_completing(rubbish: list[str]):
    text = a_todo(*rubbish)
    resource = read(text)
    if resource is not None:
        item(resource, "t", is_completable=True)
    with suppress(*ODD):
        completed(text, COMMAND, NOW)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["DAILY", "WEEKLY"]), st.integers(1, 5), st.integers(1, 8), st.integers(0, 500))
def test_completing_all_the_way_ends_after_as_many_as_there_are(freq: str, interval: int, times: int, days: int):
    start = TODAY + timedelta(days=days)
    text = a_todo(f"DUE;VALUE=DATE:{start:%Y%m%d}", f"RRULE:FREQ={freq};INTERVAL={interval};COUNT={times}")
    step = timedelta(days=interval * (7 if freq == "WEEKLY" else 1))

    dues: list[date | None] = []
    while (found := told(text)).is_open:
        dues.append(found.due.on)
        text = done(text, f"command-{len(dues)}")

    assert dues == [start + step * number for number in range(times)]
