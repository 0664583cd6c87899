"""CalDAV servers of other kinds than the one at hand, and such as mean harm, played from a script."""

import base64
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address

import httpx
import pytest

from oo_app.kit.addresses import Addresses, Ip
from oo_app.kit.answer import MAX_BYTES
from oo_app.kit.clock import FakeClock
from oo_app.kit.config import Settings
from oo_app.kit.errors import Invalid, RateLimited, SourceDown
from oo_app.kit.http import Http
from oo_app.sources import CompletionRefused, Door, Login, NotPermitted, Pull, TokenRefused
from oo_app.sources.caldav import SOURCE
from tests.conftest import streamed
from tests.radicale import a_todo

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOME = "https://dav.example/home/"
BASIC = f"Basic {base64.b64encode(b'ada:secret').decode()}"
SPACES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
CALENDAR = "<resourcetype><collection/><C:calendar/></resourcetype>"
FOLDER = "<resourcetype><collection/></resourcetype>"
NOTHING = "<multistatus xmlns='DAV:'/>"
NO_TOKEN = CALENDAR
READ_ONLY = f"{CALENDAR}<current-user-privilege-set><privilege><read/></privilege></current-user-privilege-set>"


def told(*responses: str, token: str = "") -> httpx.Response:
    end = f"<sync-token>{token}</sync-token>" if token else ""
    return httpx.Response(207, text=f"<multistatus {SPACES}>{''.join(responses)}{end}</multistatus>")


def of(href: str, props: str = "", status: int = 200) -> str:
    if status != 200:
        return f"<response><href>{href}</href><status>HTTP/1.1 {status} So</status></response>"
    stat = f"<propstat><prop>{props}</prop><status>HTTP/1.1 200 OK</status></propstat>"
    return f"<response><href>{href}</href>{stat}</response>"


