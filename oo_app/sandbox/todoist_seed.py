"""Turns the persona into an account's first objects, relative to the present, with ids that survive a restart."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from oo_app.sandbox import persona
from oo_app.sandbox.todoist_due import Due, first_on_or_after, parse_phrase
from oo_app.sandbox.todoist_model import Duration, Label, Project, Task, User, stable_id


@dataclass(frozen=True, slots=True)
class Seed:
    """What an account starts with."""

    user: User
    projects: tuple[Project, ...]
    labels: tuple[Label, ...]
    tasks: tuple[Task, ...]


def seed(account: str, now: datetime) -> Seed:
    """Return the persona's objects for an account; one whose name starts with "new" has none."""
    user = _user(account)
    if account.startswith("new"):
        return Seed(user, _projects(user, now)[:1], (), ())
    active = [_task(user, entry, number, now) for number, entry in enumerate(persona.TASKS, start=1)]
    done = [_past(user, past, number, now) for number, past in enumerate(persona.PAST, start=len(active) + 1)]
    return Seed(user, _projects(user, now), _labels(user), (*active, *done))


def _user(account: str) -> User:
    number = sum(ord(letter) * 131**place for place, letter in enumerate(account)) % 9_000_000 + 1_000_000
    full_name = persona.FULL_NAME if account == "ada" else f"{account.title()} Sandbox"
    return User(str(number), account, f"{account}@sandbox.test", full_name, persona.ZONE)


def _projects(user: User, now: datetime) -> tuple[Project, ...]:
    return tuple(
        Project(
            id=_project_id(user, name),
            name=name,
            color=color,
            order=order,
            is_inbox=name == persona.INBOX,
            is_favorite=name == "Work",
            created_at=now - timedelta(days=400),
        )
        for order, (name, color) in enumerate(persona.PROJECTS)
    )


def _labels(user: User) -> tuple[Label, ...]:
    return tuple(
        Label(stable_id(user.name, "label", name), name, color, order)
        for order, (name, color) in enumerate(persona.LABELS, start=1)
    )


def _task(user: User, entry: persona.Entry, number: int, now: datetime) -> Task:
    today = user.today(now)
    added_at = now - timedelta(days=entry.age, minutes=37 * number % 600)
    return Task(
        id=stable_id(user.name, "task", entry.content),
        user_id=user.id,
        project_id=_project_id(user, entry.project),
        content=entry.content,
        description=entry.description,
        priority=entry.priority,
        labels=entry.labels,
        due=_due(user, entry, now),
        deadline=None if entry.deadline_in is None else today + timedelta(days=entry.deadline_in),
        duration=_duration(entry),
        order=number,
        added_at=added_at,
        updated_at=added_at,
        completed_count=entry.age // 8 if entry.every else 0,
    )


def _due(user: User, entry: persona.Entry, now: datetime) -> Due | None:
    if entry.due_in is None:
        return None
    on = user.today(now) + timedelta(days=entry.due_in)
    if entry.every is not None:
        read = parse_phrase(entry.every, on)
        # Intervals start at the told day; named weekdays and days of the month at the first that fits.
        return replace(read, on=first_on_or_after(entry.every, on)) if read else None
    at = time.fromisoformat(entry.at) if entry.at else None
    return Due(on, at, user.zone if entry.fixed else None)


def _duration(entry: persona.Entry) -> Duration | None:
    if entry.minutes is not None:
        return Duration(entry.minutes, "minute")
    return Duration(entry.days, "day") if entry.days is not None else None


def _past(user: User, past: persona.Past, number: int, now: datetime) -> Task:
    day = user.today(now) - timedelta(days=past.days_ago)
    done_at = datetime.combine(day, time.fromisoformat(past.at), ZoneInfo(user.zone)).astimezone(UTC)
    return Task(
        id=stable_id(user.name, "past", past.content),
        user_id=user.id,
        project_id=_project_id(user, past.project),
        content=past.content,
        due=Due(day),
        order=number,
        added_at=done_at - timedelta(days=number % 9 + 1, minutes=7 * number),
        updated_at=done_at,
        completed_at=done_at,
    )


def _project_id(user: User, name: str) -> str:
    return stable_id(user.name, "project", name)
