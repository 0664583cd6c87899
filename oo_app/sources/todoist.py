"""Todoist, unified API v1 (developer.todoist.com/api/v1): tasks by incremental sync, completion by one-time command."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, TypedDict, cast

from oo_app.kit.config import Settings
from oo_app.kit.crypto import same
from oo_app.kit.errors import RateLimited, SourceDown, Unproven
from oo_app.kit.http import Answer, Http
from oo_app.sources.facts import Completion, Due, Item, Owner, Pull
from oo_app.sources.reading import array, body, count, day, mapping, moment, text, whole
from oo_app.sources.source import (
    Budget,
    Call,
    CompletionRefused,
    Door,
    Heard,
    NotPermitted,
    OAuth,
    Source,
    TokenRefused,
)

SCOPE = "data:read_write"
FULL = "*"
RESOURCES = json.dumps(["items", "projects", "user"])
NOT_FOUND_CODES = frozenset({478, 22})
SUCCESS = range(200, 300)
FINAL = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN})
DETAIL_LENGTH = 500
MINUTES_OF_A_DAY = 1440
MOST_LABELS = 50
COMPLETED_SINCE = timedelta(days=1)  # what was completed earlier changes no reward
HISTORY = timedelta(days=89)  # of the three months that may be asked for at once
PAGE = 200
MOST_PAGES = 10
HISTORY_PAGES = 30
ISO = "%Y-%m-%dT%H:%M:%SZ"
LOG_PAGE = 100
COMPLETED = json.dumps(["item:completed"])
SAME_MOMENT = timedelta(seconds=5)


class _Told(TypedDict):
    """What incremental answers leave out, kept in the cursor: the projects' names by id, and who the person is."""

    projects: dict[str, str]
    owner: str