class Scripted(httpx.AsyncBaseTransport):
    """A server with one list: its tasks by path, with their state; what it answers can be set otherwise."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.tasks: dict[str, tuple[str, str]] = {}
        self.list_props = NO_TOKEN
        self.sync: Callable[[str], httpx.Response] | None = None
        self.fault: Callable[[httpx.Request], httpx.Response | None] = lambda _: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return streamed(self.fault(request) or self.answer(request, request.content.decode()))

    def answer(self, request: httpx.Request, body: str) -> httpx.Response:
        if request.headers.get("authorization") != BASIC and request.method != "OPTIONS":
            return httpx.Response(401)
        if request.method == "PROPFIND":
            listed = [of("/home/list/", self.list_props)] if request.headers["depth"] == "1" else []
            return told(of("/home/", FOLDER), *listed)
        if "sync-collection" in body:
            return self.sync(body) if self.sync else httpx.Response(400)
        if "multiget" in body:
            return told(*(self.whole(path) for path in self.tasks if f"<href>{path}</href>" in body))
        if "calendar-query" in body:
            return told(*(of(path, f"<getetag>{etag}</getetag>") for path, (etag, _) in self.tasks.items()))
        return httpx.Response(404)

    def whole(self, path: str) -> str:
        etag, text = self.tasks[path]
        return of(path, f"<getetag>{etag}</getetag><C:calendar-data>{text}</C:calendar-data>")

    def put(self, name: str, *lines: str, etag: str = '"1"') -> None:
        self.tasks[f"/home/list/{name}.ics"] = (etag, a_todo(f"SUMMARY:{name}", *lines))

    def asked(self, word: str) -> int:
        return sum(word in request.content.decode() for request in self.requests)


@pytest.fixture
def there() -> Scripted:
    return Scripted()


@pytest.fixture
async def door(there: Scripted, clock: FakeClock) -> AsyncIterator[Door]:
    async def resolve(host: str, port: int) -> Sequence[Ip]:
        return [ip_address("93.184.216.34")]

    http = Http(clock, there, Addresses(resolve=resolve))
    yield Door(http, Settings(), Login(HOME, "ada", "secret").text(), NOW)
    await http.stop()


def typed(door: Door, url: str) -> Door:
    return Door(door.http, door.settings, Login(url, "ada", "secret").text(), NOW)


def state(pull: Pull) -> Mapping[str, bool]:
    return {item.external_id.rpartition("/")[2]: item.is_open for item in pull.items}


async def test_a_server_that_cannot_tell_what_changed_is_compared_by_its_tags(there: Scripted, door: Door):
    for name in ("stays", "changes", "goes"):
        there.put(name)
    first = await SOURCE.pull(door, None)
    there.put("changes", etag='"2"')
    there.put("new")
    del there.tasks["/home/list/goes.ics"]
    there.requests.clear()

    second = await SOURCE.pull(door, first.cursor)

    assert state(second) == {"changes.ics": True, "new.ics": True, "goes.ics": False}
    assert there.asked("sync-collection") == 0
    assert there.asked("<href>/home/list/stays.ics</href>") == 0


async def test_a_server_without_tags_is_read_whole(there: Scripted, door: Door):
    there.put("one", etag="")
    first = await SOURCE.pull(door, None)

    assert state(await SOURCE.pull(door, first.cursor)) == {"one.ics": True}


async def test_what_changed_may_come_in_pages_and_repeat_itself(there: Scripted, door: Door):
    there.list_props = f"{CALENDAR}<sync-token>t1</sync-token>"
    there.put("goes")
    first = await SOURCE.pull(door, None)
    there.list_props = f"{CALENDAR}<sync-token>t4</sync-token>"
    there.put("one")
    there.put("back")
    pages = {
        "t1": ([of("/home/list/one.ics"), of("/home/list/back.ics", status=404), of("/home/list/", status=507)], "t2"),
        "t2": ([of("/home/list/back.ics"), of("/home/list/goes.ics", status=404), of("/home/list/", status=507)], "t3"),
        "t3": ([of("/home/list/an-event.ics")], "t4"),
    }

    def page(body: str) -> httpx.Response:
        responses, token = next(pages[token] for token in pages if f">{token}<" in body)
        return told(*responses, token=token)

    there.sync = page
    there.tasks["/home/list/an-event.ics"] = ('"1"', a_todo().replace("VTODO", "VEVENT"))
    second = await SOURCE.pull(door, first.cursor)
    there.requests.clear()

    assert state(second) == {"one.ics": True, "back.ics": True, "goes.ics": False}
    assert (await SOURCE.pull(door, second.cursor)).items == ()
    assert len(there.requests) == 1


@pytest.mark.parametrize("status", [400, 403, 409, 410, 412])
async def test_a_refused_token_is_a_comparison(there: Scripted, door: Door, status: int):
    there.list_props = f"{CALENDAR}<sync-token>t1</sync-token>"
    there.put("stays")
    first = await SOURCE.pull(door, None)
    there.list_props = f"{CALENDAR}<sync-token>t2</sync-token>"
    there.put("new")
    there.sync = lambda _: httpx.Response(status, text="<error xmlns='DAV:'/>")

    second = await SOURCE.pull(door, first.cursor)

    assert state(second) == {"new.ics": True}


async def test_what_was_asked_for_and_not_told_is_asked_for_again(there: Scripted, door: Door):
    there.list_props = f"{CALENDAR}<sync-token>t1</sync-token>"
    there.put("one")
    there.put("late")
    there.fault = lambda request: told(there.whole("/home/list/one.ics")) if b"multiget" in request.content else None
    first = await SOURCE.pull(door, None)
    there.fault = lambda _: None

    assert state(first) == {"one.ics": True}
    assert state(await SOURCE.pull(door, first.cursor)) == {"late.ics": True}


async def test_what_is_too_much_at_once_is_asked_for_in_halves(there: Scripted, door: Door):
    for name in ("a", "b", "c"):
        there.put(name)
    there.put("huge")
    there.fault = lambda request: (
        httpx.Response(207, content=b" " * (MAX_BYTES + 1))
        if b"multiget" in request.content and b"huge" in request.content
        else None
    )

    assert state(await SOURCE.pull(door, None)) == {"a.ics": True, "b.ics": True, "c.ics": True}


async def test_an_odd_task_costs_nothing_but_itself(there: Scripted, door: Door):
    there.put("good")
    there.tasks["/home/list/odd.ics"] = ('"1"', "BEGIN:NOTHING")
    there.tasks["/home/list/%F0%9F%8C%B1%20x.ics"] = ('"1"', a_todo("SUMMARY:🌱", "DUE:never", "PRIORITY:high"))

    assert {item.content for item in (await SOURCE.pull(door, None)).items} == {"good", "🌱"}


async def test_what_is_only_shown_to_us_cannot_be_completed(there: Scripted, door: Door):
    there.list_props = READ_ONLY
    there.put("one")

    assert [item.is_completable for item in (await SOURCE.pull(door, None)).items] == [False]


async def test_a_name_too_long_to_keep_is_read_and_cannot_be_completed(there: Scripted, door: Door):
    there.put("x" * 300)
    (item,) = (await SOURCE.pull(door, None)).items

    assert (len(item.external_id), item.is_completable) == (64, False)


async def test_a_list_that_is_refused_keeps_what_was_read_and_the_others_go_on(there: Scripted, door: Door):
    there.put("one")
    first = await SOURCE.pull(door, None)
    there.fault = lambda request: httpx.Response(403) if request.method == "REPORT" else None
    second = await SOURCE.pull(door, first.cursor)

    assert (second.items, second.cursor) == ((), first.cursor)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(401), TokenRefused),
        (httpx.Response(403), NotPermitted),
        (httpx.Response(404), SourceDown),
        (httpx.Response(429, headers={"Retry-After": "7"}), RateLimited),
        (httpx.Response(503), SourceDown),
        (httpx.Response(200, text="<html>Sign in</html>"), SourceDown),
        (httpx.Response(207, text="<html>Sign in</html>"), SourceDown),
        (httpx.Response(207, text="<multistatus xmlns='DAV:'><response><href>/home/l"), SourceDown),
        (
            httpx.Response(207, text="<!DOCTYPE x [<!ENTITY a 'aa'>]><multistatus xmlns='DAV:'>&a;</multistatus>"),
            SourceDown,
        ),
        (httpx.Response(207, text="<!DOCTYPE x SYSTEM 'file:///etc/passwd'><multistatus xmlns='DAV:'/>"), SourceDown),
        (httpx.Response(207, content=b"\xff\xfe\x00"), SourceDown),
        (httpx.Response(207, text="<?xml version='1.0' encoding='none'?><multistatus xmlns='DAV:'/>"), SourceDown),
        (httpx.Response(207, content=b""), SourceDown),
    ],
)
async def test_what_cannot_be_read_is_never_an_empty_server(
    there: Scripted, door: Door, answer: httpx.Response, error: type[Exception]
):
    there.put("one")
    first = await SOURCE.pull(door, None)
    there.fault = lambda request: answer if request.method == "PROPFIND" else None

    with pytest.raises(error) as raised:
        await SOURCE.pull(door, first.cursor)
    assert getattr(raised.value, "retry_after", None) == (7 if answer.status_code == 429 else None)
    there.fault = lambda request: answer if request.method == "REPORT" else None
    if error is not NotPermitted:
        with pytest.raises(error):
            await SOURCE.pull(door, None)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, CompletionRefused),
        (405, CompletionRefused),
        (413, CompletionRefused),
        (412, SourceDown),
        (423, SourceDown),
        (500, SourceDown),
        (401, TokenRefused),
        (429, RateLimited),
    ],
)
async def test_a_completion_that_is_not_taken_says_whether_to_try_again(
    there: Scripted, door: Door, status: int, error: type[Exception]
):
    body = a_todo("SUMMARY:x")
    there.fault = lambda request: httpx.Response(200, text=body) if request.method == "GET" else httpx.Response(status)

    with pytest.raises(error):
        await SOURCE.complete(door, "/home/list/x.ics", "c")
    assert len([request for request in there.requests if request.method == "PUT"]) == (2 if status == 412 else 1)


async def test_no_word_of_the_server_sends_the_password_elsewhere(there: Scripted, door: Door):
    there.fault = lambda request: (
        told(of("http://evil.example/home/list/", there.list_props), of("//evil.example/home/other/", CALENDAR))
        if request.method == "PROPFIND"
        else None
    )

    await SOURCE.pull(door, None)
    await SOURCE.complete(door, "/home/list/none.ics", "c")

    assert {request.url.host for request in there.requests} == {"dav.example"}


async def test_an_address_is_followed_to_another_server_before_the_password_is_told(there: Scripted, door: Door):
    def elsewhere(request: httpx.Request) -> httpx.Response | None:
        if request.url.host == "example.org":
            return httpx.Response(301, headers={"Location": "https://dav.example/"})
        if request.method == "PROPFIND" and request.url.path == "/" and "authorization" in request.headers:
            return told(of("/", "<current-user-principal><href>/people/ada/</href></current-user-principal>"))
        if request.url.path == "/people/ada/":
            home = "<C:calendar-home-set><href>https://p7.dav.example/home/</href></C:calendar-home-set>"
            return told(of("/people/ada/", home))
        return None

    there.fault = elsewhere

    assert (await SOURCE.open(typed(door, "https://example.org"))).url == "https://p7.dav.example/home/"
    assert all(
        "authorization" not in request.headers for request in there.requests if request.url.host == "example.org"
    )


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(404), Invalid),
        (httpx.Response(405), Invalid),
        (httpx.Response(200, text="<html>"), Invalid),
        (httpx.Response(403), Invalid),
        (httpx.Response(503), SourceDown),
        (httpx.Response(401), TokenRefused),
    ],
)
async def test_what_is_no_server_cannot_be_connected(
    there: Scripted, door: Door, answer: httpx.Response, error: type[Exception]
):
    there.fault = lambda _: answer

    with pytest.raises(error) as raised:
        await SOURCE.open(typed(door, "https://dav.example/page"))

    assert error is not Invalid or str(raised.value) == "url: There is no CalDAV server at that address"
    assert "secret" not in repr(raised.value)


@pytest.mark.parametrize("home", ["http://inside.example:8080/home/", "https://dav.example:8443/home/", "/home/"])
async def test_a_server_behind_a_proxy_that_gets_its_own_address_wrong_is_asked_where_it_is(
    there: Scripted, door: Door, home: str
):
    link = f"<C:calendar-home-set><href>{home}</href></C:calendar-home-set>"
    there.fault = lambda request: told(of("/dav/", link)) if request.url.path == "/dav/" else None

    assert (await SOURCE.open(typed(door, "https://dav.example/dav/"))).url == HOME
    assert {request.url.netloc for request in there.requests} == {b"dav.example"}
