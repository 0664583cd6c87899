"""What a person's time tells: when their calendars keep them busy, and when they got things done."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import BindParameter, bindparam, func, select
from sqlmodel import col

from oo_app.kit.db import Tx, UtcDateTime
from oo_app.runtime import Runtime
from oo_app.signals.models import CalendarEvent, Completion

LONGEST = timedelta(days=14)  # entries are found by their end: without a bound a calendar's whole future is looked at


class Busy(NamedTuple):
    """From when to when a calendar keeps the person busy."""

    starts_at: datetime
    ends_at: datetime


def _at(name: str) -> BindParameter[datetime]:
    return bindparam(name, type_=UtcDateTime)


# Built once: a statement made anew for each call costs as much as running it.
_BUSY = (
    select(col(CalendarEvent.starts_at), col(CalendarEvent.ends_at))
    .where(
        col(CalendarEvent.user_id) == bindparam("user_id"),
        col(CalendarEvent.ends_at) > _at("since"),
        col(CalendarEvent.ends_at) <= _at("bound"),
        col(CalendarEvent.starts_at) < _at("until"),
        col(CalendarEvent.is_busy).is_(True),
        col(CalendarEvent.is_all_day).is_(False),
    )
    .distinct()
    .order_by(col(CalendarEvent.starts_at), col(CalendarEvent.ends_at))
)
_WINDOW = (col(Completion.user_id) == bindparam("user_id"), col(Completion.at) >= _at("since"))
_COMPLETIONS = select(col(Completion.id), col(Completion.at)).where(*_WINDOW, col(Completion.id) > bindparam("after"))
_COUNT = select(func.count()).select_from(Completion).where(*_WINDOW)


async def agenda(rt: Runtime, user_id: str, since: datetime, until: datetime) -> Sequence[Busy]:
    """Return when the person is busy between two moments, in order; the same times in two calendars are one meeting.

    Entries of whole days keep nobody busy: birthdays and holidays come as such, however calendars mark them.
    """
    parameters = {"user_id": user_id, "since": since, "until": until, "bound": until + LONGEST}
    return [Busy(*row) for row in await rt.db.fetch(_BUSY, parameters)]


async def completions(tx: Tx, user_id: str, *, since: datetime, after: str = "") -> Sequence[tuple[str, datetime]]:
    """Return ids and times of the completions of a window, of those noted after the given id."""
    rows = await tx.session.execute(_COMPLETIONS, {"user_id": user_id, "since": since, "after": after})
    return [(completion_id, at) for completion_id, at in rows]


async def count_completions(tx: Tx, user_id: str, *, since: datetime) -> int:
    """Count the completions of a window."""
    return (await tx.session.execute(_COUNT, {"user_id": user_id, "since": since})).scalar_one()
