"""What a reading changes, worked out without the database: rows, completions, and what is gone. The source is right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal

from oo_app.connections import Held
from oo_app.kit.crypto import PersonVault, Place
from oo_app.kit.ids import new_id
from oo_app.sources import Completion, Due, Event, Item, Pull

FoundBy = Literal["reading", "webhook", "history", "ours"]
LABEL_BITS = 8
MOST_AT_ONCE = 50  # occurrences of one task between two readings; more are a count that was set, not done
HINTS_COUNT_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Known:
    """A row as it stands before a reading is stored. `is_ours`: completed by us, and not read since."""

    id: str
    is_open: bool
    created_at: datetime
    changed_at: datetime | None
    completed_at: datetime | None
    completed_count: int | None
    postponed: int
    due: Due
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reading meets. Nothing else changes the rows meanwhile, since the connection is held."""

    connection: Held
    vault: PersonVault
    known: Mapping[str, Known]
    known_events: Mapping[str, str]
    pull: Pull
    hints: Sequence[Completion]
    at: datetime


@dataclass(frozen=True, slots=True)
class Fact:
    """A completion to be stored, unless it is known; `is_news` when it is to be told."""

    row: dict[str, Any]
    is_news: bool

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same completion within its connection."""
        return self.row["external_id"], self.row["occurrence"]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a reading changes."""

    fresh: Sequence[dict[str, Any]] = ()
    changed: Sequence[dict[str, Any]] = ()
    gone: Sequence[str] = ()
    facts: Sequence[Fact] = ()
    fresh_events: Sequence[dict[str, Any]] = ()
    changed_events: Sequence[dict[str, Any]] = ()
    gone_events: Sequence[str] = ()

    @property
    def items(self) -> int:
        """How many items there was news of."""
        return len(self.fresh) + len(self.changed) + len(self.gone)

    @property
    def events(self) -> int:
        """How many entries of a calendar there was news of."""
        return len(self.fresh_events) + len(self.changed_events) + len(self.gone_events)


def compared(reading: Reading) -> Changes:
    """Tell new rows, changed ones, completions and those that are gone, sealing the words."""
    fresh: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    facts: list[Fact] = []
    told = {item.external_id: item for item in reading.pull.items}
    hints = _by_name([*reading.pull.completions, *_young(reading)])
    for item in told.values():
        before = reading.known.get(item.external_id)
        if before is None and item.is_open:
            fresh.append(_row(reading, item, new_id(reading.at), None))
        elif before is None:
            facts += _done(reading, item, None)
        elif not _is_stale(before, item):
            done = [
                *_done(reading, item, before),
                *_occurrences(reading, item, before, hints.get(item.external_id, [])),
            ]
            facts += done
            changed.append(_row(reading, item, before.id, before) | {"postponed": _postponed(before, item, done)})
    for name in hints.keys() - told.keys():  # told of an occurrence, with nothing read of the task this time
        if (before := reading.known.get(name)) is not None:
            facts += _hinted(reading, name, before, hints[name], now_due=before.due)
    facts += [_fact(reading, each, f"t{each.at.isoformat()}", "history") for each in reading.pull.history]
    gone = [row.id for name, row in reading.known.items() if row.is_open and name not in told]
    return replace(
        _events_compared(reading),
        fresh=fresh,
        changed=changed,
        gone=gone if reading.pull.is_full else [],
        facts=sorted(facts, key=lambda fact: fact.row["at"]),
    )


def _young(reading: Reading) -> list[Completion]:
    """Return what deliveries told, but for what is too old to be more than a hint."""
    return [hint for hint in reading.hints if reading.at - hint.at < HINTS_COUNT_FOR]


def _by_name(completions: Sequence[Completion]) -> dict[str, list[Completion]]:
    found: dict[str, list[Completion]] = {}
    for each in completions:
        found.setdefault(each.external_id, []).append(each)
    return found


def _is_stale(before: Known, item: Item) -> bool:
    """Tell whether the source sent an older state of an item than it did before."""
    return before.changed_at is not None and item.changed_at is not None and item.changed_at < before.changed_at


def _done(reading: Reading, item: Item, before: Known | None) -> list[Fact]:
    """Return the completion of an item that is closed; it is news unless it was known, or done by us."""
    if item.is_open or item.completed_at is None or (before is not None and before.completed_at == item.completed_at):
        return []
    is_ours = before is not None and before.is_ours
    told = Completion(item.external_id, item.completed_at)
    fact = _fact(reading, told, f"t{item.completed_at.isoformat()}", "ours" if is_ours else "reading")
    return [replace(fact, is_news=before is not None and not is_ours)]


def _occurrences(reading: Reading, item: Item, before: Known, hints: Sequence[Completion]) -> list[Fact]:
    """Return the occurrences of a recurring item that were completed: by its count, else by what was told of them."""
    if not (item.is_recurring and item.is_open):
        return []
    if before.completed_count is None or item.completed_count is None:
        return _hinted(reading, item.external_id, before, hints, now_due=item.due)
    last = min(item.completed_count, before.completed_count + MOST_AT_ONCE)
    found_by = "ours" if before.is_ours else "reading"
    told = Completion(item.external_id, item.completed_at or reading.at)
    return [_fact(reading, told, f"n{count}", found_by) for count in range(before.completed_count + 1, last + 1)]


