"""CalDAV tasks (RFC 4791): Nextcloud, iCloud, Fastmail, Radicale and others, read by what changed (RFC 6578).

Each resource of a list of tasks holds one task, whose name here is the resource's path. A server tells what changed by
list; so that what is gone can be told together, the cursor keeps what was there: of each list its token and its tasks.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from time import perf_counter

import httpx

from oo_app.kit.addresses import read_url
from oo_app.kit.errors import Invalid, SourceDown
from oo_app.sources import vtodo
from oo_app.sources.facts import Completion, Item, Owner, Pull
from oo_app.sources.reading import mapping, text
from oo_app.sources.rfc5545 import ODD
from oo_app.sources.source import Budget, CompletionRefused, Door, Login, NotPermitted, Source
from oo_app.sources.vtodo_done import completed
from oo_app.sources.webdav import CAL, DAV, Dav, Resource, Told, at, elsewhere, path_of, quoted

WELL_KNOWN = "/.well-known/caldav"
NO_SERVER = "url: There is no CalDAV server at that address"
NO_TASKS = "url: There is no list of tasks at that address"
SELF = "<resourcetype/><current-user-principal/><C:calendar-home-set/>"
LISTS = (
    "<resourcetype/><current-user-principal/><current-user-privilege-set/><C:supported-calendar-component-set/>"
    "<sync-token/>"
)
QUERY = (
    '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop><C:filter>'
    '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VTODO"/></C:comp-filter></C:filter></C:calendar-query>'
)
MULTIGET = (
    '<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/>'
    "</prop>{}</C:calendar-multiget>"
)
SYNC = (
    '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level><prop><getetag/></prop>'
    "</sync-collection>"
)
AT_ONCE = 250  # resources asked for together; a task takes about half a kB
EXPANDING_S = 10.0  # for all that repeats; a rule made to be costly takes one or two, a real one a millisecond
MOST_PAGES = 200
LONGEST_NAME = 255
HISTORY = timedelta(days=89)
COMPLETED_SINCE = timedelta(days=1)  # what was completed earlier changes no reward
TOO_LARGE = "too large"
KINDS, PRIVILEGES = f"{CAL}supported-calendar-component-set", f"{DAV}current-user-privilege-set"
HOME, PERSON = f"{CAL}calendar-home-set", f"{DAV}current-user-principal"
REFUSALS = range(400, 500)
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
FINAL = frozenset({400, 403, 405, 409, 413, 415})
WRITES = (f"{DAV}all", f"{DAV}write", f"{DAV}write-content")
SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class _List:
    """A list of tasks on the server."""

    path: str
    token: str
    is_writable: bool


@dataclass(frozen=True, slots=True)
class _Changes:
    """What to read anew in a list, what is gone from it, and the token that says so; without one, compare again."""

    changed: Collection[str]
    gone: Collection[str]
    token: str


@dataclass(slots=True)
class _Kept:
    """What the cursor keeps of a list: the token, a mark of each task's state, and where those that repeat stand."""

    token: str = ""
    marks: dict[str, str] = field(default_factory=dict[str, str])
    stands: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class _News:
    """What a reading finds."""

    items: list[Item] = field(default_factory=list[Item])
    completions: list[Completion] = field(default_factory=list[Completion])
    past: list[Completion] = field(default_factory=list[Completion])
    expanding_s: float = 0.0

    def gone(self, paths: Iterable[str]) -> None:
        """Note tasks that are no longer there."""
        self.items += [Item(_name(path), is_open=False) for path in paths]


