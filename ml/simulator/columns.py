"""The columns a policy is given, with the names, units and bounds of the product's features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.types import Array, Schema

Flags = NDArray[np.bool_]

LABELS = tuple(f"label_bit_{number}" for number in range(8))
SCHEMA = Schema(
    context=(
        "hour_of_day",
        "day_of_week",
        "open_items",
        "has_calendar",
        "free_minutes",
        "busy_minutes",
        "meetings_today",
        "meetings_left_today",
        "done_this_hour",
        "done_this_hour_and_weekday",
        "completions",
        "tips_today",
        "minutes_since_tip",
        "refusals_in_a_row",
        "stalest_source_minutes",
    ),
    candidates=(
        "is_overdue",
        "has_due",
        "days_until_due",
        "task_age_days",
        "priority",
        "is_recurring",
        "has_due_time",
        "days_until_deadline",
        "has_minutes",
        "estimated_minutes",
        "fits_gap",
        "times_postponed",
        "label_count",
        *LABELS,
        "minutes_since_read",
        "times_shown",
        "hours_since_shown",
        "refusal_fatigue",
    ),
)
COLUMN = {name: place for place, name in enumerate(SCHEMA.candidates)}
CONTEXT_COLUMN = {name: place for place, name in enumerate(SCHEMA.context)}

HOUR, DAY = 60.0, 1440.0  # minutes
HORIZON = 480.0  # minutes that are looked ahead for a gap
FADES_MINUTES = 48 * HOUR  # in which a refusal counts for a third only
USUAL_MINUTES = 30.0
NEVER_SHOWN_HOURS = 720.0
WEEK_HOURS = 168
_FAR_DAYS = 30.0


@dataclass(frozen=True, slots=True)
class Agendas:
    """What the calendars of u people leave of the day, (u,) each; of those without a calendar it means nothing."""

    has_calendar: Flags
    free_minutes: Array
    busy_minutes: Array
    meetings: Array
    meetings_left: Array


@dataclass(frozen=True, slots=True)
class Moments:
    """What is known of u people at their moments, (u,) each; times in minutes since the epoch, in UTC."""

    at: Array
    offset: Array  # hours from UTC
    agendas: Agendas
    done: Array  # (u, 168) completions by the hour of the week in UTC
    tips_today: Array
    last_tip_at: Array
    refusals: Array
    read_at: Array  # of the source of the tasks
    stalest_at: Array  # of the source that was not read for longest

    @property
    def local(self) -> Array:
        """Return minutes since the epoch on the person's own clock."""
        return self.at + HOUR * self.offset


@dataclass(frozen=True, slots=True)
class Seen:
    """N items as they are seen, (N,) each, the owner's row among the moments; `due` and `deadline` are in UTC."""

    owner: NDArray[np.intp]
    created: Array
    due: Array  # infinite when never
    has_due_time: Flags
    deadline: Array  # infinite when there is none
    priority: Array
    is_recurring: Flags
    is_told: Flags  # whether the source says how long it takes
    minutes: Array
    postponed: Array
    label_count: Array
    bits: NDArray[np.int64]
    shown: Array
    shown_at: Array
    refused: Array  # sum over its refusals, each faded by its age


def agendas(now: Array, offset: Array, meetings: tuple[Array, Array], has_calendar: Flags) -> Agendas:
    """Work out what meetings leave of the day: their begins and ends (u, e) in order, infinite where there is none."""
    starts, ends = meetings
    day_begins = np.floor((now + HOUR * offset) / DAY) * DAY - HOUR * offset
    is_today = (starts < day_begins[:, None] + DAY) & (ends > day_begins[:, None])
    busy_until = now.copy()
    for start, end in zip(starts.T, ends.T, strict=True):  # those that follow without a gap are one stretch
        busy_until = np.where((start <= busy_until) & (busy_until < end), end, busy_until)
    is_ahead = starts > now[:, None]
    next_start = np.where(is_ahead, starts, np.inf).min(axis=1)
    free_until = np.where(busy_until > now, now, np.minimum(next_start, now + HORIZON))
    return Agendas(
        has_calendar=has_calendar,
        free_minutes=free_until - now,
        busy_minutes=np.minimum(busy_until, now + HORIZON) - now,
        meetings=is_today.sum(axis=1).astype(np.float64),
        meetings_left=(is_today & is_ahead).sum(axis=1).astype(np.float64),
    )


