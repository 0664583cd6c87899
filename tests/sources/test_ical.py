"""The calendar feed: what files say of when, and what they may not do to us."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_app.kit.addresses import Addresses, Ip
from oo_app.kit.clock import FakeClock
from oo_app.kit.config import Settings
from oo_app.kit.errors import Invalid, SourceDown
from oo_app.kit.http import Http
from oo_app.sources import Door, Event, Login, TokenRefused
from oo_app.sources.ical import MOST_OCCURRENCES, SOURCE, read
from tests.conftest import streamed

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
URL = "https://calendar.example/secret/basic.ics"


def a_calendar(*entries: str, head: str = "") -> bytes:
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//", *([head] if head else []), *entries, "END:VCALENDAR", ""]
    ).encode()


def an_entry(*lines: str, uid: str = "u1", kind: str = "VEVENT") -> str:
    return "\r\n".join([f"BEGIN:{kind}", f"UID:{uid}", "DTSTAMP:20261101T000000Z", *lines, f"END:{kind}"])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def only(*lines: str, head: str = "") -> Event:
    (event,) = read(a_calendar(an_entry(*lines), head=head), NOW, BERLIN)
    return event


def times(events: Sequence[Event]) -> list[tuple[datetime | None, datetime | None]]:
    return [(event.starts_at, event.ends_at) for event in events]


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        (["DTSTART:20261124T090000Z", "DTEND:20261124T100000Z"], "2026-11-24T09:00Z", "2026-11-24T10:00Z"),
        (["DTSTART:20261124T090000Z", "DURATION:PT90M"], "2026-11-24T09:00Z", "2026-11-24T10:30Z"),
        (["DTSTART:20261124T090000Z"], "2026-11-24T09:00Z", "2026-11-24T09:00Z"),
        (["DTSTART:20261124T090000Z", "DTEND:20261124T080000Z"], "2026-11-24T09:00Z", "2026-11-24T09:00Z"),
        (["DTSTART:20261124T090000", "DTEND:20261124T100000"], "2026-11-24T09:00+01:00", "2026-11-24T10:00+01:00"),
        (["DTSTART;TZID=America/New_York:20261124T090000"], "2026-11-24T14:00Z", "2026-11-24T14:00Z"),
        (["DTSTART;VALUE=DATE:20261124"], "2026-11-24T00:00+01:00", "2026-11-25T00:00+01:00"),
        (
            ["DTSTART;VALUE=DATE:20261124", "DTEND;VALUE=DATE:20261127"],
            "2026-11-24T00:00+01:00",
            "2026-11-27T00:00+01:00",
        ),
    ],
)
def test_entries_say_when_in_many_ways(lines: list[str], start: str, end: str):
    event = only(*lines)

    assert (event.starts_at, event.ends_at) == (at(start), at(end))
    assert event.is_all_day is ("VALUE=DATE" in lines[0])


@pytest.mark.parametrize(
    ("lines", "is_busy"),
    [
        ([], True),
        (["TRANSP:OPAQUE"], True),
        (["TRANSP:TRANSPARENT"], False),
        (["X-MICROSOFT-CDO-BUSYSTATUS:FREE"], False),
        (["X-MICROSOFT-CDO-BUSYSTATUS:OOF"], True),
    ],
)
def test_an_entry_says_whether_it_keeps_somebody_busy(lines: list[str], *, is_busy: bool):
    assert only("DTSTART:20261124T090000Z", *lines).is_busy is is_busy


def test_what_was_called_off_is_none():
    assert read(a_calendar(an_entry("DTSTART:20261124T090000Z", "STATUS:CANCELLED")), NOW, BERLIN) == []


def test_floating_times_are_the_files_own_where_it_names_a_zone():
    event = only("DTSTART:20261124T090000", head="X-WR-TIMEZONE:Asia/Tokyo")

    assert event.starts_at == at("2026-11-24T09:00+09:00")


def test_a_series_is_expanded_over_the_change_of_the_clocks_with_its_exceptions():
    zone = "DTSTART;TZID=Europe/Berlin:20261019T090000"
    series = an_entry(
        zone,
        "DTEND;TZID=Europe/Berlin:20261019T100000",
        "RRULE:FREQ=WEEKLY;COUNT=10",
        "EXDATE;TZID=Europe/Berlin:20261130T090000",
        "SUMMARY:Weekly",
    )
    moved = an_entry(
        "RECURRENCE-ID;TZID=Europe/Berlin:20261207T090000",
        "DTSTART;TZID=Europe/Berlin:20261208T110000",
        "DTEND;TZID=Europe/Berlin:20261208T120000",
        "SUMMARY:Moved",
    )

    events = read(a_calendar(series, moved), NOW, BERLIN)

    assert [(event.starts_at, event.title) for event in events] == [
        (at("2026-11-23T09:00+01:00"), "Weekly"),
        (at("2026-12-08T11:00+01:00"), "Moved"),
        (at("2026-12-14T09:00+01:00"), "Weekly"),
        (at("2026-12-21T09:00+01:00"), "Weekly"),
    ]


def test_an_occurrence_keeps_its_name_when_the_file_is_read_again_later():
    body = a_calendar(an_entry("DTSTART:20261101T090000Z", "RRULE:FREQ=DAILY"))

    first, second = (read(body, NOW + timedelta(days=days), BERLIN) for days in (0, 1))

    assert {event.external_id for event in first[1:]} <= {event.external_id for event in second}


def test_the_window_is_from_yesterday_to_two_months_ahead():
    events = read(a_calendar(an_entry("DTSTART:20200101T120000Z", "RRULE:FREQ=DAILY")), NOW, BERLIN)

    assert (len(events), events[0].starts_at) == (61, at("2026-11-22T12:00Z"))


def test_at_most_five_thousand_occurrences_are_kept_the_earliest():
    body = a_calendar(
        *(an_entry(f"DTSTART:202611{24 + n % 6}T090000Z", uid=f"u{n}") for n in range(MOST_OCCURRENCES + 10))
    )

    events = read(body, NOW, BERLIN)

    assert len(events) == MOST_OCCURRENCES
    assert events[0].starts_at == at("2026-11-24T09:00Z")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;COUNT=1000000000",
        "FREQ=HOURLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;BYHOUR=1,2,3,4,5,6;BYMINUTE=1,2,3,4,5,6",
        "FREQ=DAILY;BYSECOND=" + ",".join(str(second) for second in range(60)),
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYYEARDAY=366;BYMONTH=1",
        "FREQ=WEEKLY;BYSETPOS=300",
        "FREQ=NEVER",
        "COUNT=x",
    ],
)
def test_a_hostile_rule_costs_nothing_but_itself(rule: str):
    body = a_calendar(
        an_entry("DTSTART:19000101T000000Z", f"RRULE:{rule}", uid="bad"),
        an_entry("DTSTART:20261124T090000Z", uid="good"),
    )

    assert times(read(body, NOW, BERLIN)) == [(at("2026-11-24T09:00Z"), at("2026-11-24T09:00Z"))]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "FREQ=DAILY;BYHOUR=1,2,3,4,5,6",
        "FREQ=MONTHLY;BYMONTHDAY=1,2,3,4,5,6,7,8,9,10,11,12;BYHOUR=1,2,3,4",
    ],
)
def test_a_rule_without_a_beginning_in_sight_costs_nothing_but_itself(rule: str):
    body = a_calendar(
        an_entry("DTSTART:00010101T000000Z", f"RRULE:{rule}", uid="bad"),
        an_entry("DTSTART:20261124T090000Z", uid="good"),
    )

    assert times(read(body, NOW, BERLIN)) == [(at("2026-11-24T09:00Z"), at("2026-11-24T09:00Z"))]


@pytest.mark.parametrize(
    ("start", "rule"),
    [("16041124T090000Z", "FREQ=YEARLY"), ("19001124T090000Z", "FREQ=DAILY"), ("19001124T090000Z", "FREQ=MONTHLY")],
)
def test_what_has_been_going_on_for_long_goes_on(start: str, rule: str):
    events = read(a_calendar(an_entry(f"DTSTART:{start}", f"RRULE:{rule}")), NOW, BERLIN)

    assert (at("2026-11-24T09:00Z"), at("2026-11-24T09:00Z")) in times(events)


@pytest.mark.parametrize("kind", ["VTODO", "VTIMEZONE", "VALARM"])
@pytest.mark.parametrize("end", [[], ["END"]], ids=["none ends", "one ends"])
def test_a_file_of_beginnings_is_read_within_the_time_of_a_test(kind: str, end: list[str]):
    beginnings = "\r\n".join([f"BEGIN:{kind}"] * 60_000 + [f"{word}:{kind}" for word in end])

    with suppress(SourceDown):
        assert read(a_calendar(beginnings), NOW, BERLIN) == []


def test_a_file_of_too_many_lines_is_no_calendar():
    with pytest.raises(SourceDown):
        read(a_calendar("\r\n".join(["X-A:1"] * 300_000)), NOW, BERLIN)


@pytest.mark.parametrize(
    "line",
    [
        "DTSTART:nonsense",
        "DTSTART;TZID=Nowhere/Land:20261124T090000",
        "DTSTART:99991231T235959Z",
        "DTSTART:00010101T000000Z",
        "SUMMARY:only words",
        "RDATE:rubbish",
        "DURATION:P1000000000W",
        "RECURRENCE-ID:x",
        "BEGIN:VALARM\r\nTRIGGER:-PT15M\r\nEND:VALARM",
    ],
)
def test_an_odd_entry_costs_nothing_but_itself(line: str):
    body = a_calendar(
        an_entry(line, uid="odd"),
        an_entry(
            "DTSTART:20261124T090000Z",
            uid="good",
        ),
    )

    assert (at("2026-11-24T09:00Z"), at("2026-11-24T09:00Z")) in times(read(body, NOW, BERLIN))


def a_zone(rule: str) -> str:
    summer = ["BEGIN:DAYLIGHT", "DTSTART:19700329T020000", "TZOFFSETFROM:+0500", "TZOFFSETTO:+0600", f"RRULE:{rule}"]
    winter = ["BEGIN:STANDARD", "DTSTART:19701025T030000", "TZOFFSETFROM:+0600", "TZOFFSETTO:+0500", f"RRULE:{rule}"]
    return "\r\n".join(
        ["BEGIN:VTIMEZONE", "TZID:Ours", *summer, "END:DAYLIGHT", *winter, "END:STANDARD", "END:VTIMEZONE"]
    )


@pytest.mark.parametrize(
    ("rule", "is_followed"),
    [
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", True),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=SU;BYMONTHDAY=25,26,27,28,29,30,31", True),
        ("FREQ=YEARLY;BYDAY=2SU;BYMONTH=3;UNTIL=20060402T070000Z", True),
        ("FREQ=YEARLY", True),
        ("FREQ=SECONDLY", False),
        ("FREQ=YEARLY;INTERVAL=0", False),
        ("FREQ=YEAR\r\n LY;INTERVAL=\r\n 0", False),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", False),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", False),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=1SU;BYMONTHDAY=20", False),
        ("FREQ=YEARLY;BYHOUR=1,2,3", False),
        ("nonsense", False),
    ],
)
def test_a_zone_of_the_files_own_is_followed_where_its_clocks_change_once_a_year(rule: str, *, is_followed: bool):
    body = a_calendar(a_zone(rule), an_entry("DTSTART;TZID=Ours:20261124T090000"))

    (event,) = read(body, NOW, BERLIN)

    assert (event.starts_at in {at("2026-11-24T09:00+05:00"), at("2026-11-24T09:00+06:00")}) is is_followed
    assert is_followed or event.starts_at == at("2026-11-24T09:00+01:00")


def test_a_zone_of_one_file_tells_no_times_in_another():
    hours = {
        offset: read(
            a_calendar(a_zone("FREQ=YEARLY").replace("0500", offset), an_entry("DTSTART;TZID=Ours:20261124T090000")),
            NOW,
            BERLIN,
        )[0].starts_at
        for offset in ("0300", "0500")
    }
    (other,) = read(a_calendar(an_entry("DTSTART;TZID=Ours:20261124T090000")), NOW, BERLIN)

    assert hours == {"0300": at("2026-11-24T09:00+03:00"), "0500": at("2026-11-24T09:00+05:00")}
    assert other.starts_at == at("2026-11-24T09:00+01:00")


def test_what_else_a_file_holds_costs_nothing_even_where_it_is_odd():
    body = a_calendar(
        an_entry("DUE:soon", "PRIORITY:high", kind="VTODO"),
        an_entry("DTSTART:once", kind="VJOURNAL"),
        "BEGIN:VTIMEZONE\r\nTZID:Odd\r\nLAST-MODIFIED:never\r\nEND:VTIMEZONE",
        an_entry("DTSTART:20261124T090000Z", "BEGIN:VALARM\r\nTRIGGER:soon\r\nEND:VALARM", "SUMMARY:Dentist"),
    )

    assert [event.title for event in read(body, NOW, BERLIN)] == ["Dentist"]


@pytest.mark.parametrize(
    "changed",
    [
        lambda body: b"\xef\xbb\xbf" + body,
        lambda body: body.replace(b"\r\n", b"\n"),
        lambda body: body.replace(b"\r\n", b"\r"),
        lambda body: body.replace(b"SUMMARY:Caf\xc3\xa9", b"SUMMARY:Caf\xe9"),
        lambda body: body.replace(b"SUMMARY:Caf\xc3\xa9", b"SUMMARY:Ca\r\n f\xc3\xa9"),
        lambda body: body + body,
    ],
    ids=["byte order mark", "line feeds", "carriage returns", "latin-1", "folded", "two calendars"],
)
def test_files_come_in_many_shapes(changed: Callable[[bytes], bytes]):
    body = changed(a_calendar(an_entry("DTSTART:20261124T090000Z", "SUMMARY:Café")))

    (event,) = read(body, NOW, BERLIN)

    assert event.title in {"Café", "Caf\ufffd"}


@given(st.binary(max_size=400))
def test_no_rubbish_breaks_the_reading(rubbish: bytes):
    with suppress(SourceDown):
        read(b"BEGIN:VCALENDAR\r\n" + rubbish + b"\r\nEND:VCALENDAR", NOW, BERLIN)


@given(
    st.sampled_from(["DAILY", "WEEKLY"]),
    st.integers(1, 4),
    st.integers(1, 20),
    st.integers(0, 26 * 86_400),
)
def test_what_repeats_is_where_counting_puts_it(freq: str, interval: int, count: int, seconds: int):
    start = datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=seconds)
    step = timedelta(days=interval if freq == "DAILY" else 7 * interval)
    body = a_calendar(
        an_entry(f"DTSTART:{start:%Y%m%dT%H%M%S}Z", f"RRULE:FREQ={freq};INTERVAL={interval};COUNT={count}")
    )

    expected = [start + step * number for number in range(count)]
    assert [event.starts_at for event in read(body, NOW, BERLIN)] == [
        each for each in expected if each < NOW + timedelta(days=60)
    ]


class Feed(httpx.AsyncBaseTransport):
    """A server with one feed."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer = httpx.Response(
            200, content=a_calendar(an_entry("DTSTART:20261124T090000Z")), headers={"ETag": '"1"'}
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.headers.get("if-none-match", "none") == self.answer.headers.get("etag"):
            return streamed(httpx.Response(304))
        return streamed(self.answer)


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
async def door(feed: Feed, clock: FakeClock) -> AsyncIterator[Door]:
    async def resolve(host: str, port: int) -> Sequence[Ip]:
        return [ip_address("93.184.216.34")]

    http = Http(clock, feed, Addresses(resolve=resolve))
    yield Door(http, Settings(), Login(URL).text(), NOW, BERLIN)
    await http.stop()