class Todoist(Source):
    """The source. A full sync is followed by an incremental one, since it may be stale for big accounts."""

    name = "todoist"
    title = "Todoist"
    about = "Your tasks, and what you complete."
    has_webhooks = True
    budget = Budget(
        per_minute=6_000
    )  # the limits are each person's own: 1,000 partial and 100 full syncs in 15 minutes

    def every(self, settings: Settings) -> timedelta:
        """Return the interval of the settings."""
        return timedelta(milliseconds=settings.todoist_sync_interval_ms)

    async def oauth(self, http: Http, settings: Settings) -> OAuth | None:
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

        A full answer tells of what is open only, so what was completed in the last day is asked for besides, and for a
        new grant what was done in the last three months. Incremental answers hold changed projects only, so the cursor
        carries the names of the others. Of a project that is archived or deleted they tell nothing but that, so what
        became of its items takes a full reading too.
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
        history: list[Completion] = []
        if is_full:
            since = max(door.now - HISTORY, door.read_at or door.now - HISTORY) if cursor is None else door.now
            done = await self._completed(door, told, min(since, door.now - COMPLETED_SINCE))
            recent = {name: item for name, item in done.items() if _is_recent(item, door.now)}
            items = {**recent, **items}
            history = [*_past(done), *await self._log(door, since, done)] if cursor is None else []
        return Pull(
            items=tuple(items.values()),
            cursor=json.dumps([token, told]),
            is_full=is_full,
            owner=_owner(first.get("user")),
            completions=await self._uncounted(door, items) if not is_full else (),
            history=tuple(history),
        )

    def owner_in(self, cursor: str) -> str | None:
        """Return the owner's id; cursors of earlier versions do not have it."""
        return _read_cursor(cursor)[1]["owner"] or None

    async def complete(self, door: Door, external_id: str, command_id: str) -> None:
        """Send `item_close`, which also handles recurring tasks; the same uuid is executed once only."""
        command = {"type": "item_close", "uuid": command_id, "args": {"id": external_id}}
        data = body(await _post(door, "/sync", {"commands": json.dumps([command])}, is_repeatable=True))
        status = mapping(data.get("sync_status")).get(command_id)
        if status == "ok":
            return
        error = mapping(status)
        if error.get("error_code") in NOT_FOUND_CODES or error.get("http_code") == HTTPStatus.NOT_FOUND:
            return
        if error.get("http_code") in FINAL:
            raise CompletionRefused(str(error.get("error_tag")))
        raise SourceDown(None, cause=str(error.get("error_tag")))

    async def revoke(self, door: Door) -> None:
        """Revoke the access token, and with it the grant."""
        auth = await self.oauth(door.http, door.settings)
        if auth is None:
            return
        params = {"client_id": auth.client_id, "client_secret": auth.client_secret, "access_token": door.access_token}
        url = f"{door.settings.todoist_api_url}/access_tokens"
        answer = await door.http.send("DELETE", url, params=params)
        if answer.status not in SUCCESS:
            raise SourceDown(None, status=answer.status)

    def prove(self, settings: Settings, call: Call) -> None:
        """Check X-Todoist-Hmac-SHA256, made with the client's secret."""
        secret = settings.todoist_client_secret.get_secret_value().encode()
        told = base64.b64encode(hmac.new(secret, call.body, hashlib.sha256).digest()).decode()
        if not secret or not same(call.headers.get("x-todoist-hmac-sha256", ""), told):
            raise Unproven

    def hear(self, call: Call) -> Heard:
        """Read whose tasks changed, and which occurrence was done.

        A recurring task is not completed but moved: only `update_intent` tells that somebody did it.
        """
        data = _json(call.body)
        extra = mapping(data.get("event_data_extra"))
        task, before = mapping(data.get("event_data")), mapping(extra.get("old_item"))
        is_done = data.get("event_name") == "item:completed" or extra.get("update_intent") == "item_completed"
        at = moment(data.get("triggered_at"))
        occurrence = _due(mapping((before or task).get("due"))).name or None
        name = text(task.get("id"))
        return Heard(
            delivery_id=call.headers.get("x-todoist-delivery-id", ""),
            owner=text(str(data.get("user_id") or "")) or None,
            at=at,
            completions=(Completion(name, at, occurrence),) if is_done and name and at else (),
        )

    async def _completed(self, door: Door, told: _Told, since: datetime) -> dict[str, Item]:
        """Read what was completed since; where that cannot be had, what is open is worth having alone."""
        params = _span(since, door.now) | {"limit": str(PAGE)}
        most = MOST_PAGES if door.now - since <= COMPLETED_SINCE else HISTORY_PAGES
        done: dict[str, Item] = {}
        with suppress(SourceDown):
            async for data in _pages(door, "/tasks/completed/by_completion_date", params, most):
                done |= {name: item for name, item in _items(door, data, told).items() if not item.is_open}
        return done

    async def _log(self, door: Door, since: datetime, done: Mapping[str, Item]) -> list[Completion]:
        """Read from the activity log what recurs and was done: it is on no list of what is completed."""
        return [each for each in await self._logged(door, since) if each.external_id not in done]

    async def _uncounted(self, door: Door, items: Mapping[str, Item]) -> tuple[Completion, ...]:
        """Ask the log about recurring tasks that changed and whose completions are not counted: they may be done."""
        changed = {item.external_id: item for item in items.values() if item.is_recurring and item.is_open}
        asked = {name for name, item in changed.items() if item.completed_count is None}
        if not asked:
            return ()
        since = (door.read_at or door.now) - SAME_MOMENT
        return tuple(each for each in await self._logged(door, since) if each.external_id in asked)

    async def _logged(self, door: Door, since: datetime) -> list[Completion]:
        if since >= door.now:
            return []
        params = {
            "object_event_types": COMPLETED,
            "date_from": f"{since:{ISO}}",
            "date_to": f"{door.now:{ISO}}",
            "limit": str(LOG_PAGE),
        }
        found: list[Completion] = []
        with suppress(SourceDown):
            async for data in _pages(door, "/activities", params, HISTORY_PAGES):
                for row in map(mapping, array(data.get("results"))):
                    name, at = text(row.get("object_id")), moment(row.get("event_date"))
                    if name and at and row.get("event_type") == "completed":
                        found.append(Completion(name, at))
        return found

    async def _sync(self, door: Door, token: str) -> Mapping[str, Any]:
        """Ask once; the answer is empty where the cursor is not known."""
        answer = await _post(door, "/sync", {"sync_token": token, "resource_types": RESOURCES}, is_repeatable=True)
        if answer.status == HTTPStatus.BAD_REQUEST and token != FULL:
            return {}
        data = body(answer)
        if not isinstance(data.get("sync_token"), str) or not isinstance(data.get("items", []), list):
            raise SourceDown(None, cause="no sync_token")
        return data


SOURCE = Todoist()


async def _post(door: Door, path: str, form: Mapping[str, str], *, is_repeatable: bool) -> Answer:
    headers = {"Authorization": f"Bearer {door.access_token}"}
    url = f"{door.settings.todoist_api_url}{path}"
    return _allowed(await door.http.send("POST", url, headers=headers, form=form, is_repeatable=is_repeatable))


