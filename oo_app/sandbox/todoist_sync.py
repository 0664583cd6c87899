"""The sync call of the sandbox's Todoist: everything at first, then only what changed, and commands run once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from oo_app.sandbox.signing import Signer
from oo_app.sandbox.todoist_arguments import apply, read_draft
from oo_app.sandbox.todoist_door import Door
from oo_app.sandbox.todoist_errors import TodoistRefused, forbidden, invalid_argument
from oo_app.sandbox.todoist_grants import Grant
from oo_app.sandbox.todoist_model import Task, timestamp
from oo_app.sandbox.todoist_rest import user_json
from oo_app.sandbox.todoist_store import Account

MOST_COMMANDS = 100
FULL = "*"
SCOPES = {
    "item_add": "task:add",
    "item_update": "data:read_write",
    "item_close": "data:read_write",
    "item_complete": "data:read_write",
    "item_uncomplete": "data:read_write",
    "item_delete": "data:delete",
}


@dataclass(frozen=True, slots=True)
class Command:
    """One write of a sync."""

    kind: str
    uuid: str
    temp_id: str | None
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A sync as it was asked for. `since` is None when everything is wanted."""

    since: int | None
    resources: frozenset[str]
    commands: tuple[Command, ...]


class TodoistSync:
    """POST /sync."""

    def __init__(self, door: Door, signer: Signer) -> None:
        """Seal sync tokens with the signer."""
        self._door = door
        self._signer = signer

    async def sync(self, request: Request, account: Account, grant: Grant) -> Response:
        """Run the commands, then tell what changed."""
        asked = self._read(await _fields(request), account)
        self._door.count(grant, "full_sync" if asked.since is None else "sync")
        if not grant.allows("data:read") and asked.resources:
            raise forbidden("data:read")
        temp_ids: dict[str, str] = {}
        status = {command.uuid: _run_once(account, grant, command, temp_ids) for command in asked.commands}
        answer = self._answer(account, asked)
        if asked.commands:
            answer |= {"sync_status": status, "temp_id_mapping": temp_ids}
        return JSONResponse(answer)

    def _read(self, fields: Mapping[str, Any], account: Account) -> Asked:
        resources = _json_list(fields, "resource_types")
        commands = tuple(_command(raw) for raw in _json_list(fields, "commands"))
        if len(commands) > MOST_COMMANDS:
            raise invalid_argument("commands", f"More than {MOST_COMMANDS} commands")
        return Asked(self._since(fields, account), frozenset(resources), commands)

    def _since(self, fields: Mapping[str, Any], account: Account) -> int | None:
        token = fields.get("sync_token", FULL if fields.get("resource_types") else self._token(account))
        if token == FULL:
            return None
        content = self._signer.open("todoist sync", str(token))
        if content is None or content["user"] != account.user.id:
            raise invalid_argument("sync_token", "Sync token is invalid")
        # A token of an earlier run is honest but stale: the memory behind it is gone, so everything is sent again.
        return content["sequence"] if content["life"] == account.life else None

    def _answer(self, account: Account, asked: Asked) -> dict[str, Any]:
        answer: dict[str, Any] = {"sync_token": self._token(account), "full_sync": asked.since is None}
        if asked.since is None:
            answer["full_sync_date_utc"] = timestamp(account.now())
        tasks = account.active() if asked.since is None else account.changed_since(asked.since)
        if asked.resources & {"items", "all"}:
            answer["items"] = [task.as_json() for task in tasks]
        return answer | _surroundings(account, asked)

    def _token(self, account: Account) -> str:
        content = {"user": account.user.id, "life": account.life, "sequence": account.sequence}
        return self._signer.seal("todoist sync", content)


def _surroundings(account: Account, asked: Asked) -> dict[str, Any]:
    # Projects, labels and the owner never change here, so an incremental answer has none of them.
    is_full = asked.since is None
    wanted = {"projects", "labels", "user"} if "all" in asked.resources else asked.resources
    answer: dict[str, Any] = {}
    if "projects" in wanted:
        answer["projects"] = [project.as_json() for project in account.projects] if is_full else []
    if "labels" in wanted:
        answer["labels"] = [label.as_json() for label in account.labels] if is_full else []
    if "user" in wanted and is_full:
        answer["user"] = user_json(account)
    return answer


def _run_once(account: Account, grant: Grant, command: Command, temp_ids: dict[str, str]) -> Any:
    if command.uuid not in account.executed:
        account.executed[command.uuid] = _status(account, grant, command, temp_ids)
    return account.executed[command.uuid]


def _status(account: Account, grant: Grant, command: Command, temp_ids: dict[str, str]) -> Any:
    try:
        task = _run(account, grant, command, temp_ids)
    except TodoistRefused as refused:
        return refused.as_json()
    if command.temp_id is not None:
        temp_ids[command.temp_id] = task.id
    return "ok"


def _run(account: Account, grant: Grant, command: Command, temp_ids: dict[str, str]) -> Task:
    scope = SCOPES.get(command.kind)
    if scope is None:
        raise invalid_argument("type", "The sandbox does not know this command")
    if not grant.allows(scope):
        raise forbidden(scope)
    if command.kind == "item_add":
        return account.add(read_draft(account, command.args))
    named = str(command.args.get("id", ""))
    task_id = temp_ids.get(named, named)
    match command.kind:
        case "item_update":
            return account.update(task_id, lambda task: apply(account, command.args, task))
        case "item_uncomplete":
            return account.reopen(task_id)
        case "item_delete":
            return account.delete(task_id)
        case _:
            return account.close(task_id)


def _command(raw: Any) -> Command:
    if not isinstance(raw, dict):
        raise invalid_argument("commands", "Must be objects")
    given = cast("dict[str, Any]", raw)
    kind, uuid, args, temp_id = given.get("type"), given.get("uuid"), given.get("args", {}), given.get("temp_id")
    if not isinstance(kind, str) or not isinstance(uuid, str) or not isinstance(args, dict):
        raise invalid_argument("commands", "A command has type, uuid and args")
    return Command(kind, uuid, temp_id if isinstance(temp_id, str) else None, cast("dict[str, Any]", args))


def _json_list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name, [])
    try:
        read: Any = json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise invalid_argument(name, "Must be a JSON list") from error
    if not isinstance(read, list):
        raise invalid_argument(name, "Must be a list")
    return cast("list[Any]", read)


async def _fields(request: Request) -> Mapping[str, Any]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        return dict(await request.form())
    try:
        body: Any = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise invalid_argument("body", "Must be JSON") from error
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}
