"""The apps one can connect."""

from oo_app.sources import caldav, google_calendar, ical, todoist
from oo_app.sources.facts import Completion, Due, Event, Item, Owner, Pull
from oo_app.sources.source import (
    Asks,
    Budget,
    Call,
    Channel,
    CompletionRefused,
    Door,
    Grant,
    Heard,
    Kind,
    Login,
    NotPermitted,
    OAuth,
    Source,
    TokenRefused,
    Watch,
)

SOURCES: tuple[Source, ...] = (todoist.SOURCE, google_calendar.SOURCE, ical.SOURCE, caldav.SOURCE)

__all__ = [
    "SOURCES",
    "Asks",
    "Budget",
    "Call",
    "Channel",
    "Completion",
    "CompletionRefused",
    "Door",
    "Due",
    "Event",
    "Grant",
    "Heard",
    "Item",
    "Kind",
    "Login",
    "NotPermitted",
    "OAuth",
    "Owner",
    "Pull",
    "Source",
    "TokenRefused",
    "Watch",
]