class CalDav(Source):
    """The source. Its login is the calendar home, or one list, with the name and the password for it."""

    name = "caldav"
    title = "CalDAV tasks"
    about = "Your tasks on a server of your own, such as Nextcloud or Radicale."
    asks = "login"
    budget = Budget(per_minute=1_200)

    async def open(self, door: Door) -> Login:
        """Find the lists, whatever was typed: a server, a person's page on it, where their lists are, or one list."""
        typed = str(read_url(door.login.url))
        return Login(await _home(Dav(door), typed), door.login.username, door.login.password)

    async def pull(self, door: Door, cursor: str | None) -> Pull:
        """Read each list by what changed; where the server has forgotten since when, by comparing what is there."""
        url, dav = door.login.url, Dav(door)
        kept = _read_cursor(cursor)
        is_full = kept is None
        kept = kept or {}
        told = await _overview(dav, url, kept)
        owner = _owner(told, url)
        news, now = _News(), dict[str, _Kept]()
        for each in _lists(told):
            now[each.path] = await _read_list(dav, each, kept.get(each.path) or _Kept(), news)
        for path in kept.keys() - now.keys():
            news.gone(kept[path].marks)
        since = max(door.now - HISTORY, door.read_at or door.now - HISTORY)
        return Pull(
            items=tuple(item for item in news.items if not is_full or _is_recent(item, door.now)),
            cursor=json.dumps({"owner": owner, "lists": {path: asdict(each) for path, each in now.items()}}),
            is_full=is_full,
            owner=Owner(owner, None),
            completions=() if is_full else tuple(news.completions),
            history=tuple(each for each in news.past if each.at >= since) if is_full else (),
        )

    def owner_in(self, cursor: str) -> str | None:
        """Return the person's own address there."""
        return text(mapping(json.loads(cursor)).get("owner")) or None

    async def complete(self, door: Door, external_id: str, command_id: str) -> None:
        """Write the task back as done, unless somebody wrote it meanwhile: then once more from what is there now.

        A task that repeats goes on to its next occurrence, which remembers the command.
        """
        if not external_id.startswith("/"):
            raise CompletionRefused("too long a name")
        url, dav = at(door.login.url, external_id), Dav(door)
        for _ in range(2):
            # A proxy that packs an answer may give its ETag an ending that the server does not know.
            there = await dav.send("GET", url, headers={"Accept-Encoding": "identity"})
            if there.status in GONE:
                return
            if there.status != HTTPStatus.OK:
                raise _not_done(there.status)
            try:
                done = await asyncio.to_thread(completed, there.body.decode(), command_id, door.now)
            except ODD as error:
                raise CompletionRefused("cannot be read") from error
            if done is None:
                return
            headers = {"Content-Type": "text/calendar; charset=utf-8", "If-Match": there.headers.get("etag", "*")}
            answer = await dav.send("PUT", url, done, headers)
            if answer.status in SUCCESS:
                return
            if answer.status != HTTPStatus.PRECONDITION_FAILED:
                raise _not_done(answer.status)
        raise SourceDown(None, status=HTTPStatus.PRECONDITION_FAILED, cause="changed meanwhile")


SOURCE = CalDav()


def _not_done(status: int) -> Exception:
    return CompletionRefused(str(status)) if status in FINAL else SourceDown(None, status=status)


async def _home(dav: Dav, typed: str) -> str:
    """Follow an address to where the lists are; Invalid where there are none."""
    well_known = str(httpx.URL(typed).copy_with(raw_path=WELL_KNOWN.encode()))
    is_server = httpx.URL(typed).path in {"", "/"}
    is_dav, down = False, None
    for url in (well_known, typed) if is_server else (typed, well_known):
        try:
            for each in await _homes(dav, await dav.led_to(url)):
                home = each.rstrip("/") + "/"  # as servers write the paths of what holds others
                is_dav = True
                if _lists(await _overview(dav, home, {})):
                    return home
        except NotPermitted:
            continue
        except SourceDown as error:
            status = error.facts.get("status")
            if status is None:  # nobody answers there
                raise
            down = error if int(status) >= HTTPStatus.INTERNAL_SERVER_ERROR else down
    if down is not None and not is_dav:
        raise down
    raise Invalid(NO_TASKS if is_dav else NO_SERVER, field="url")


async def _homes(dav: Dav, url: str) -> Sequence[str]:
    """Return where lists may be: the address itself where it is a list, else the person's home before that."""
    found = await dav.propfind(url, SELF, depth=0)
    if any(_is_list(each) for each in found.resources):
        return [found.url]
    home = _link(found, HOME)
    if not home and (person := _link(found, PERSON)):
        home = _link(await dav.propfind(person, SELF, depth=0), HOME)
    return [home, found.url] if home else [found.url]


def _link(told: Told, name: str) -> str:
    return next((elsewhere(told.url, link) for each in told.resources if (link := each.link(name))), "")


async def _overview(dav: Dav, url: str, kept: Mapping[str, _Kept]) -> Told:
    """Ask which lists there are. Of one list, what it holds is not asked for: that would be all the tasks."""
    if not kept or path_of(url, url) in kept:
        alone = await dav.propfind(url, LISTS, depth=0)
        if any(_is_list(each) for each in alone.resources):
            return alone
    return await dav.propfind(url, LISTS, depth=1)


def _is_list(resource: Resource) -> bool:
    return resource.holds(f"{DAV}resourcetype", f"{CAL}calendar")


def _lists(told: Told) -> list[_List]:
    """Return the lists of tasks among what is told; one that does not say what it holds may hold tasks."""
    return [
        _List(each.path, each.text(f"{DAV}sync-token"), PRIVILEGES not in each.props or each.holds(PRIVILEGES, *WRITES))
        for each in told.resources
        if _is_list(each) and (KINDS not in each.props or _holds_tasks(each))
    ]


def _holds_tasks(resource: Resource) -> bool:
    return any((kind.get("name") or "").upper() == "VTODO" for kind in resource.props[KINDS].findall(f"{CAL}comp"))


def _owner(told: Told, url: str) -> str:
    return _link(told, PERSON) or url


