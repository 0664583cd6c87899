"""The door out: what comes back is a whole answer within its limits, or SourceDown."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from oo_app.kit.answer import LONGEST_RETRY_AFTER_S, MAX_BYTES, Answer
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import SourceDown
from oo_app.kit.http import Http

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
URL = "https://source.example/tasks"

Handler = Callable[[httpx.Request], httpx.Response]


class World:
    """The other side: answers by a script, or fails, and counts."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Give the next answer; the last one is given again and again."""
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class HastyClock(FakeClock):
    """A clock for which any wait is over in a moment."""

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(0.05)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@asynccontextmanager
async def door(clock: FakeClock, world: Handler | None = None) -> AsyncGenerator[Http]:
    """Open the door to a scripted world, or to real sockets."""
    http = Http(clock, httpx.MockTransport(world) if world else httpx.AsyncHTTPTransport())
    yield http
    await http.stop()


@asynccontextmanager
async def a_server(talk: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncGenerator[str]:
    """Serve one real socket that says what it is told, however torn; give its address."""
    talks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await talk(writer)
        finally:
            writer.close()

    def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(answer(reader, writer)))

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"http://{host}:{port}/"
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)


async def test_an_answer_comes_whole(clock: FakeClock):
    async with door(clock, World(httpx.Response(201, headers={"X-Told": "yes"}, json={"a": 1}))) as http:
        answer = await http.send("POST", URL, form={"b": "2"}, params={"c": "3"}, headers={"D": "4"})

    assert (answer.status, answer.headers["x-told"], answer.json()) == (201, "yes", {"a": 1})


async def test_what_is_sent_arrives(clock: FakeClock):
    world = World(httpx.Response(200))
    async with door(clock, world) as http:
        await http.send("POST", URL, form={"b": "2"}, params={"c": "3"}, headers={"D": "4"})

    (request,) = world.requests
    assert (request.method, str(request.url), request.content) == ("POST", f"{URL}?c=3", b"b=2")
    assert (request.headers["d"], request.headers["user-agent"]) == ("4", "oO")


@pytest.mark.parametrize("status", [200, 204, 301, 302, 400, 401, 404, 409, 429])
async def test_any_status_below_500_is_an_answer_at_the_first_try(clock: FakeClock, status: int):
    world = World(httpx.Response(status, headers={"Location": "https://elsewhere.example"}))
    async with door(clock, world) as http:
        assert (await http.send("GET", URL, is_repeatable=True)).status == status

    assert len(world.requests) == 1


FAILURES = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("slow"),
    httpx.ReadTimeout("slow"),
    httpx.ReadError("torn"),
    httpx.RemoteProtocolError("nonsense"),
    httpx.DecodingError("not gzip"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_a_world_that_fails_is_down(clock: FakeClock, failure: Exception):
    world = World(failure)
    async with door(clock, world) as http:
        with pytest.raises(SourceDown) as down:
            await http.send("POST", URL)

    assert down.value.facts == {"host": "source.example", "cause": type(failure).__name__}
    assert len(world.requests) == 1


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_what_may_be_repeated_is_tried_three_times_with_pauses(clock: FakeClock, failure: Exception):
    world = World(failure)
    async with door(clock, world) as http:
        with pytest.raises(SourceDown):
            await http.send("GET", URL, is_repeatable=True)

    assert len(world.requests) == 3
    assert timedelta(seconds=1) < clock.now() - NOW < timedelta(seconds=4)


async def test_a_second_try_that_works_is_the_answer(clock: FakeClock):
    async with door(clock, World(httpx.ReadError("torn"), httpx.Response(503), httpx.Response(200))) as http:
        assert (await http.send("GET", URL, is_repeatable=True)).status == 200


async def test_a_failing_server_is_asked_again_and_its_last_word_is_the_answer(clock: FakeClock):
    world = World(httpx.Response(502))
    async with door(clock, world) as http:
        assert (await http.send("GET", URL, is_repeatable=True)).status == 502
        assert (await http.send("POST", URL)).status == 502

    assert len(world.requests) == 4


@pytest.mark.parametrize("url", ["http://[", "no address", "ftp://source.example", "http://", "https://a b.example/"])
async def test_an_address_that_is_none_is_down_too(clock: FakeClock, url: str):
    async with door(clock) as http:
        with pytest.raises(SourceDown):
            await http.send("GET", url)


async def test_an_answer_that_is_too_large_is_not_read_to_its_end(clock: FakeClock):
    async with door(clock, World(httpx.Response(200, content=b"x" * (MAX_BYTES + 1)))) as http:
        with pytest.raises(SourceDown):
            await http.send("GET", URL)


async def test_an_answer_that_grows_when_unpacked_is_too_large(clock: FakeClock):
    packed = gzip.compress(b"x" * (MAX_BYTES + 1))
    async with door(clock, World(httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=packed))) as http:
        with pytest.raises(SourceDown):
            await http.send("GET", URL)


