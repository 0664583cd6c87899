"""What sources hold: reading them, the items, and completions sent back."""

from oo_app.signals.agenda import Busy, agenda, completions, count_completions
from oo_app.signals.closing import (
    Backlog,
    backlog,
    cancel_close,
    deliver_close,
    deliver_closes,
    drop_uncertain,
    refused,
    resume_closes,
    schedule_close,
    spawn_due_closes,
    waiting,
)
from oo_app.signals.leaving import Left, leave
from oo_app.signals.merge import LABEL_BITS
from oo_app.signals.open_items import OpenItem, Words, find_open, open_items, words
from oo_app.signals.retention import purge_completions, purge_deliveries, purge_past_events
from oo_app.signals.sync import first_reading, moment, refresh, spawn_sync, stale, sync, sync_due
from oo_app.signals.webhooks import receive

__all__ = [
    "LABEL_BITS",
    "Backlog",
    "Busy",
    "Left",
    "OpenItem",
    "Words",
    "agenda",
    "backlog",
    "cancel_close",
    "completions",
    "count_completions",
    "deliver_close",
    "deliver_closes",
    "drop_uncertain",
    "find_open",
    "first_reading",
    "leave",
    "moment",
    "open_items",
    "purge_completions",
    "purge_deliveries",
    "purge_past_events",
    "receive",
    "refresh",
    "refused",
    "resume_closes",
    "schedule_close",
    "spawn_due_closes",
    "spawn_sync",
    "stale",
    "sync",
    "sync_due",
    "waiting",
    "words",
]
