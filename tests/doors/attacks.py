"""Every door tried with everything at hand: each path in each method, each handler with arguments of every shape."""

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import httpx

from oo_app.kit.crypto import hash_token
from tests.doors.rawsocket import Tab, tab
from tests.doors.stage import Somebody, Stage
from tests.doors.watch import changes, rows, select, told

METHODS = ("GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE")
# Reflex serves these in other set-ups than ours; whether they are mounted or not, they are tried.
ALSO = ("/_upload", "/_all_routes", "/_event", "/auth-codespace", "/tip", "/connect", "/admin", "/admin/users")
ENDS_ITS_CALLER = ("/auth/signout", "/api/v1/me", "delete_everything")
PRIVATE = "reflex"  # the vendor's own names are not ours to set


@dataclass
class Report:
    """How much was tried, and what came of it."""

    tried: int = 0
    breaches: list[str] = field(default_factory=list)


class Attacker:
    """One who comes with a cookie, a token, or nothing; `renew` brings a new one where the old one has been ended."""

    def __init__(self, stage: Stage, arrive: Callable[[], Somebody | str | None]) -> None:
        self.stage = stage
        self._arrive = arrive
        self.own: list[str] = []  # by what rows are the attacker's
        self.sessions: list[str] = []  # those the attacker holds, of whomever they are
        self.cookie: str | None = None
        self.renew()

    def renew(self) -> None:
        """Arrive, unless still there as at first; what is the attacker's own may change."""
        if self.sessions and (self._is_ended or self._has_row()):
            return
        came = self._arrive()
        self.cookie = came.cookie if isinstance(came, Somebody) else came
        self.token = came.token if isinstance(came, Somebody) else ""
        self.sessions.append(hash_token(self.cookie or ""))
        self._is_ended = not self._has_row()
        if isinstance(came, Somebody) and came.user_id:
            self.own.append(came.user_id)

    def _has_row(self) -> bool:
        return bool(select(self.stage.site.folder, "SELECT 1 FROM session WHERE id = ?", self.sessions[-1]))


def attack_routes(stage: Stage, attacker: Attacker) -> Report:
    """Call every path that the router knows, in every method, with the victim's ids wherever something is asked for."""
    report = Report()
    with httpx.Client(base_url=stage.site.url, timeout=30, trust_env=False) as client:
        for path in (*stage.doors.routes, *ALSO):
            requests = list(_requests(stage, path))
            # Who is signed out by a call has to come again before the next one.
            for together in [[each] for each in requests] if path in ENDS_ITS_CALLER else [requests]:
                attacker.renew()
                before = rows(stage.site.folder)
                for method, address, body in together:
                    report.tried += 1
                    request = client.build_request(method, address, headers=_headers(stage, attacker), **body)
                    report.breaches += [f"{method} {path} {each}" for each in _answered(stage, client, request)]
                report.breaches += _changed(stage, attacker, before, path)
    return report


def _answered(stage: Stage, client: httpx.Client, request: httpx.Request) -> list[str]:
    """Send a request and name what is wrong with the answer."""
    client.cookies.clear()
    answer = client.send(request, follow_redirects=False)
    asked = f"{request.url} {request.content!r} {request.headers}"
    wrong = [f"told {each}" for each in told(f"{answer.headers} {answer.text}", asked, stage.marks)]
    return wrong + ([f"answered {answer.status_code}"] if answer.is_server_error else [])


def _headers(stage: Stage, attacker: Attacker) -> dict[str, str]:
    if attacker.token:
        return {"Authorization": f"Bearer {attacker.token}"}
    cookie = {"Cookie": f"oo_session={attacker.cookie}"} if attacker.cookie else {}
    return {"Origin": stage.site.url, **cookie}


