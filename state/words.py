"""Times and dates in the words a person would use, seen from where they are."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago something was: `3 minutes ago`."""
    passed = now - then
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if passed >= unit:
            return f"{counted(passed // unit, name)} ago"
    return "just now"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 task`, `38 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def unsent_in_words(number: int) -> str:
    """Say that something marked done stayed undone in its app; nothing when all arrived."""
    return f"{counted(number, 'task')} you marked done stayed open there." if number else ""


def due_in_words(due: str | None, now: datetime, zone: ZoneInfo) -> str:
    """Return a due date (`YYYY-MM-DD`) or time (RFC 3339) in words, in the person's zone; nothing for none."""
    if not due:
        return ""
    today = now.astimezone(zone).date()
    if len(due) == len("2026-01-31"):
        day = date.fromisoformat(due)
        return f"{'Was due' if day < today else 'Due'} {day_in_words(day, today)}"
    moment = datetime.fromisoformat(due).astimezone(zone)
    return f"{'Was due' if moment < now else 'Due'} {day_in_words(moment.date(), today)} at {moment:%H:%M}"


def day_in_words(day: date, today: date) -> str:
    """Return a day as one says it: `today`, `Friday`, `3 March`, `3 March 2028`."""
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}
    distance = (day - today).days
    if distance in near:
        return near[distance]
    if 0 < distance < 7:
        return f"{day:%A}"
    return f"{day.day} {day:%B}" if day.year == today.year else f"{day.day} {day:%B} {day.year}"
