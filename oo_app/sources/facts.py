"""What sources tell, in one form for all of them: tasks, calendar entries, completions, and whose account it is."""

from dataclasses import dataclass
from datetime import date, datetime

FIRST_YEAR, LAST_YEAR = 2, 9998


@dataclass(frozen=True, slots=True)
class Due:
    """When an item is due: a day, or a moment (`at` is aware); floating times are read in the person's zone."""

    on: date | None = None
    at: datetime | None = None
    floating: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse years that some time zones cannot tell: a calendar ends with 9999."""
        for day in (self.on, self.at, self.floating):
            if day is not None and not is_tellable(day):
                msg = "a due date lies outside the calendar of some time zone"
                raise ValueError(msg)

    @property
    def name(self) -> str:
        """The name of the occurrence that is due then, as everybody who tells of it has to write it; "" without one."""
        when = self.at or self.floating or self.on
        return when.isoformat() if when else ""


def is_tellable(day: date) -> bool:
    """Whether a day or moment has neighbours in the calendar, so that every time zone can tell it."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


@dataclass(frozen=True, slots=True)
class Item:
    """One task as its source tells it. `is_open` ends with completion or deletion; `priority` 4 is urgent, 1 normal.

    A recurring task stays open when an occurrence is completed: `completed_count` grows, where the source tells it, and
    `completed_at` is then the last time anything about the task changed. `changed_at` is the source's own clock: what
    it told of the item before is never replaced by something older.
    """

    external_id: str
    is_open: bool
    content: str = ""
    detail: str = ""
    url: str | None = None
    due: Due = Due()
    deadline_on: date | None = None
    priority: int = 1
    is_recurring: bool = False
    is_completable: bool = True
    minutes: int | None = None
    labels: tuple[str, ...] = ()
    created_at: datetime | None = None
    changed_at: datetime | None = None
    completed_at: datetime | None = None
    completed_count: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a calendar, an occurrence of it where it repeats. Times are aware; `is_gone` needs none of them.

    An entry of whole days begins and ends at midnight in the zone the person lives in. `is_busy`: the person cannot do
    something else meanwhile, as their calendar tells it.
    """

    external_id: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    is_all_day: bool = False
    is_busy: bool = True
    title: str = ""
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """That a task was done. `occurrence` names which one of a recurring task, as `Due.name` does."""

    external_id: str
    at: datetime
    occurrence: str | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose account the grant opens."""

    external_id: str
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class Pull:
    """A reading with all its pages. With `is_full` items and events are all; else what changed since the cursor.

    `completions` are such as no item tells by itself, as of a recurring task whose source does not count; `history` are
    those from before the grant, which say when somebody gets things done, and are no answer to any tip.
    """

    items: tuple[Item, ...]
    cursor: str
    is_full: bool
    owner: Owner | None
    events: tuple[Event, ...] = ()
    completions: tuple[Completion, ...] = ()
    history: tuple[Completion, ...] = ()