async def test_the_largest_answer_is_read(clock: FakeClock):
    async with door(clock, World(httpx.Response(200, content=b"x" * MAX_BYTES))) as http:
        assert len((await http.send("GET", URL)).body) == MAX_BYTES


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": 1', b"<html>", b"\xff\xfe", b"[" * 100_000, b'{"a": \x00}'])
def test_torn_json_is_down(body: bytes):
    with pytest.raises(SourceDown):
        Answer(200, {}, body).json()


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("9" * 400, LONGEST_RETRY_AFTER_S),
    ],
)
def test_the_wish_for_a_pause_is_read_where_it_is_one(told: str, seconds: float | None):
    assert Answer(429, {"retry-after": told}, b"").retry_after == seconds


async def test_a_document_is_kept_for_as_long_as_told(clock: FakeClock):
    world = World(httpx.Response(200, json={"a": 1}), httpx.Response(200, json={"a": 2}))
    async with door(clock, world) as http:
        first = await http.cached_json(URL, timedelta(hours=1))
        clock.advance(timedelta(minutes=59))
        still = await http.cached_json(URL, timedelta(hours=1))
        fresher = await http.cached_json(URL, timedelta(minutes=1))

    assert (first, still, fresher) == ({"a": 1}, {"a": 1}, {"a": 2})


@pytest.mark.parametrize("answer", [httpx.Response(404, json={}), httpx.Response(200, text="no json")])
async def test_a_document_that_is_none_is_down_and_not_kept(clock: FakeClock, answer: httpx.Response):
    world = World(answer, httpx.Response(200, json={"a": 1}))
    async with door(clock, world) as http:
        with pytest.raises(SourceDown):
            await http.cached_json(URL, timedelta(hours=1))

        assert await http.cached_json(URL, timedelta(hours=1)) == {"a": 1}


async def break_off(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")


async def ramble(writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ready\r\n\r\n")


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b".")
        await asyncio.sleep(0.005)


async def say_nothing(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def test_nobody_listening_is_down(clock: FakeClock):
    async with a_server(say_nothing) as url:
        pass
    async with door(clock) as http:
        with pytest.raises(SourceDown):
            await http.send("GET", url)


@pytest.mark.parametrize("talk", [break_off, ramble])
async def test_an_answer_that_is_none_is_down(clock: FakeClock, talk: Callable[..., Awaitable[None]]):
    async with a_server(talk) as url, door(clock) as http:
        with pytest.raises(SourceDown):
            await http.send("GET", url)


@pytest.mark.parametrize("talk", [drip, say_nothing])
async def test_an_answer_that_never_ends_is_down(talk: Callable[..., Awaitable[None]]):
    async with a_server(talk) as url, door(HastyClock(NOW)) as http:
        with pytest.raises(SourceDown) as down:
            await http.send("GET", url)

    assert down.value.facts["cause"] == "TimeoutError"


async def test_a_cookie_of_one_answer_goes_with_no_other_question(clock: FakeClock):
    world = World(httpx.Response(200, headers={"Set-Cookie": "session=ada; Path=/"}))
    async with door(clock, world) as http:
        for _ in range(2):
            await http.send("GET", URL)

    assert ["cookie" in request.headers for request in world.requests] == [False, False]
