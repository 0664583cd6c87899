"""Todoist, unified API v1 (developer.todoist.com/api/v1): tasks by incremental sync, completion by one-time command."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Any, TypedDict, cast

from oo_app.kit.config import Settings
from oo_app.kit.errors import SourceDown
from oo_app.kit.http import Answer
from oo_app.sources.source import (
    CompletionRefused,
    Door,
    Due,
    Item,
    NotPermitted,
    OAuth,
    Owner,
    Pull,
    TokenRefused,
    is_tellable,
)

SCOPE = "data:read_write"
FULL = "*"
RESOURCES = json.dumps(["items", "projects", "user"])
NOT_FOUND_CODES = frozenset({478, 22})
SUCCESS = range(200, 300)
FINAL = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN})
DETAIL_LENGTH = 500
MINUTES_OF_A_DAY = 1440
MOST_COUNTED = 2**31 - 1
COMPLETED_SINCE = timedelta(days=1)  # what was completed earlier changes no reward
PAGE = 200
MOST_PAGES = 10


class _Told(TypedDict):
    """What incremental answers leave out, kept in the cursor: the projects' names by id, and who the person is."""

    projects: dict[str, str]
    owner: str


class Todoist:
    """The source. A full sync is followed by an incremental one, since it may be stale for big accounts."""

    name = "todoist"
    title = "Todoist"

    def oauth(self, settings: Settings) -> OAuth | None:
        """Return the app's registration, when there is one."""
        if not settings.todoist_client_id:
            return None
        return OAuth(
            authorize_url=settings.todoist_auth_url,
            token_url=settings.todoist_token_url,
            client_id=settings.todoist_client_id,
            client_secret=settings.todoist_client_secret.get_secret_value(),
            scope=SCOPE,
        )

    async def pull(self, door: Door, cursor: str | None) -> Pull:
        """Read items, projects and the user; an unknown cursor falls back to a full reading.

        A full answer tells of what is open only, so what was completed in the last day is asked for besides.
        Incremental answers hold changed projects only, so the cursor carries the names of the others. Of a project
        that is archived or deleted they tell nothing but that, so what became of its items takes a full reading too.
        """
        token, told = _read_cursor(cursor)
        first = await self._sync(door, token)
        if not first or _has_lost_project(first):
            first = await self._sync(door, FULL)
        is_full = bool(first.get("full_sync"))
        told = _told({"projects": {}, "owner": told["owner"]} if is_full else told, first)
        items = _items(door, first, told)
        token = str(first["sync_token"])
        if is_full and (second := await self._sync(door, token)) and not second.get("full_sync"):
            told = _told(told, second)
            items |= _items(door, second, told)
            token = str(second["sync_token"])
        if is_full:
            items = {**await self._completed(door, told), **items}
        return Pull(
            items=tuple(items.values()),
            cursor=json.dumps([token, told]),
            is_full=is_full,
            owner=_owner(first.get("user")),
        )

    def owner_in(self, cursor: str) -> str | None:
        """Return the owner's id; cursors of earlier versions do not have it."""
        return _read_cursor(cursor)[1]["owner"] or None

    async def complete(self, door: Door, external_id: str, command_id: str) -> None:
        """Send `item_close`, which also handles recurring tasks; the same uuid is executed once only."""
        command = {"type": "item_close", "uuid": command_id, "args": {"id": external_id}}
        data = _object(await _post(door, "/sync", {"commands": json.dumps([command])}, is_repeatable=True))
        status = _mapping(data.get("sync_status")).get(command_id)
        if status == "ok":
            return
        error = _mapping(status)
        if error.get("error_code") in NOT_FOUND_CODES or error.get("http_code") == HTTPStatus.NOT_FOUND:
            return
        if error.get("http_code") in FINAL:
            raise CompletionRefused(str(error.get("error_tag")))
        raise SourceDown(None, cause=str(error.get("error_tag")))

    async def revoke(self, door: Door) -> None:
        """Revoke the access token, and with it the grant."""
        auth = self.oauth(door.settings)
        if auth is None:
            return
        params = {"client_id": auth.client_id, "client_secret": auth.client_secret, "access_token": door.access_token}
        url = f"{door.settings.todoist_api_url}/access_tokens"
        answer = await door.http.send("DELETE", url, params=params)
        if answer.status not in SUCCESS:
            raise SourceDown(None, status=answer.status)

    async def _completed(self, door: Door, told: _Told) -> dict[str, Item]:
        """Read what was completed in the last day; where that cannot be had, what is open is worth having alone."""
        times = {"since": door.now - COMPLETED_SINCE, "until": door.now}
        params = {name: f"{at:%Y-%m-%dT%H:%M:%SZ}" for name, at in times.items()} | {"limit": str(PAGE)}
        headers = {"Authorization": f"Bearer {door.access_token}"}
        url = f"{door.settings.todoist_api_url}/tasks/completed/by_completion_date"
        done: dict[str, Item] = {}
        with suppress(SourceDown):
            for _ in range(MOST_PAGES):
                answer = await door.http.send("GET", url, params=params, headers=headers)
                if answer.status == HTTPStatus.FORBIDDEN:
                    break  # not on every plan; the grant is none the worse
                data = _object(_allowed(answer))
                done |= {name: item for name, item in _items(door, data, told).items() if not item.is_open}
                if not (cursor := _text(data.get("next_cursor"))):
                    break
                params["cursor"] = cursor
        return done

    async def _sync(self, door: Door, token: str) -> Mapping[str, Any]:
        """Ask once; the answer is empty where the cursor is not known."""
        answer = await _post(door, "/sync", {"sync_token": token, "resource_types": RESOURCES}, is_repeatable=True)
        if answer.status == HTTPStatus.BAD_REQUEST and token != FULL:
            return {}
        data = _object(answer)
        if not isinstance(data.get("sync_token"), str) or not isinstance(data.get("items", []), list):
            raise SourceDown(None, cause="no sync_token")
        return data


