"""The same believable person's calendar: a week that repeats, and what lies around today."""

from dataclasses import dataclass
from typing import Literal

Response = Literal["accepted", "declined", "tentative"]
WEEKDAYS = (0, 1, 2, 3, 4)
MON, TUE, WED, THU, SAT = (0,), (1,), (2,), (3,), (5,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry, told relative to today. `at` is a local time; without, it takes `days` whole days.

    With `weekdays` it repeats on them. `soon` lets it begin so many half hours from now instead.
    """

    summary: str
    in_days: int = 0
    at: str | None = None
    soon: int | None = None
    minutes: int = 60
    days: int = 1
    weekdays: tuple[int, ...] = ()
    response: Response | None = None
    is_tentative: bool = False
    is_free: bool = False
    event_type: str = "default"


ENTRIES: tuple[Entry, ...] = (
    Entry(summary="Stand-up", at="09:30", minutes=15, weekdays=WEEKDAYS),
    Entry(summary="Planning", at="14:00", weekdays=MON, response="accepted"),
    Entry(summary="Focus: onboarding sketches", at="09:45", minutes=135, weekdays=TUE, event_type="focusTime"),
    Entry(summary="1:1 with Mira", at="11:00", minutes=45, weekdays=WED, response="accepted"),
    Entry(summary="Company all-hands", at="16:00", weekdays=THU, response="declined"),
    Entry(summary="Choir", at="19:30", minutes=120, weekdays=THU),
    Entry(summary="Market, if it does not rain", at="10:00", weekdays=SAT, is_tentative=True, response="tentative"),
    Entry(summary="Studio", weekdays=MON, event_type="workingLocation", is_free=True),
    Entry(summary="Coffee with Priya", soon=2, minutes=45, response="accepted"),
    Entry(summary="Call with Lisbon", soon=5, minutes=30),
    Entry(summary="Put the bins out 🗑️", at="07:00", in_days=1, minutes=0, is_free=True),
    Entry(summary="Usability review", at="13:00", in_days=1, minutes=90, response="accepted"),
    Entry(summary="Dinner with the neighbours", at="19:00", in_days=3, minutes=180, response="tentative"),
    Entry(summary="Dentist", at="08:45", in_days=6, minutes=40),
    Entry(summary="Night train to Hamburg", at="22:40", in_days=8, minutes=470),
    Entry(summary="Hamburg workshop", in_days=9, days=2),
    Entry(summary="Jonas's birthday", in_days=12, event_type="birthday", is_free=True),
    Entry(summary="Mountains with Zoë", in_days=18, days=3),
    Entry(summary="Away", in_days=30, days=1, event_type="outOfOffice"),
    Entry(summary="Yesterday's retrospective", at="15:00", in_days=-1, response="accepted"),
)
