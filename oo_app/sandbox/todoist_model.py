"""The objects of the sandbox's Todoist, and their JSON as API v1 writes it."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from oo_app.sandbox.todoist_due import Due

ID_LETTERS = "23456789CFGHJMPQRVWXcfghjmpqrvwx"


@dataclass(frozen=True, slots=True)
class User:
    """The owner of an account."""

    id: str
    name: str
    email: str
    full_name: str
    zone: str

    def today(self, now: datetime) -> date:
        """Return the calendar day where the owner lives."""
        return now.astimezone(ZoneInfo(self.zone)).date()


@dataclass(frozen=True, slots=True)
class Project:
    """A list of tasks."""

    id: str
    name: str
    color: str
    order: int
    is_inbox: bool
    is_favorite: bool
    created_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Return the object of the API."""
        return {
            "id": self.id,
            "name": self.name,
            "description": "",
            "parent_id": None,
            "folder_id": None,
            "workspace_id": None,
            "child_order": self.order,
            "color": self.color,
            "is_shared": False,
            "is_collapsed": False,
            "is_favorite": self.is_favorite,
            "inbox_project": self.is_inbox,
            "is_archived": False,
            "is_deleted": False,
            "can_assign_tasks": False,
            "view_style": "list",
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.created_at),
        }


@dataclass(frozen=True, slots=True)
class Label:
    """A personal label; tasks refer to it by name."""

    id: str
    name: str
    color: str
    order: int

    def as_json(self) -> dict[str, Any]:
        """Return the object of the API."""
        return {"id": self.id, "name": self.name, "color": self.color, "order": self.order, "is_favorite": False}


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a task takes."""

    amount: int
    unit: Literal["minute", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task in one of its states; a change makes a new one."""

    id: str
    user_id: str
    project_id: str
    content: str
    order: int
    added_at: datetime
    updated_at: datetime
    description: str = ""
    priority: int = 1
    labels: tuple[str, ...] = ()
    due: Due | None = None
    deadline: date | None = None
    duration: Duration | None = None
    parent_id: str | None = None
    section_id: str | None = None
    completed_at: datetime | None = None
    completed_count: int = 0
    is_deleted: bool = False

    @property
    def is_recurring(self) -> bool:
        """Say whether closing it moves it instead."""
        return self.due is not None and self.due.is_recurring

    @property
    def is_active(self) -> bool:
        """Say whether it stands in the lists."""
        return self.completed_at is None and not self.is_deleted

    def as_json(self) -> dict[str, Any]:
        """Return the object of the API."""
        done = self.completed_at is not None
        return {
            "id": self.id,
            "user_id": self.user_id,
            "project_id": self.project_id,
            "section_id": self.section_id,
            "parent_id": self.parent_id,
            "added_by_uid": self.user_id,
            "assigned_by_uid": None,
            "responsible_uid": None,
            "labels": list(self.labels),
            "content": self.content,
            "description": self.description,
            "priority": self.priority,
            "child_order": self.order,
            "day_order": -1,
            "note_count": 0,
            "due": self.due.as_json() if self.due else None,
            "deadline": {"date": self.deadline.isoformat(), "lang": "en"} if self.deadline else None,
            "duration": {"amount": self.duration.amount, "unit": self.duration.unit} if self.duration else None,
            "checked": done,
            "is_deleted": self.is_deleted,
            "is_collapsed": False,
            "added_at": timestamp(self.added_at),
            "updated_at": timestamp(self.updated_at),
            "completed_at": timestamp(self.completed_at) if self.completed_at else None,
            "completed_by_uid": self.user_id if done else None,
            "completed_count": self.completed_count,
        }


def timestamp(moment: datetime) -> str:
    """Write a moment as the API does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def stable_id(*parts: str) -> str:
    """Return 16 characters that look like an id of API v1 and are the same for the same parts."""
    return _id(hashlib.sha256("\n".join(parts).encode()).digest())


def new_id() -> str:
    """Return a fresh id of 16 characters."""
    return _id(secrets.token_bytes(16))


def _id(raw: bytes) -> str:
    return "6" + "".join(ID_LETTERS[byte % len(ID_LETTERS)] for byte in raw[:15])