SOURCE = Todoist()


async def _post(door: Door, path: str, form: Mapping[str, str], *, is_repeatable: bool) -> Answer:
    headers = {"Authorization": f"Bearer {door.access_token}"}
    url = f"{door.settings.todoist_api_url}{path}"
    return _allowed(await door.http.send("POST", url, headers=headers, form=form, is_repeatable=is_repeatable))


def _allowed(answer: Answer) -> Answer:
    """Return an answer that is none of the refusals every call may meet."""
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise TokenRefused
    if answer.status == HTTPStatus.FORBIDDEN:
        raise NotPermitted
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise SourceDown(None, retry_after=answer.retry_after or _wish(answer), status=answer.status)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SourceDown(None, retry_after=answer.retry_after, status=answer.status)
    return answer


def _wish(answer: Answer) -> float:
    """Return the pause that only the body of a refusal tells."""
    return float(_int(_mapping(_mapping(answer.json()).get("error_extra")).get("retry_after"), 0))


def _object(answer: Answer) -> Mapping[str, Any]:
    data = answer.json()
    if answer.status != HTTPStatus.OK or not isinstance(data, dict):
        raise SourceDown(None, status=answer.status)
    return cast("Mapping[str, Any]", data)


def _items(door: Door, data: Mapping[str, Any], told: _Told) -> dict[str, Item]:
    # A task's page stands beside the consent page, at Todoist as in the sandbox.
    link = door.settings.todoist_auth_url.removesuffix("/oauth/authorize") + "/app/task/"
    rows = map(_mapping, _list(data.get("items")))
    return {item.external_id: item for row in rows if (item := _item(row, told, link)) is not None}


