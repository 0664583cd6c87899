"""What sources told, kept for a time only."""

from datetime import timedelta

from sqlmodel import col

from oo_app.runtime import Runtime
from oo_app.signals.models import CalendarEvent, Completion, Delivery

DELIVERIES = timedelta(days=7)
PAST_EVENTS = timedelta(days=7)
COMPLETIONS = timedelta(days=100)  # habits are read from three months


async def purge_deliveries(rt: Runtime, most: int) -> int:
    """Drop webhooks' deliveries older than seven days, up to so many; return how many."""
    return await rt.db.drop(Delivery, lambda now: col(Delivery.received_at) < now - DELIVERIES, most)


async def purge_past_events(rt: Runtime, most: int) -> int:
    """Drop calendars' entries that ended seven days ago, up to so many; return how many."""
    return await rt.db.drop(CalendarEvent, lambda now: col(CalendarEvent.ends_at) < now - PAST_EVENTS, most)


async def purge_completions(rt: Runtime, most: int) -> int:
    """Drop completions older than a hundred days, up to so many; return how many."""
    return await rt.db.drop(Completion, lambda now: col(Completion.at) < now - COMPLETIONS, most)
