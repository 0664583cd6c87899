"""How long a snoozed or dismissed item sleeps, in the person's zone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

MORNING = time(9, 0)
EVENING = time(18, 0)
LATER = timedelta(hours=4)
TOO_BIG = timedelta(hours=24)
DISMISSED = timedelta(days=7)


def snoozed_until(snooze: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when a snoozed item wakes, in UTC; None for "not for me", which lasts until its rule is removed."""
    now, local = now.astimezone(UTC), now.astimezone(zone)
    if snooze == "not_for_me":
        return None
    if snooze == "too_big":
        return now + TOO_BIG
    if snooze == "not_this_week":
        return _morning(local, 7 - local.weekday(), zone)
    if snooze == "tomorrow" or local.time() >= EVENING:
        return _morning(local, 1, zone)
    return now + LATER


def _morning(local: datetime, days: int, zone: ZoneInfo) -> datetime:
    """Return nine o'clock on the wall that many days on, whatever the clocks do meanwhile."""
    return datetime.combine(local.date() + timedelta(days=days), MORNING, tzinfo=zone).astimezone(UTC)