async def test_a_feed_is_read_whole_and_asked_for_by_condition_after_that(door: Door, feed: Feed):
    first = await SOURCE.pull(door, None)
    second = await SOURCE.pull(door, first.cursor)

    assert (first.is_full, len(first.events), first.owner and first.owner.external_id) == (True, 1, URL)
    assert (second.is_full, second.events, second.cursor) == (False, (), first.cursor)
    assert feed.requests[1].headers["if-none-match"] == '"1"'


async def test_the_same_file_without_a_condition_is_no_news(door: Door, feed: Feed):
    feed.answer = httpx.Response(200, content=feed.answer.content)
    first = await SOURCE.pull(door, None)

    assert (await SOURCE.pull(door, first.cursor)).is_full is False


async def test_a_new_day_looks_further_ahead(door: Door, feed: Feed):
    first = await SOURCE.pull(door, None)
    tomorrow = Door(door.http, door.settings, door.access_token, NOW + timedelta(days=1), BERLIN)

    again = await SOURCE.pull(tomorrow, first.cursor)

    assert again.is_full
    assert "if-none-match" not in feed.requests[1].headers


async def test_an_empty_calendar_is_one(door: Door, feed: Feed):
    feed.answer = httpx.Response(200, content=a_calendar())

    pull = await SOURCE.pull(door, None)

    assert (pull.is_full, pull.events) == (True, ())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(200, content=a_calendar(an_entry("DTSTART:20261124T090000Z"))[:-20]), SourceDown),
        (httpx.Response(200, content=b"<!doctype html><title>Sign in</title>"), SourceDown),
        (httpx.Response(200, content=b""), SourceDown),
        (httpx.Response(404), SourceDown),
        (httpx.Response(500), SourceDown),
        (httpx.Response(401), TokenRefused),
        (httpx.Response(403), TokenRefused),
        (httpx.Response(410), TokenRefused),
    ],
    ids=["torn", "a page", "nothing", "404", "500", "401", "403", "410"],
)
async def test_what_is_no_calendar_is_never_an_empty_one(
    door: Door, feed: Feed, answer: httpx.Response, error: type[Exception]
):
    feed.answer = answer

    with pytest.raises(error):
        await SOURCE.pull(door, None)


async def test_only_a_calendar_can_be_connected(door: Door, feed: Feed):
    assert (await SOURCE.open(door)).url == URL
    feed.answer = httpx.Response(200, content=b"<html>")

    with pytest.raises(Invalid) as refused:
        await SOURCE.open(door)

    assert (refused.value.facts, refused.value.detail) == (
        {"field": "url"},
        "url: There is no calendar at that address",
    )
