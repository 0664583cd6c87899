"""The stand-in for a CalDAV server: one list of tasks, told by what changed (RFC 6578), a few at a time."""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, ClassVar
from xml.sax.saxutils import escape, unescape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from oo_app.conformance.calendar_text import line
from oo_app.conformance.stand import ADDRESS, Stand
from oo_app.sources import Login

HOME, LIST = "/dav/", "/dav/tasks/"
OURS = "a name and a password do not end by themselves"
SPACES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
PERSON = f"<current-user-principal><href>{HOME}</href></current-user-principal>"
COLLECTION = "<resourcetype><collection/></resourcetype>"
TASKS = (
    '<resourcetype><collection/><C:calendar/></resourcetype><C:supported-calendar-component-set><C:comp name="VTODO"/>'
    "</C:supported-calendar-component-set>"
)
METHODS = ["PROPFIND", "REPORT", "GET", "PUT"]


@dataclass
class _Task:
    """One resource. `seq` is its last change, `text` what it holds; gone ones are still told of."""

    words: str
    text: str
    seq: int
    due_at: datetime
    repeats: bool
    is_gone: bool = False


class CalDavStand(Stand):
    """Serves a list. `_tasks` are its resources by path, `_seq` counts the changes, `_oldest` is the last forgotten."""

    source = "caldav"
    page = 20
    lacks: ClassVar = {"expire": OURS, "is_let_in": OURS, "deliveries": "a CalDAV server sends nothing"}

    def __init__(self, *parts: Any) -> None:
        """Begin with an empty list."""
        super().__init__(*parts)
        self._tasks: dict[str, _Task] = {}
        self._ids = count(1)
        self._seq = self._oldest = 0
        self._password = "first"  # noqa: S105 -- made up
        self.app = Router(routes=[Route("/{path:path}", self._answer, methods=METHODS)])

    @property
    def login(self) -> Login:
        """Whoever lets oO in anew chooses another password, where the first was taken away."""
        self._password = self._password or "second"
        return Login(f"{ADDRESS}{HOME}", "ada", self._password)

    async def there(self) -> Sequence[str]:
        """Return what is open."""
        return [task.words for task in self._tasks.values() if not task.is_gone and "STATUS:COMPLETED" not in task.text]

    async def add(self, words: str, *, repeats: bool = False) -> str:
        """Add a task."""
        path = f"{LIST}{next(self._ids)}.ics"
        self._tasks[path] = _Task(words, "", 0, self.clock.now().replace(microsecond=0), repeats)
        self._write(path)
        return path

    async def change(self, name: str, words: str) -> None:
        """Give a task other words."""
        self._tasks[name].words = words
        self._write(name)

    async def complete(self, name: str) -> None:
        """Mark a task done; one that repeats goes on to its next occurrence, as most programs have it."""
        task = self._tasks[name]
        if task.repeats:
            task.due_at += timedelta(days=1)
            self._write(name)
        else:
            self._write(name, f"STATUS:COMPLETED\r\nCOMPLETED:{_utc(self.clock.now())}\r\n")

    async def remove(self, name: str) -> None:
        """Delete a task."""
        self._seq += 1
        self._tasks[name].is_gone, self._tasks[name].seq = True, self._seq

    async def forget_cursors(self) -> None:
        """Know of no change before this."""
        self._oldest = self._seq + 1
        self._seq += 1

    async def revoke(self) -> None:
        """Take the password away."""
        self._password = ""

    def _write(self, path: str, more: str = "") -> None:
        task = self._tasks[path]
        self._seq += 1
        task.seq = self._seq
        rule = f"DTSTART:{_utc(task.due_at)}\r\nRRULE:FREQ=DAILY\r\n" if task.repeats else ""
        task.text = (
            f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//check//EN\r\nBEGIN:VTODO\r\nUID:{path}\r\n"
            f"DTSTAMP:{_utc(self.clock.now())}\r\nLAST-MODIFIED:{_utc(self.clock.now())}\r\n{rule}"
            f"DUE:{_utc(task.due_at + timedelta(hours=1))}\r\n{line('SUMMARY', task.words)}{more}"
            "END:VTODO\r\nEND:VCALENDAR\r\n"
        )

    async def _answer(self, request: Request) -> Response:
        told = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        if not self._password or told != f"ada:{self._password}":
            return Response(status_code=401)
        path, body = request.url.path, (await request.body()).decode()
        match request.method:
            case "PROPFIND" if path in {HOME, LIST}:
                return self._found(path, request.headers.get("depth", "0"))
            case "REPORT" if path == LIST:
                return self._report(body)
            case "GET" | "PUT" if path in self._tasks and not self._tasks[path].is_gone:
                return self._resource(request, self._tasks[path], body)
            case _:
                return Response(status_code=404)

    def _found(self, path: str, depth: str) -> Response:
        home = f"{COLLECTION}{PERSON}<C:calendar-home-set><href>{HOME}</href></C:calendar-home-set>"
        tasks = f"{TASKS}{PERSON}<sync-token>{self._seq}</sync-token>"
        props = {HOME: home, LIST: tasks}
        paths = [HOME, LIST] if path == HOME and depth == "1" else [path]
        return _multistatus(_response(each, props[each]) for each in paths)

    def _report(self, body: str) -> Response:
        paths = [unescape(path) for path in re.findall(r"<href>(.*?)</href>", body)]
        if "calendar-multiget" in body:
            return _multistatus(self._row(path, with_text=True) for path in paths)
        if "calendar-query" in body:
            return _multistatus(self._row(path) for path, task in self._tasks.items() if not task.is_gone)
        since = int((re.findall(r"<sync-token>(\d+)</sync-token>", body) or ["0"])[0])
        if since < self._oldest:
            return Response(f"<error {SPACES}><valid-sync-token/></error>", 403, media_type="application/xml")
        changed = sorted((task.seq, path) for path, task in self._tasks.items() if task.seq > since)
        shown, is_cut = changed[: self.page], len(changed) > self.page
        token = shown[-1][0] if is_cut else self._seq
        cut = [f"<response><href>{LIST}</href>{_status(507)}</response>"] if is_cut else []
        return _multistatus([*(self._row(path) for _, path in shown), *cut], f"<sync-token>{token}</sync-token>")

    def _row(self, path: str, *, with_text: bool = False) -> str:
        task = self._tasks.get(path)
        if task is None or task.is_gone:
            return f"<response><href>{path}</href>{_status(404)}</response>"
        text = f"<C:calendar-data>{escape(task.text)}</C:calendar-data>" if with_text else ""
        return _response(path, f'<getetag>"{task.seq}"</getetag>{text}')

    def _resource(self, request: Request, task: _Task, body: str) -> Response:
        tag = f'"{task.seq}"'
        if request.method == "GET":
            return Response(task.text, media_type="text/calendar", headers={"ETag": tag})
        if request.headers.get("if-match", tag) not in {tag, "*"}:
            return Response(status_code=412)
        self._seq += 1
        task.text, task.seq = body, self._seq
        return Response(status_code=204)


def _utc(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}"


def _status(status: int) -> str:
    return f"<status>HTTP/1.1 {status} So</status>"


def _response(path: str, props: str) -> str:
    return (
        f"<response><href>{path}</href><propstat><prop>{props}</prop><status>HTTP/1.1 200 OK</status></propstat>"
        "</response>"
    )


def _multistatus(responses: Iterable[str], more: str = "") -> Response:
    body = f'<?xml version="1.0" encoding="utf-8"?><multistatus {SPACES}>{"".join(responses)}{more}</multistatus>'
    return Response(body, 207, media_type="application/xml")


STAND = CalDavStand
