"""The part of Todoist's filter language that the sandbox understands: `today | overdue`, `p1 & #Work`, `@phone`."""

from collections.abc import Callable

from oo_app.sandbox.todoist_errors import invalid_argument
from oo_app.sandbox.todoist_model import Task
from oo_app.sandbox.todoist_store import Account

Test = Callable[[Task], bool]


def matching(account: Account, query: str) -> list[Task]:
    """Return the active tasks that a filter selects."""
    wanted = [[_term(account, term) for term in part.split("&")] for part in query.split("|")]
    return [task for task in account.active() if any(all(test(task) for test in tests) for tests in wanted)]


def _term(account: Account, text: str) -> Test:
    term = text.strip()
    if term.startswith("!"):
        test = _term(account, term[1:])
        return lambda task: not test(task)
    if term.startswith("@"):
        return lambda task: term[1:] in task.labels
    if term.startswith("#"):
        ids = {project.id for project in account.projects if project.name.lower() == term[1:].lower()}
        return lambda task: task.project_id in ids
    return _word(account, term.lower())


def _word(account: Account, word: str) -> Test:
    today = account.today()
    words: dict[str, Test] = {
        "today": lambda task: task.due is not None and task.due.on == today,
        "overdue": lambda task: task.due is not None and task.due.on < today,
        "no date": lambda task: task.due is None,
        "recurring": lambda task: task.is_recurring,
        "all": lambda _: True,
        # p1 on the screen is priority 4 in the API.
        **{f"p{shown}": lambda task, value=5 - shown: task.priority == value for shown in range(1, 5)},
    }
    if word not in words:
        raise invalid_argument("query", "The sandbox does not know this filter")
    return words[word]
