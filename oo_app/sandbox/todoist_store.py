"""The accounts of the sandbox's Todoist, in memory: what is in them, what changed and when."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

from oo_app.kit.clock import Clock
from oo_app.sandbox.todoist_due import Due
from oo_app.sandbox.todoist_errors import not_found
from oo_app.sandbox.todoist_model import Duration, Task, User, new_id, stable_id, timestamp
from oo_app.sandbox.todoist_seed import seed

Happening = Literal["added", "updated", "completed", "uncompleted", "deleted"]
Intent = Literal["item_updated", "item_completed", "item_uncompleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a caller may say about a task."""

    project_id: str
    content: str
    description: str = ""
    priority: int = 1
    labels: tuple[str, ...] = ()
    due: Due | None = None
    deadline: date | None = None
    duration: Duration | None = None
    parent_id: str | None = None
    section_id: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a task; webhooks tell it."""

    happening: Happening
    task: Task
    before: Task | None
    intent: Intent | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """A line of the activity log."""

    id: str
    happening: Happening
    task_id: str
    project_id: str
    at: datetime
    content: str

    def as_json(self, user_id: str) -> dict[str, Any]:
        """Return the object of the API."""
        return {
            "id": self.id,
            "object_type": "item",
            "object_id": self.task_id,
            "event_type": self.happening,
            "event_date": timestamp(self.at),
            "parent_project_id": self.project_id,
            "parent_item_id": None,
            "initiator_id": user_id,
            "extra_data": {"content": self.content, "client": "Sandbox"},
        }


class Account:
    """One person's tasks. Every change gets the next number, so that a sync can ask what came after."""

    def __init__(self, name: str, clock: Clock) -> None:
        """Start from the persona as it looks now."""
        self._clock = clock
        first = seed(name, clock.now())
        self.user: User = first.user
        self.projects = first.projects
        self.labels = first.labels
        self.life = secrets.token_hex(4)
        self.executed: dict[str, Any] = {}
        self.sequence = 0
        self.activities: list[Activity] = [_past_activity(task) for task in first.tasks if task.completed_at]
        self._tasks = {task.id: task for task in first.tasks}
        self._last_order = max((task.order for task in first.tasks), default=0)
        self._changed: dict[str, int] = {}
        self._news: list[Change] = []

    def now(self) -> datetime:
        """Return the present moment."""
        return self._clock.now()

    def today(self) -> date:
        """Return the owner's calendar day."""
        return self.user.today(self.now())

    def active(self) -> list[Task]:
        """Return the tasks in the lists, in their order."""
        return sorted((task for task in self._tasks.values() if task.is_active), key=lambda task: (task.order, task.id))

    def completed(self) -> list[tuple[datetime, Task]]:
        """Return what was completed and did not recur, the latest first."""
        done = [(task.completed_at, task) for task in self._tasks.values() if task.completed_at and not task.is_deleted]
        return sorted(done, key=lambda pair: (pair[0], pair[1].id), reverse=True)

    def changed_since(self, sequence: int) -> list[Task]:
        """Return every task that changed after a number, done and deleted ones included."""
        return [self._tasks[task_id] for task_id, number in self._changed.items() if number > sequence]

    def has_task(self, task_id: str) -> bool:
        """Whether the account holds a task, open or not."""
        return task_id in self._tasks

    def task(self, task_id: str) -> Task:
        """Return a task that is not deleted."""
        task = self._tasks.get(task_id)
        if task is None or task.is_deleted:
            raise not_found("Task")
        return task

    def has_project(self, project_id: str) -> bool:
        """Say whether a project is the owner's."""
        return any(project.id == project_id for project in self.projects)

    def inbox_id(self) -> str:
        """Return the project that tasks without one go to."""
        return self.projects[0].id

    def add(self, draft: Draft) -> Task:
        """Create a task at the end of the lists."""
        now = self.now()
        self._last_order += 1
        fields = {name: getattr(draft, name) for name in Draft.__slots__}
        task = Task(id=new_id(), user_id=self.user.id, order=self._last_order, added_at=now, updated_at=now, **fields)
        return self._keep("added", task, None, None)

    def update(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        """Change what a task says."""
        before = self.task(task_id)
        return self._keep("updated", change(before), before, "item_updated")

    def close(self, task_id: str) -> Task:
        """Complete a task; a recurring one moves to its next occurrence instead. Closing twice changes nothing."""
        before = self.task(task_id)
        if before.completed_at is not None:
            return before
        count = before.completed_count + 1
        if before.due is not None and before.due.is_recurring:
            moved = replace(before, due=before.due.next_after(self.today()), completed_count=count)
            return self._keep("completed", moved, before, "item_completed")
        done = replace(before, completed_at=self.now(), completed_count=count)
        return self._keep("completed", done, before, None)

    def reopen(self, task_id: str) -> Task:
        """Bring a completed task back. Reopening an active one changes nothing."""
        before = self.task(task_id)
        if before.completed_at is None:
            return before
        return self._keep("uncompleted", replace(before, completed_at=None), before, "item_uncompleted")

    def delete(self, task_id: str) -> Task:
        """Remove a task; syncs still tell that it is gone."""
        before = self.task(task_id)
        return self._keep("deleted", replace(before, is_deleted=True), before, None)

    def begin_anew(self) -> None:
        """Take every cursor for one of an earlier life."""
        self.life = secrets.token_hex(4)

    def take_news(self) -> list[Change]:
        """Return the changes not yet told to anybody, once."""
        news, self._news = self._news, []
        return news

    def _keep(self, happening: Happening, task: Task, before: Task | None, intent: Intent | None) -> Task:
        now = self.now()
        kept = replace(task, updated_at=now)
        self.sequence += 1
        self._tasks[kept.id] = kept
        self._changed[kept.id] = self.sequence
        self.activities.append(Activity(new_id(), happening, kept.id, kept.project_id, now, kept.content))
        self._news.append(Change(happening, kept, before, intent, now))
        return kept


class Store:
    """All accounts; each is built when it is first asked for."""

    def __init__(self, clock: Clock) -> None:
        """Start without any."""
        self._clock = clock
        self._accounts: dict[str, Account] = {}

    def account(self, name: str) -> Account:
        """Return an account by name."""
        if name not in self._accounts:
            self._accounts[name] = Account(name, self._clock)
        return self._accounts[name]

    def holder(self, task_id: str) -> Account | None:
        """Return the account that holds a task."""
        return next((account for account in self._accounts.values() if account.has_task(task_id)), None)

    def forget_cursors(self) -> None:
        """Give every account another life: what was told before, and deleted since, is remembered no more."""
        for account in self._accounts.values():
            account.begin_anew()

    def reset(self) -> None:
        """Forget what was done: every account starts again from the persona."""
        self._accounts.clear()


def _past_activity(task: Task) -> Activity:
    done_at = task.completed_at or task.updated_at
    return Activity(stable_id(task.id, "done"), "completed", task.id, task.project_id, done_at, task.content)
