"""Due dates of the sandbox's Todoist: the three forms, the phrases it understands, how recurring ones move on."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAYS = {word: number for number, name in enumerate(NAMES) for word in (name, name[:3])}
SEARCHED_DAYS = 4000
AT = re.compile(r"\s*\bat\s+(\d{1,2})(?::(\d{2}))?\s*(am|pm)?$")
EVERY = re.compile(r"every(!)?\s+(?:(\d+|other)\s+)?(day|week|month|year)s?$")
EVERY_DAY_OF_MONTH = re.compile(r"every(?:!)?\s+([1-9]|[12]\d|3[01])(?:st|nd|rd|th)$")
IN_DAYS = re.compile(r"in (\d{1,4}) days?$")

Rule = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class Due:
    """A day, perhaps a time of day, perhaps bound to a zone (otherwise it floats with its owner), perhaps recurring."""

    on: date
    at: time | None = None
    zone: str | None = None
    string: str = ""
    is_recurring: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the object of the API."""
        return {
            "date": self.date_text(),
            "timezone": self.zone,
            "string": self.string or self.date_text(),
            "lang": "en",
            "is_recurring": self.is_recurring,
        }

    def date_text(self) -> str:
        """Return the date in one of Todoist's three forms."""
        if self.at is None:
            return self.on.isoformat()
        local = datetime.combine(self.on, self.at)
        if self.zone is None:
            return local.isoformat(timespec="seconds")
        return local.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def next_after(self, today: date) -> "Due":
        """Return the next occurrence once this one was completed today."""
        rule = _rule(self.string, self.on, today) or _any_day
        last = today if self.string.lower().startswith("every!") else max(self.on, today)
        return replace(self, on=_first(rule, last + timedelta(days=1)))


def parse_phrase(text: str, today: date) -> Due | None:
    """Understand a due_string; None is "no date". Raise ValueError for a phrase the sandbox does not know."""
    phrase = text.strip()
    if phrase.lower() in {"no date", "no due date", ""}:
        return None
    try:
        return _read_phrase(phrase, today)
    except ValueError as error:
        raise ValueError(f"The sandbox does not know the phrase {phrase!r}.") from error


def parse_exact(text: str, zone: str) -> Due:
    """Understand a due_date or due_datetime. Raise ValueError when it is neither."""
    if len(text) == len("2026-11-23"):
        return Due(date.fromisoformat(text), string=text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return Due(moment.date(), moment.time(), string=text)
    local = moment.astimezone(ZoneInfo(zone))
    return Due(local.date(), local.time().replace(tzinfo=None), zone, text)


def _read_phrase(phrase: str, today: date) -> Due:
    day, at = _split_time(phrase.lower())
    rule = _rule(day, today, today)
    if rule is None:
        return Due(_day(day, today), at, string=phrase)
    due = Due(_first(rule, today), at, string=phrase, is_recurring=True)
    due.next_after(today)  # a rhythm too slow to come round again within the days searched is refused here
    return due


def first_on_or_after(phrase: str, day: date) -> date:
    """Return the first day from `day` on that a recurring phrase names."""
    rule = _rule(_split_time(phrase.lower())[0], day, day)
    if rule is None:
        raise ValueError(phrase)
    return _first(rule, day)


def _split_time(phrase: str) -> tuple[str, time | None]:
    found = AT.search(phrase)
    if found is None:
        return phrase, None
    hour, minute = int(found[1]), int(found[2] or 0)
    if found[3]:
        hour = hour % 12 + (12 if found[3] == "pm" else 0)
    return phrase[: found.start()].strip() or "today", time(hour, minute)


def _day(phrase: str, today: date) -> date:
    named = {"today": 0, "tomorrow": 1, "next week": 7 - today.weekday()}
    if phrase in named:
        return today + timedelta(days=named[phrase])
    if found := IN_DAYS.match(phrase):
        return today + timedelta(days=int(found[1]))
    if phrase in WEEKDAYS:
        weekday = WEEKDAYS[phrase]
        return _first(lambda day: day.weekday() == weekday, today + timedelta(days=1))
    return date.fromisoformat(phrase)


def _rule(phrase: str, due: date, today: date) -> Rule | None:
    phrase = _split_time(phrase.strip().lower())[0]
    if not phrase.startswith("every"):
        return None
    if found := EVERY.match(phrase):
        # "every!" counts from the day of completion, "every" from the date that was due.
        anchor = today if found[1] else due
        return _interval(found[3], _count(found[2]), anchor)
    if found := EVERY_DAY_OF_MONTH.match(phrase):
        return lambda day: day.day == min(int(found[1]), _days_in_month(day))
    return _weekdays(phrase.removeprefix("every").removeprefix("!"))


def _any_day(_: date) -> bool:
    return True


def _count(text: str | None) -> int:
    if text is None:
        return 1
    return 2 if text == "other" else max(1, int(text))


def _interval(unit: str, count: int, anchor: date) -> Rule:
    if unit in {"day", "week"}:
        days = count * (7 if unit == "week" else 1)
        return lambda day: (day - anchor).days % days == 0
    months = count * (12 if unit == "year" else 1)
    return lambda day: _months(anchor, day) % months == 0 and day.day == min(anchor.day, _days_in_month(day))


def _months(start: date, end: date) -> int:
    return (end.year - start.year) * 12 + end.month - start.month


def _weekdays(text: str) -> Rule | None:
    words = [word for word in re.split(r"[\s,]+|\band\b", text) if word]
    if words in (["weekday"], ["workday"]):
        return lambda day: day.weekday() < len(NAMES) - 2
    if not words or any(word not in WEEKDAYS for word in words):
        return None
    chosen = {WEEKDAYS[word] for word in words}
    return lambda day: day.weekday() in chosen


def _first(rule: Rule, start: date) -> date:
    days = (start + timedelta(days=offset) for offset in range(SEARCHED_DAYS))
    found = next((day for day in days if rule(day)), None)
    if found is None:
        raise ValueError("No such day within eleven years.")
    return found


def _days_in_month(day: date) -> int:
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return (following - timedelta(days=1)).day
