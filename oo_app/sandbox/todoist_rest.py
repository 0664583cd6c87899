"""The REST calls of the sandbox's Todoist, API v1."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from oo_app.sandbox.todoist_arguments import Arguments, apply, read_draft
from oo_app.sandbox.todoist_door import Door
from oo_app.sandbox.todoist_errors import invalid_argument, not_found
from oo_app.sandbox.todoist_filter import matching
from oo_app.sandbox.todoist_model import Task, User
from oo_app.sandbox.todoist_paging import Pager
from oo_app.sandbox.todoist_store import Account

LONGEST_SPAN = timedelta(days=93)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)


class TodoistRest:
    """The calls about tasks and what surrounds them."""

    def __init__(self, door: Door, pager: Pager) -> None:
        """Serve what comes through the door."""
        self._door = door
        self._pager = pager

    def routes(self) -> Sequence[Route]:
        """Return the routes below /sandbox/todoist/api/v1."""
        needs = self._door.needs
        return (
            Route("/tasks", needs("data:read", self._list), methods=["GET"]),
            Route("/tasks", needs("task:add", self._add), methods=["POST"]),
            Route("/tasks/filter", needs("data:read", self._filter), methods=["GET"]),
            Route("/tasks/completed/by_completion_date", needs("data:read", self._completed), methods=["GET"]),
            Route("/tasks/{id}", needs("data:read", self._get), methods=["GET"]),
            Route("/tasks/{id}", needs("data:read_write", self._update), methods=["POST"]),
            Route("/tasks/{id}", needs("data:delete", self._delete), methods=["DELETE"]),
            Route("/tasks/{id}/close", needs("data:read_write", self._close), methods=["POST"]),
            Route("/tasks/{id}/reopen", needs("data:read_write", self._reopen), methods=["POST"]),
            Route("/projects", needs("data:read", self._projects), methods=["GET"]),
            Route("/projects/{id}", needs("data:read", self._project), methods=["GET"]),
            Route("/labels", needs("data:read", self._labels), methods=["GET"]),
            Route("/user", needs("data:read", self._user), methods=["GET"]),
            Route("/activities", needs("data:read", self._activities), methods=["GET"]),
        )

    async def _list(self, request: Request, account: Account) -> Response:
        tasks = [task for task in account.active() if _is_asked_for(task, request)]
        return JSONResponse(self._pager.page(request, account, _rows(tasks)))

    async def _filter(self, request: Request, account: Account) -> Response:
        tasks = matching(account, request.query_params.get("query", ""))
        return JSONResponse(self._pager.page(request, account, _rows(tasks)))

    async def _completed(self, request: Request, account: Account) -> Response:
        since, until = _moment(request, "since"), _moment(request, "until")
        if until - since > LONGEST_SPAN:
            raise invalid_argument("until", "The span must not be longer than 3 months")
        done = [(at, task) for at, task in account.completed() if since <= at <= until]
        rows = [(_latest_first(at, task.id), task.as_json()) for at, task in done]
        return JSONResponse(self._pager.page(request, account, sorted(rows, key=_key), field="items"))

    async def _get(self, request: Request, account: Account) -> Response:
        return JSONResponse(account.task(request.path_params["id"]).as_json())

    async def _add(self, request: Request, account: Account) -> Response:
        return JSONResponse(account.add(read_draft(account, await _body(request))).as_json())

    async def _update(self, request: Request, account: Account) -> Response:
        arguments = await _body(request)
        task = account.update(request.path_params["id"], lambda task: apply(account, arguments, task))
        return JSONResponse(task.as_json())

    async def _delete(self, request: Request, account: Account) -> Response:
        account.delete(request.path_params["id"])
        return Response(status_code=204)

    async def _close(self, request: Request, account: Account) -> Response:
        account.close(request.path_params["id"])
        return Response(status_code=204)

    async def _reopen(self, request: Request, account: Account) -> Response:
        account.reopen(request.path_params["id"])
        return Response(status_code=204)

    async def _projects(self, request: Request, account: Account) -> Response:
        rows = [(f"{project.order:06d}", project.as_json()) for project in account.projects]
        return JSONResponse(self._pager.page(request, account, rows))

    async def _project(self, request: Request, account: Account) -> Response:
        found = [project for project in account.projects if project.id == request.path_params["id"]]
        if not found:
            raise not_found("Project")
        return JSONResponse(found[0].as_json())

    async def _labels(self, request: Request, account: Account) -> Response:
        rows = [(f"{label.order:06d}", label.as_json()) for label in account.labels]
        return JSONResponse(self._pager.page(request, account, rows))

    async def _user(self, _: Request, account: Account) -> Response:
        return JSONResponse(user_json(account))

    async def _activities(self, request: Request, account: Account) -> Response:
        since = _moment(request, "date_from", datetime.min.replace(tzinfo=UTC))
        until = _moment(request, "date_to", LATEST)
        kinds = _event_types(request)
        rows = [
            (_latest_first(activity.at, activity.id), activity.as_json(account.user.id))
            for activity in account.activities
            if since <= activity.at < until and (kinds is None or f"item:{activity.happening}" in kinds)
        ]
        return JSONResponse(self._pager.page(request, account, sorted(rows, key=_key), most=100))


def user_json(account: Account) -> dict[str, Any]:
    """Return the owner as GET /user and a sync write it."""
    user, today = account.user, account.today()
    done = [at for at, _ in account.completed()]
    return {
        "id": user.id,
        "email": user.email,
        "full_name": user.full_name,
        "tz_info": _tz_info(user, account.now()),
        "inbox_project_id": account.inbox_id(),
        "daily_goal": 5,
        "weekly_goal": 25,
        "completed_today": sum(user.today(at) == today for at in done),
        "completed_count": len(done),
        "days_off": [6, 7],
        "start_day": 1,
        "weekend_start_day": 6,
        "karma": 4200.0,
        "karma_trend": "up",
        "lang": "en",
        "is_premium": False,
        "premium_status": "not_premium",
    }


def _tz_info(user: User, now: datetime) -> dict[str, Any]:
    local = now.astimezone(ZoneInfo(user.zone))
    minutes = int((local.utcoffset() or timedelta(0)).total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return {
        "timezone": user.zone,
        "gmt_string": f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}",
        "hours": minutes // 60,
        "minutes": minutes % 60,
        "is_dst": int(bool(local.dst())),
    }


def _is_asked_for(task: Task, request: Request) -> bool:
    query = request.query_params
    ids = query.get("ids")
    return (
        query.get("project_id", task.project_id) == task.project_id
        and query.get("section_id", task.section_id) == task.section_id
        and query.get("parent_id", task.parent_id) == task.parent_id
        and ("label" not in query or query["label"] in task.labels)
        and (ids is None or task.id in ids.split(","))
    )


def _rows(tasks: Iterable[Task]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{task.order:06d}{task.id}", task.as_json()) for task in tasks]


def _key(row: tuple[str, dict[str, Any]]) -> str:
    return row[0]


def _latest_first(at: datetime, row_id: str) -> str:
    return f"{(LATEST - at) // timedelta(microseconds=1):018d}{row_id}"


def _moment(request: Request, name: str, otherwise: datetime | None = None) -> datetime:
    text = request.query_params.get(name)
    if text is None and otherwise is not None:
        return otherwise
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError as error:
        raise invalid_argument(name, "Date is missing or invalid") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _event_types(request: Request) -> set[str] | None:
    text = request.query_params.get("object_event_types")
    if text is None:
        return None
    try:
        return set(json.loads(text))
    except (ValueError, TypeError) as error:
        raise invalid_argument("object_event_types", "Must be a JSON list") from error


async def _body(request: Request) -> Arguments:
    try:
        body: Any = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise invalid_argument("body", "Must be JSON") from error
    if not isinstance(body, dict):
        raise invalid_argument("body", "Must be an object")
    return cast("Arguments", body)
