"""The small page of the sandbox's Todoist: see an account's tasks, add one, complete one."""

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from oo_app.sandbox.pages import page
from oo_app.sandbox.todoist_arguments import read_draft
from oo_app.sandbox.todoist_auth import ACCOUNT_NAME, ACCOUNTS
from oo_app.sandbox.todoist_door import Door
from oo_app.sandbox.todoist_errors import not_found
from oo_app.sandbox.todoist_model import Task
from oo_app.sandbox.todoist_store import Account


class TodoistPage:
    """GET shows, POST changes and comes back. There is no login: the account stands in the address."""

    def __init__(self, app_url: str, door: Door) -> None:
        """Change accounts through the door, so that webhooks tell of it."""
        self._app_url = app_url
        self._door = door

    def routes(self) -> Sequence[Route]:
        """Return the routes below /sandbox/todoist."""
        return (
            Route("/", self._show, methods=["GET"]),
            Route("/", self._change, methods=["POST"]),
            Route("/app/task/{task_id}", self._to_list, methods=["GET"]),
        )

    async def _show(self, request: Request) -> Response:
        account = self._account(request)
        body = _account_form(account) + _add_form() + _list(account)
        return page("Todoist, played by the sandbox", body, posts_to=self._app_url)

    async def _change(self, request: Request) -> Response:
        account = self._account(request)
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        if "complete" in form:
            account.close(form["complete"])
        else:
            given = {"content": form.get("content", ""), "due_string": form.get("due") or None}
            account.add(read_draft(account, given))
        back = RedirectResponse(f"?{urlencode({'account': account.user.name})}", status_code=303)
        return self._door.announcing(account, back)

    async def _to_list(self, request: Request) -> Response:
        """Lead a link to one task to the list it is in; the sandbox has no page of a single one."""
        account = self._door.store.holder(request.path_params["task_id"])
        query = f"?{urlencode({'account': account.user.name})}" if account else ""
        return RedirectResponse(f"../../{query}", status_code=303)

    def _account(self, request: Request) -> Account:
        name = request.query_params.get("account", ACCOUNTS[0])
        if not ACCOUNT_NAME.fullmatch(name):
            raise not_found("Account")
        return self._door.store.account(name)


def _account_form(account: Account) -> str:
    names = dict.fromkeys((*ACCOUNTS, account.user.name))
    options = "".join(
        f'<option value="{escape(name)}"{" selected" if name == account.user.name else ""}>{escape(name)}</option>'
        for name in names
    )
    return (
        '<form method="get"><label for="account">Account</label>'
        f'<select id="account" name="account">{options}</select><button>Show</button></form>'
    )


def _add_form() -> str:
    return (
        '<form method="post"><label for="content">New task</label>'
        '<input id="content" name="content" required maxlength="500" autocomplete="off">'
        '<label for="due">Due</label><input id="due" name="due" placeholder="tomorrow at 9" autocomplete="off">'
        "<button>Add task</button></form>"
    )


def _list(account: Account) -> str:
    tasks = account.active()
    if not tasks:
        return "<p>No tasks.</p>"
    names = {project.id: project.name for project in account.projects}
    rows = "".join(_row(task, names.get(task.project_id, "")) for task in tasks)
    return f'<h2>{len(tasks)} tasks</h2><form method="post"><ul>{rows}</ul></form>'


def _row(task: Task, project: str) -> str:
    facts = [project, f"p{5 - task.priority}", *(f"@{label}" for label in task.labels)]
    if task.due is not None:
        facts.append(f"{task.due.date_text()} {task.due.string if task.due.is_recurring else ''}".strip())
    return (
        f"<li><span>{escape(task.content)}<small>{escape(' · '.join(facts))}</small></span>"
        f'<button name="complete" value="{task.id}" aria-label="Complete {escape(task.content)}">Complete</button></li>'
    )
