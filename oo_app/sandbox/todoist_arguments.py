"""Reads what a caller says about a task, in the words of REST calls or of sync commands, and refuses what is wrong."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Literal, cast

from oo_app.sandbox.todoist_due import Due, parse_exact, parse_phrase
from oo_app.sandbox.todoist_errors import invalid_argument
from oo_app.sandbox.todoist_model import Duration, Task
from oo_app.sandbox.todoist_store import Account, Draft

Arguments = Mapping[str, Any]
DUE_KEYS = ("due_string", "due_date", "due_datetime")
LONGEST_TITLE = 500


def read_draft(account: Account, arguments: Arguments) -> Draft:
    """Return the task that the arguments describe."""
    blank = Draft(project_id=account.inbox_id(), content="")
    if not _text(arguments, "content"):
        raise invalid_argument("content", "Required argument is missing")
    return replace(blank, **_changes(account, arguments))


def apply(account: Account, arguments: Arguments, task: Task) -> Task:
    """Return the task with what the arguments change."""
    return replace(task, **_changes(account, arguments))


def _changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in ("parent_id", "section_id"):
        if name in arguments:
            changes[name] = _text(arguments, name)
    for name in ("content", "description"):
        if name in arguments:
            changes[name] = _text(arguments, name) or ""
    if "content" in changes and not 0 < len(changes["content"]) <= LONGEST_TITLE:
        raise invalid_argument("content", f"Must have 1 to {LONGEST_TITLE} characters")
    if "project_id" in arguments:
        changes["project_id"] = _project(account, arguments)
    if "priority" in arguments:
        changes["priority"] = _priority(arguments)
    if "labels" in arguments:
        changes["labels"] = _labels(arguments)
    return changes | _due_change(account, arguments) | _deadline_change(arguments) | _duration_change(arguments)


def _project(account: Account, arguments: Arguments) -> str:
    project_id = _text(arguments, "project_id") or ""
    if not account.has_project(project_id):
        raise invalid_argument("project_id", "Project not found")
    return project_id


def _priority(arguments: Arguments) -> int:
    priority = arguments["priority"]
    if not isinstance(priority, int) or not 1 <= priority <= 4:
        raise invalid_argument("priority", "Must be 1 to 4")
    return priority


def _labels(arguments: Arguments) -> tuple[str, ...]:
    labels = arguments["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in cast("list[Any]", labels)):
        raise invalid_argument("labels", "Must be a list of names")
    return tuple(cast("list[str]", labels))


def _due_change(account: Account, arguments: Arguments) -> dict[str, Due | None]:
    given = [key for key in DUE_KEYS if arguments.get(key) is not None]
    if len(given) > 1:
        raise invalid_argument(given[1], f"Cannot be used together with {given[0]}")
    if given:
        return {"due": _due(account, given[0], _text(arguments, given[0]) or "")}
    # Sync commands write the due date as an object, or null to clear it.
    if "due" in arguments:
        return {"due": _due_object(account, arguments["due"])}
    return {}


def _due_object(account: Account, due: Any) -> Due | None:
    if due is None:
        return None
    if not isinstance(due, dict):
        raise invalid_argument("due", "Must be an object")
    given = cast("dict[str, Any]", due)
    if given.get("date") and not given.get("is_recurring"):
        return _due(account, "due_date", str(given["date"]))
    return _due(account, "due_string", str(given.get("string") or ""))


def _due(account: Account, argument: str, text: str) -> Due | None:
    try:
        if argument == "due_string":
            return parse_phrase(text, account.today())
        return parse_exact(text, account.user.zone)
    except ValueError as error:
        raise invalid_argument(argument, "Date is invalid") from error


def _deadline_change(arguments: Arguments) -> dict[str, date | None]:
    if "deadline_date" not in arguments:
        return {}
    text = _text(arguments, "deadline_date")
    try:
        return {"deadline": date.fromisoformat(text) if text else None}
    except ValueError as error:
        raise invalid_argument("deadline_date", "Date is invalid") from error


def _duration_change(arguments: Arguments) -> dict[str, Duration | None]:
    if "duration" not in arguments and "duration_unit" not in arguments:
        return {}
    amount, unit = arguments.get("duration"), arguments.get("duration_unit")
    if isinstance(amount, dict):  # as sync commands write it
        given = cast("dict[str, Any]", amount)
        amount, unit = given.get("amount"), given.get("unit")
    if amount is None and unit is None:
        return {"duration": None}
    if not isinstance(amount, int) or amount < 1 or unit not in {"minute", "day"}:
        raise invalid_argument("duration", "duration and duration_unit must be given together")
    return {"duration": Duration(amount, cast("Literal['minute', 'day']", unit))}


def _text(arguments: Arguments, name: str) -> str | None:
    value = arguments.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid_argument(name, "Must be a text")
    return value