def contexts(moments: Moments, open_items: Array) -> Array:
    """Compute contexts (u, k)."""
    agenda, local, total = moments.agendas, moments.local, moments.done.sum(axis=1)
    week_hour = (np.floor(moments.at / HOUR) % WEEK_HOURS).astype(np.intp)
    rows = np.arange(len(moments.at))
    # Zones lie whole hours apart here, so counts by the hour in UTC are counts by the local hour, shifted.
    by_hour = moments.done.reshape(-1, 7, 24).sum(axis=1)[rows, week_hour % 24]
    columns = (
        np.floor(local % DAY) / HOUR,
        np.floor(local / DAY) % 7,
        open_items,
        agenda.has_calendar,
        np.where(agenda.has_calendar, agenda.free_minutes, HORIZON),
        np.where(agenda.has_calendar, agenda.busy_minutes, 0.0),
        np.where(agenda.has_calendar, np.minimum(agenda.meetings, 20.0), 0.0),
        np.where(agenda.has_calendar, np.minimum(agenda.meetings_left, 20.0), 0.0),
        np.where(total > 0, np.minimum((by_hour + 1) * 24 / (total + 24), 20.0), 1.0),
        np.where(
            total > 0, np.minimum((moments.done[rows, week_hour] + 1) * WEEK_HOURS / (total + WEEK_HOURS), 20.0), 1.0
        ),
        np.minimum(total, 1000.0),
        np.minimum(moments.tips_today, 30.0),
        np.minimum(moments.at - moments.last_tip_at, DAY),
        np.minimum(moments.refusals, 10.0),
        np.minimum(moments.at - moments.stalest_at, DAY),
    )
    return np.ascontiguousarray(np.stack(columns, axis=1), dtype=np.float64)


def candidates(seen: Seen, moments: Moments) -> Array:
    """Compute candidates (N, m)."""
    now = moments.at[seen.owner]
    due = np.where(np.isfinite(seen.due), seen.due, seen.deadline)
    has_agenda, free = moments.agendas.has_calendar[seen.owner], moments.agendas.free_minutes[seen.owner]
    matrix = np.empty((len(now), len(SCHEMA.candidates)))
    matrix[:, 0] = due < now
    matrix[:, 1] = np.isfinite(due)
    matrix[:, 2] = np.clip((due - now) / DAY, -_FAR_DAYS, _FAR_DAYS)
    matrix[:, 3] = np.clip((now - seen.created) / DAY, 0.0, 365.0)
    matrix[:, 4] = seen.priority
    matrix[:, 5] = seen.is_recurring
    matrix[:, 6] = seen.has_due_time
    matrix[:, 7] = np.clip((seen.deadline - now) / DAY, -_FAR_DAYS, _FAR_DAYS)
    matrix[:, 8] = seen.is_told
    matrix[:, 9] = np.where(seen.is_told, np.minimum(seen.minutes, 480.0), USUAL_MINUTES)
    matrix[:, 10] = ~(has_agenda & seen.is_told) | (seen.minutes <= free)
    matrix[:, 11] = np.minimum(seen.postponed, 20.0)
    matrix[:, 12] = np.minimum(seen.label_count, 20.0)
    matrix[:, 13:21] = (seen.bits[:, None] >> np.arange(len(LABELS))) & 1
    matrix[:, 21] = np.minimum(now - moments.read_at[seen.owner], DAY)
    matrix[:, 22] = np.minimum(seen.shown, 20.0)
    matrix[:, 23] = np.minimum((now - seen.shown_at) / HOUR, NEVER_SHOWN_HOURS)
    matrix[:, 24] = np.minimum(seen.refused, 5.0)
    return matrix