def _item(row: Mapping[str, Any], told: _Told, link: str) -> Item | None:
    """Read a task, forgiving about everything but its id: fields may be missing in incremental answers."""
    task_id = _text(row.get("id"))
    if not task_id:
        return None
    is_open = not (row.get("checked") or row.get("is_deleted"))
    content = _text(row.get("content"))
    due = _mapping(row.get("due"))
    return Item(
        external_id=task_id,
        is_open=is_open,
        content=content,
        detail=_detail(row, told["projects"]),
        url=link + task_id,
        due=_due(due),
        deadline_on=_date(_mapping(row.get("deadline")).get("date")),
        priority=min(max(_int(row.get("priority"), 1), 1), 4),
        is_recurring=bool(due.get("is_recurring")),
        is_completable=not content.startswith("* ") and _is_mine(row, told["owner"]),
        minutes=_minutes(_mapping(row.get("duration"))),
        created_at=_moment(row.get("added_at")),
        completed_at=_completed_at(row, is_recurring=bool(due.get("is_recurring"))),
        completed_count=_count(row.get("completed_count")),
    )


def _completed_at(row: Mapping[str, Any], *, is_recurring: bool) -> datetime | None:
    """Read when a task was completed; of one that recurs and goes on, when it last changed is the nearest there is."""
    changed_at = _moment(row.get("updated_at"))
    if row.get("checked"):
        return _moment(row.get("completed_at")) or changed_at
    return changed_at if is_recurring and not row.get("is_deleted") else None


def _detail(row: Mapping[str, Any], projects: Mapping[str, str]) -> str:
    description = _text(row.get("description")).strip()[:DETAIL_LENGTH]
    project = projects.get(str(row.get("project_id")), "")
    return description or project


def _minutes(duration: Mapping[str, Any]) -> int | None:
    amount = min(_int(duration.get("amount"), 0), MINUTES_OF_A_DAY)
    return amount if amount > 0 and duration.get("unit") == "minute" else None


def _due(due: Mapping[str, Any]) -> Due:
    """Read the three forms: a day, a floating time without zone, a fixed time with Z; anything else is no due date."""
    text = due.get("date")
    if not isinstance(text, str):
        return Due()
    try:
        if "T" not in text:
            return Due(on=_date(text))
        if (fixed := _moment(text)) is not None:
            return Due(at=fixed)
        return Due(floating=datetime.fromisoformat(text).replace(tzinfo=None))
    except ValueError:
        return Due()


def _date(text: object) -> date | None:
    try:
        day = date.fromisoformat(text[:10]) if isinstance(text, str) else None
    except ValueError:
        return None
    return day if day is not None and is_tellable(day) else None


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):  # the latter at the ends of the calendar
        return None


def _text(value: object) -> str:
    """Read a text; half a surrogate pair, which JSON may hold and nothing can store, becomes a question mark."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def _is_mine(row: Mapping[str, Any], owner: str) -> bool:
    """Tell whether a task is the person's to do: in a shared project it may be somebody else's."""
    responsible = row.get("responsible_uid")
    return responsible is None or not owner or str(responsible) == owner


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= MOST_COUNTED else None


def _int(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _read_cursor(cursor: str | None) -> tuple[str, _Told]:
    """Open a cursor; one that an earlier version wrote holds too little, so everything is read again."""
    parts: tuple[str, dict[str, Any]] = json.loads(cursor) if cursor else (FULL, {})
    token, told = parts
    return (token, cast("_Told", told)) if "owner" in told else (FULL, {"projects": {}, "owner": ""})


def _told(known: _Told, data: Mapping[str, Any]) -> _Told:
    rows = map(_mapping, _list(data.get("projects")))
    owner = _owner(data.get("user"))
    return {
        "projects": {**known["projects"], **{str(row["id"]): _text(row.get("name")) for row in rows if "id" in row}},
        "owner": owner.external_id if owner else known["owner"],
    }


def _has_lost_project(data: Mapping[str, Any]) -> bool:
    rows = map(_mapping, _list(data.get("projects")))
    return not data.get("full_sync") and any(row.get("is_archived") or row.get("is_deleted") for row in rows)


def _owner(user: object) -> Owner | None:
    row = _mapping(user)
    if "id" not in row:
        return None
    zone = _mapping(row.get("tz_info")).get("timezone")
    return Owner(external_id=_text(str(row["id"])), time_zone=zone if isinstance(zone, str) else None)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