def _requests(stage: Stage, path: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    names = [part.strip("{}").partition(":")[0] for part in path.split("/") if part.startswith("{")]
    # The stand-ins hold nobody's data here: the victim's lie with a Todoist in a process of its own.
    ids = ["todoist"] if path.startswith("/sandbox/") else _ids(stage)
    for values in product(ids, repeat=len(names)):
        address = path.removesuffix("*")
        for name, value in zip(names, values, strict=True):
            address = address.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
        for method in METHODS:
            for body in (_everything(stage), {"email": stage.victim.email}, *_described(stage, path, method)):
                yield method, address, {"json": body}
            yield method, address, {"params": _everything(stage)}


def _ids(stage: Stage) -> list[str]:
    return [stage.impression, stage.item, stage.victim.user_id, stage.victim.connection, "todoist", "google"]


def _everything(stage: Stage) -> dict[str, str]:
    """Return every name somebody careless might look at, leading to the victim."""
    return {
        "user_id": stage.victim.user_id,
        "impression_id": stage.impression,
        "item_id": stage.item,
        "connection_id": stage.victim.connection,
        "source": "todoist",
        "token": stage.victim.session,
    }


def _described(stage: Stage, path: str, method: str) -> Iterator[dict[str, Any]]:
    """Yield bodies that fit the description, so that nothing is refused for its shape alone."""
    operation = stage.doors.described["paths"].get(path, {}).get(method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content:
        schemas = stage.doors.described["components"]["schemas"]
        properties = schemas[content["schema"]["$ref"].rpartition("/")[2]].get("properties", {})
        choices = {name: _values(stage, name, each) for name, each in properties.items()}
        longest = max(map(len, choices.values()), default=0)
        yield from ({name: values[turn % len(values)] for name, values in choices.items()} for turn in range(longest))
        for action in choices.get("action", ()):
            yield {"impression_id": stage.impression, "action": action, "dwell_ms": 5000}


def _values(stage: Stage, name: str, schema: dict[str, Any]) -> list[Any]:
    for each in (schema, *schema.get("anyOf", ())):
        if "enum" in each:
            return list(each["enum"])
        match each.get("type"):
            case "integer":
                return [5000]
            case "boolean":
                return [True, False]
            case "string":
                return [stage.impression] if name.endswith("_id") else ["todoist", stage.victim.user_id]
            case _:
                continue
    return [None]


async def attack_handlers(stage: Stage, attacker: Attacker) -> Report:
    """Call every handler, and what is none by its name; all arguments lead to the victim."""
    report = Report()
    for name, arguments in stage.doors.handlers.items():
        by_id, by_mail = _payloads(stage, arguments), (dict.fromkeys(arguments, stage.victim.email),)
        # Apart, since what an attacker has said is no news in the answer.
        for payloads in (by_id, by_mail) if arguments else (by_id,):
            async with _watched(stage, attacker, report, name) as opened:
                for payload in payloads:
                    report.tried += 1
                    await opened.send(name, payload)
                    if name.endswith(ENDS_ITS_CALLER):
                        await opened.settled()
                        break
    async with _watched(stage, attacker, report, "names of what is no handler") as opened:
        for name in stage.doors.unregistered:
            for payload in ({}, {"impression_id": stage.impression}):
                report.tried += 1
                await opened.send(name, payload)
    return report


@asynccontextmanager
async def _watched(stage: Stage, attacker: Attacker, report: Report, name: str) -> AsyncGenerator[Tab]:
    """Open a tab for the attacker; when all that was sent in it is dealt with, look what came of it."""
    attacker.renew()
    before = rows(stage.site.folder)
    async with tab(stage.site, attacker.cookie) as opened:
        await opened.settled()
        yield opened
        heard = await opened.settled()
    report.breaches += [f"{name} told {each}" for each in told(heard, "".join(opened.said), stage.marks)]
    report.breaches += _changed(stage, attacker, before, name)


def _changed(stage: Stage, attacker: Attacker, before: Any, name: str) -> list[str]:
    after = rows(stage.site.folder)
    found = changes(before, after, victim=stage.ids, own=attacker.own, ended=attacker.sessions)
    return [f"{name} changed {each}" for each in found]


def _payloads(stage: Stage, arguments: list[str]) -> Iterator[Any]:
    """Yield arguments that fit by name, then every odd thing in the place of each, then none, and too many."""
    fitting = [_fitting(stage, argument) for argument in arguments]
    for turn in range(max(map(len, fitting), default=1)):
        yield {name: values[turn % len(values)] for name, values in zip(arguments, fitting, strict=True)}
    odd = [
        *_ids(stage),
        True,
        None,
        -1,
        1e308,
        [stage.impression],
        {"id": stage.impression},
    ]
    for value in odd if arguments else ():
        yield dict.fromkeys(arguments, value)
    yield {}
    yield {**dict.fromkeys(arguments, "x"), "user_id": stage.victim.user_id, "self": {"user_id": stage.victim.user_id}}


def _fitting(stage: Stage, argument: str) -> list[Any]:
    """Return what an argument of that name would be, were the sender the victim."""
    fields = [name for name in stage.doors.fields if PRIVATE not in name.rpartition(".")[2]]
    hostile: dict[str, Any] = {
        **dict.fromkeys(fields, stage.victim.user_id),
        **{name: stage.victim.session for name in fields if name.endswith("_session")},
    }
    known: dict[str, list[Any]] = {
        "impression_id": [stage.impression],
        "action": ["done", "snooze", "dismiss", "undo"],
        "dwell_ms": [5000],
        "said": [{"id": "x", "dwell_ms": 5000, "reaction_id": None, "reacted_at": None}],
        "snooze": [None, "not_for_me"],
        "source": ["todoist", "google_calendar", stage.victim.connection],
        "name": ["time_zone", "paused", "notify", "quiet_from", "allow_remote_ai"],
        "value": ["Europe/Berlin", True, "21:00"],
        "var_name": sorted({name.rpartition(".")[2] for name in stage.doors.fields}),
        "vars": [hostile],
    }
    return known.get(argument, [stage.victim.user_id, stage.impression])


def as_text(report: Report) -> str:
    """Return the breaches for a failing test."""
    return json.dumps(report.breaches[:20], indent=1)