async def _read_list(dav: Dav, each: _List, kept: _Kept, news: _News) -> _Kept:
    """Read what changed in a list; return what is to be kept of it."""
    if each.token and each.token == kept.token:
        return kept
    url = at(dav.door.login.url, each.path)
    try:
        changes = await _changes(dav, url, kept.token) if kept.token else None
        changes = changes or await _compared(dav, url, kept, each.token)
    except NotPermitted:  # somebody else's list, not ours to read any more, or not now: the others are
        return kept
    now = _Kept(changes.token, dict(kept.marks), dict(kept.stands))
    unseen = set(changes.changed)
    async for resources in _fetched(dav, url, list(changes.changed)):
        unseen -= {resource.path for resource in resources}
        await asyncio.to_thread(_note, resources, dav.door.now, is_writable=each.is_writable, kept=now, news=news)
    gone = [path for path in changes.gone if path in now.marks]
    news.gone(gone)
    for path in gone:
        _forget(now, path)
    return _Kept("", now.marks, now.stands) if unseen else now


async def _changes(dav: Dav, url: str, token: str) -> _Changes | None:
    """Ask what changed since a token, page by page; None where the server no longer knows it, or cannot tell."""
    changed, gone = set[str](), set[str]()
    for _ in range(MOST_PAGES):
        try:
            told = await dav.told("REPORT", url, SYNC.format(quoted(token)), depth=0)
        except NotPermitted:
            return None
        except SourceDown as error:
            if error.facts.get("status") in REFUSALS:
                return None
            raise
        has_more = False
        for each in told.resources:
            if each.status == HTTPStatus.INSUFFICIENT_STORAGE:
                has_more = True
            elif each.path != path_of(url, url):
                (gone if each.status in GONE else changed).add(each.path)
                (changed if each.status in GONE else gone).discard(each.path)
        if not told.token:
            return None
        if not has_more or told.token == token:
            return _Changes(changed, gone, told.token)
        token = told.token
    return _Changes(changed, gone, token)


async def _compared(dav: Dav, url: str, kept: _Kept, token: str) -> _Changes:
    """Ask which tasks there are, and compare. The token was told before, so it forgets nothing."""
    told = await dav.told("REPORT", url, QUERY, depth=1)
    there = {each.path: _mark(each) for each in told.resources if each.status in SUCCESS}
    changed = [path for path, mark in there.items() if not mark or kept.marks.get(path) != mark]
    return _Changes(changed, kept.marks.keys() - there.keys(), token)


async def _fetched(dav: Dav, url: str, paths: Sequence[str]) -> AsyncGenerator[Sequence[Resource]]:
    """Read resources, some hundred at once, fewer where that is too much; what is too large alone is left out."""
    for start in range(0, len(paths), AT_ONCE):
        waiting = [list(paths[start : start + AT_ONCE])]
        while waiting:
            some = waiting.pop()
            try:
                asked = MULTIGET.format("".join(f"<href>{quoted(path)}</href>" for path in some))
                yield (await dav.told("REPORT", url, asked, depth=1)).resources
            except SourceDown as error:
                if error.facts.get("cause") != TOO_LARGE:
                    raise
                half = len(some) // 2
                waiting += [some[:half], some[half:]] if half else []


def _note(resources: Iterable[Resource], now: datetime, *, is_writable: bool, kept: _Kept, news: _News) -> None:
    """Take in what was fetched; an event, or what cannot be read, is none of ours and costs nothing but itself."""
    for each in resources:
        if each.status in GONE:
            news.gone({each.path} & kept.marks.keys())
            _forget(kept, each.path)
        elif (told := vtodo.read(each.text(f"{CAL}calendar-data"))) is not None:
            name = _name(each.path)
            is_completable = is_writable and name == each.path
            began = perf_counter()
            news.items.append(vtodo.item(told, name, is_completable=is_completable))
            news.completions += vtodo.done_since(told, name, kept.stands.get(each.path, ""), now)
            news.past += vtodo.past(told, name)
            _forget(kept, each.path)
            kept.marks[each.path] = _mark(each)
            if stands := vtodo.occurrence_of(told):
                kept.stands[each.path] = stands
            news.expanding_s += perf_counter() - began if told.is_recurring else 0
            if news.expanding_s > EXPANDING_S:
                raise SourceDown(None, cause="takes too long")


def _forget(kept: _Kept, path: str) -> None:
    kept.marks.pop(path, None)
    kept.stands.pop(path, None)


def _mark(resource: Resource) -> str:
    """Return a short mark of a resource's state; empty where the server gives it no ETag."""
    etag = resource.text(f"{DAV}getetag").removeprefix("W/")
    return hashlib.sha256(etag.encode(errors="replace")).hexdigest()[:12] if etag else ""


def _name(path: str) -> str:
    """Name a task by its path; one that is too long to be kept cannot be found back by its name."""
    return path if len(path) <= LONGEST_NAME else hashlib.sha256(path.encode()).hexdigest()


def _is_recent(item: Item, now: datetime) -> bool:
    return item.is_open or (item.completed_at is not None and item.completed_at >= now - COMPLETED_SINCE)


def _read_cursor(cursor: str | None) -> dict[str, _Kept] | None:
    """Open a cursor; one that is not of this form reads everything."""
    if cursor is None:
        return None
    try:
        return {path: _Kept(**each) for path, each in json.loads(cursor)["lists"].items()}
    except ODD:
        return None