async def _pages(door: Door, path: str, params: dict[str, str], most: int) -> AsyncGenerator[Mapping[str, Any]]:
    """Read a list page by page; one that the plan or the grant does not allow is empty, the grant is none the worse."""
    headers = {"Authorization": f"Bearer {door.access_token}"}
    for _ in range(most):
        url = f"{door.settings.todoist_api_url}{path}"
        answer = await door.http.send("GET", url, params=params, headers=headers, is_repeatable=True)
        if answer.status == HTTPStatus.FORBIDDEN:
            return
        data = body(_allowed(answer))
        yield data
        if not (cursor := text(data.get("next_cursor"))):
            return
        params = params | {"cursor": cursor}


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        return mapping(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _span(since: datetime, until: datetime) -> dict[str, str]:
    return {"since": f"{since:{ISO}}", "until": f"{until:{ISO}}"}


def _past(done: Mapping[str, Item]) -> list[Completion]:
    return [Completion(item.external_id, item.completed_at) for item in done.values() if item.completed_at]


def _is_recent(item: Item, now: datetime) -> bool:
    return item.completed_at is None or item.completed_at >= now - COMPLETED_SINCE


def _allowed(answer: Answer) -> Answer:
    """Return an answer that is none of the refusals every call may meet."""
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise TokenRefused
    if answer.status == HTTPStatus.FORBIDDEN:
        raise NotPermitted
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise RateLimited(None, retry_after=answer.retry_after or _wish(answer), status=answer.status)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SourceDown(None, retry_after=answer.retry_after, status=answer.status)
    return answer


def _wish(answer: Answer) -> float:
    """Return the pause that only the body of a refusal tells."""
    return float(whole(mapping(mapping(answer.json()).get("error_extra")).get("retry_after"), 0))


def _items(door: Door, data: Mapping[str, Any], told: _Told) -> dict[str, Item]:
    # A task's page stands beside the consent page, at Todoist as in the sandbox.
    link = door.settings.todoist_auth_url.removesuffix("/oauth/authorize") + "/app/task/"
    rows = map(mapping, array(data.get("items")))
    return {item.external_id: item for row in rows if (item := _item(row, told, link)) is not None}


def _item(row: Mapping[str, Any], told: _Told, link: str) -> Item | None:
    """Read a task, forgiving about everything but its id: fields may be missing in incremental answers."""
    task_id = text(row.get("id"))
    if not task_id:
        return None
    is_open = not (row.get("checked") or row.get("is_deleted"))
    content = text(row.get("content"))
    due = mapping(row.get("due"))
    return Item(
        external_id=task_id,
        is_open=is_open,
        content=content,
        detail=_detail(row, told["projects"]),
        url=link + task_id,
        due=_due(due),
        deadline_on=day(mapping(row.get("deadline")).get("date")),
        priority=min(max(whole(row.get("priority"), 1), 1), 4),
        is_recurring=bool(due.get("is_recurring")),
        is_completable=not content.startswith("* ") and _is_mine(row, told["owner"]),
        minutes=_minutes(mapping(row.get("duration"))),
        labels=tuple(text(label) for label in array(row.get("labels"))[:MOST_LABELS]),
        created_at=moment(row.get("added_at")),
        changed_at=moment(row.get("updated_at")),
        completed_at=_completed_at(row, is_recurring=bool(due.get("is_recurring"))),
        completed_count=count(row.get("completed_count")),
    )


def _completed_at(row: Mapping[str, Any], *, is_recurring: bool) -> datetime | None:
    """Read when a task was completed; of one that recurs and goes on, when it last changed is the nearest there is."""
    changed_at = moment(row.get("updated_at"))
    if row.get("checked"):
        return moment(row.get("completed_at")) or changed_at
    return changed_at if is_recurring and not row.get("is_deleted") else None


def _detail(row: Mapping[str, Any], projects: Mapping[str, str]) -> str:
    description = text(row.get("description")).strip()[:DETAIL_LENGTH]
    project = projects.get(str(row.get("project_id")), "")
    return description or project


def _minutes(duration: Mapping[str, Any]) -> int | None:
    amount = min(whole(duration.get("amount"), 0), MINUTES_OF_A_DAY)
    return amount if amount > 0 and duration.get("unit") == "minute" else None


def _due(due: Mapping[str, Any]) -> Due:
    """Read the three forms: a day, a floating time without zone, a fixed time with Z; anything else is no due date."""
    told = text(due.get("date"))
    try:
        if "T" not in told:
            return Due(on=day(told))
        if (fixed := moment(told)) is not None:
            return Due(at=fixed)
        return Due(floating=datetime.fromisoformat(told).replace(tzinfo=None))
    except ValueError:
        return Due()


def _is_mine(row: Mapping[str, Any], owner: str) -> bool:
    """Tell whether a task is the person's to do: in a shared project it may be somebody else's."""
    responsible = row.get("responsible_uid")
    return responsible is None or not owner or str(responsible) == owner


def _read_cursor(cursor: str | None) -> tuple[str, _Told]:
    """Open a cursor; one that an earlier version wrote holds too little, so everything is read again."""
    parts: tuple[str, dict[str, Any]] = json.loads(cursor) if cursor else (FULL, {})
    token, told = parts
    return (token, cast("_Told", told)) if "owner" in told else (FULL, {"projects": {}, "owner": ""})


def _told(known: _Told, data: Mapping[str, Any]) -> _Told:
    rows = map(mapping, array(data.get("projects")))
    owner = _owner(data.get("user"))
    return {
        "projects": {**known["projects"], **{str(row["id"]): text(row.get("name")) for row in rows if "id" in row}},
        "owner": owner.external_id if owner else known["owner"],
    }


def _has_lost_project(data: Mapping[str, Any]) -> bool:
    rows = map(mapping, array(data.get("projects")))
    return not data.get("full_sync") and any(row.get("is_archived") or row.get("is_deleted") for row in rows)


def _owner(user: object) -> Owner | None:
    row = mapping(user)
    if "id" not in row:
        return None
    zone = mapping(row.get("tz_info")).get("timezone")
    return Owner(external_id=text(str(row["id"])), time_zone=zone if isinstance(zone, str) else None)