def _hinted(reading: Reading, name: str, before: Known, hints: Sequence[Completion], *, now_due: Due) -> list[Fact]:
    """Return told occurrences that the item has really moved on from; where the source counts, its count is right."""
    if before.completed_count is not None:
        return []
    known_by = "ours" if before.is_ours else "webhook"
    named = [(each, each.occurrence or before.due.name) for each in hints]
    return [
        _fact(reading, Completion(name, each.at), f"d{occurrence}"[:40], known_by)
        for each, occurrence in named
        if occurrence != now_due.name
    ]


def _fact(reading: Reading, told: Completion, occurrence: str, found_by: FoundBy) -> Fact:
    row = reading.known.get(told.external_id)
    return Fact(
        {
            "id": new_id(reading.at),
            "user_id": reading.connection.user_id,
            "connection_id": reading.connection.id,
            "item_id": row.id if row else None,
            "external_id": told.external_id,
            "occurrence": occurrence,
            "found_by": found_by,
            "at": min(told.at, reading.at),  # by our clock it cannot lie ahead
        },
        is_news=found_by in {"reading", "webhook"},
    )


def _postponed(before: Known, item: Item, done: Sequence[Fact]) -> int:
    """Count an item once more as put off when its due time moved on without its being done.

    Of a recurring one that does not count, nobody can tell the two apart.
    """
    is_unclear = item.is_recurring and (item.completed_count is None or before.completed_count is None)
    if done or is_unclear or not (before.is_open and item.is_open):
        return before.postponed
    return before.postponed + _moved_on(before.due, item.due)


def _moved_on(before: Due, now: Due) -> bool:
    """Tell whether a due time now lies later; giving a day a time of day does not put it off."""
    if before.at and now.at:
        return before.at < now.at
    if before.floating and now.floating:
        return before.floating < now.floating
    was, is_now = _day(before), _day(now)
    return was is not None and is_now is not None and was < is_now


def _day(due: Due) -> date | None:
    moment = due.at or due.floating
    return moment.date() if moment else due.on


def label_bits(user_id: str, labels: Sequence[str]) -> int:
    """Set one of eight bits for each label: the same for the same word of the same person, telling nothing of it."""
    bits = 0
    for label in labels:
        digest = blake2b(f"{user_id}\x1f{label.casefold()}".encode(errors="replace"), digest_size=1).digest()
        bits |= 1 << digest[0] % LABEL_BITS
    return bits


def _row(reading: Reading, item: Item, row_id: str, before: Known | None) -> dict[str, Any]:
    labels = "\n".join(label.replace("\n", " ") for label in item.labels)
    return {
        "id": row_id,
        "user_id": reading.connection.user_id,
        "connection_id": reading.connection.id,
        "source": reading.connection.source,
        "external_id": item.external_id,
        "is_open": item.is_open,
        "content": reading.vault.seal(item.content, Place("item", row_id, "content")),
        "detail": reading.vault.seal(item.detail, Place("item", row_id, "detail")),
        "labels": reading.vault.seal(labels, Place("item", row_id, "labels")) if labels else None,
        "label_count": len(item.labels),
        "label_bits": label_bits(reading.connection.user_id, item.labels),
        "url": item.url,
        "due_on": item.due.on,
        "due_at": item.due.at,
        "due_floating": item.due.floating.isoformat() if item.due.floating else None,
        "deadline_on": item.deadline_on,
        "priority": item.priority,
        "is_recurring": item.is_recurring,
        "is_completable": item.is_completable,
        "minutes": item.minutes,
        "created_at": item.created_at or (before.created_at if before else reading.at),
        "changed_at": item.changed_at or (before.changed_at if before else None),
        "completed_at": item.completed_at,
        "completed_count": _kept(item.completed_count, before),
    }


def _kept(count: int | None, before: Known | None) -> int | None:
    """Return the count as told, else as it was: answers may leave it out."""
    return before.completed_count if count is None and before else count


def _events_compared(reading: Reading) -> Changes:
    told: dict[str, Event] = {event.external_id: event for event in reading.pull.events}
    standing = {name: event for name, event in told.items() if not event.is_gone and event.starts_at and event.ends_at}
    fresh = [
        _event_row(reading, each, new_id(reading.at))
        for name, each in standing.items()
        if name not in reading.known_events
    ]
    changed = [
        _event_row(reading, each, reading.known_events[name])
        for name, each in standing.items()
        if name in reading.known_events
    ]
    gone = [
        row_id
        for name, row_id in reading.known_events.items()
        if name not in standing and (name in told or reading.pull.is_full)
    ]
    return Changes(fresh_events=fresh, changed_events=changed, gone_events=gone)


def _event_row(reading: Reading, event: Event, row_id: str) -> dict[str, Any]:
    return {
        "id": row_id,
        "user_id": reading.connection.user_id,
        "connection_id": reading.connection.id,
        "external_id": event.external_id,
        "starts_at": event.starts_at,
        "ends_at": event.ends_at,
        "is_all_day": event.is_all_day,
        "is_busy": event.is_busy,
        "title": reading.vault.seal(event.title, Place("calendar_event", row_id, "title")),
    }
