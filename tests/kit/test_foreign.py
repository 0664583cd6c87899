"""HTTP to what people typed, against real servers on loopback: what they may do to us, and what we do for them."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from oo_app.kit.addresses import NOT_PUBLIC, Addresses, Ip, Private
from oo_app.kit.answer import MAX_BYTES
from oo_app.kit.clock import Clock, FakeClock
from oo_app.kit.errors import Invalid, SourceDown
from oo_app.kit.foreign import Foreign
from tests.conftest import START

pytestmark = pytest.mark.long

Serve = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
HERE = ip_address("127.0.0.1")


class Impatient(FakeClock):
    """Waits half a second where others wait for thirty."""

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(0.5)


class Server:
    """A server that answers by path, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Serve] = {}
        self.asked: list[str] = []
        self.port = 0
        self.connections: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(asyncio.current_task())
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            while await self.goes_on(reader, writer):
                pass
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def goes_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer once; whether the connection may be asked again."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        answer = self.answers.get(head.split(" ")[1], answering(404))
        if not isinstance(answer, bytes):
            await answer(head, writer)
            return False
        writer.write(answer)
        await writer.drain()
        return b"Connection: close" not in answer

    def url(self, path: str, host: str = "calendar.test") -> str:
        return f"http://{host}:{self.port}{path}"


def answering(status: int, body: bytes = b"", **headers: str) -> bytes:
    told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\n{told}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def to(target: str, status: int = 302) -> bytes:
    return answering(status, Location=target)


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncGenerator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, host, 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()
    await asyncio.gather(*filter(None, server.connections))


def leading(*answers: Sequence[Ip]) -> Callable[[str, int], Awaitable[Sequence[Ip]]]:
    """Resolve names in turn, the last answer for ever."""
    waiting = list(answers)

    async def resolve(host: str, port: int) -> Sequence[Ip]:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return resolve


@asynccontextmanager
async def client(
    *answers: Sequence[Ip], clock: Clock | None = None, trust: ssl.SSLContext | None = None, allowed: str = "127.0.0.1"
) -> AsyncGenerator[Foreign]:
    addresses = Addresses(Private.read(allowed), resolve=leading(*(answers or ([HERE],))))
    foreign = Foreign(clock or FakeClock(START), addresses, trust=trust)
    yield foreign
    await foreign.stop()


async def test_an_answer_is_read_and_the_host_is_the_name():
    async with serving() as server, client() as foreign:
        server.answers["/feed.ics?key=secret"] = answering(200, b"BEGIN:VCALENDAR", ETag='"1"')

        answer = await foreign.send("GET", server.url("/feed.ics?key=secret"), headers={"If-None-Match": '"0"'})

    assert (answer.status, answer.body, answer.headers["etag"]) == (200, b"BEGIN:VCALENDAR", '"1"')
    assert f"Host: calendar.test:{server.port}" in server.asked[0]
    assert 'If-None-Match: "0"' in server.asked[0]


async def test_a_name_that_leads_elsewhere_by_the_time_of_connecting_is_refused():
    async with serving() as server, client([HERE], [ip_address("127.0.0.2")]) as foreign:
        with pytest.raises(Invalid):
            await foreign.send("GET", server.url("/"))

    assert server.asked == []


async def test_redirects_are_followed_and_each_is_checked():
    async with serving() as server, client() as foreign:
        server.answers["/a"], server.answers["/b"] = to("/b", 301), to(server.url("/c"), 308)
        server.answers["/c"] = answering(200, b"there")

        answer = await foreign.send("GET", server.url("/a"))

    assert answer.body == b"there"
    assert answer.url == server.url("/c")


@pytest.mark.parametrize(
    "target",
    [
        "http://10.0.0.5/",
        "http://[::1]/",
        "file:///etc/passwd",
        "http://169.254.169.254/latest",
        "http://127.0.0.1:22/",
        "http://[::ffff:127.0.0.1]/",
        "https://xn--a/",
        "http://[",
        "mailto:ada@example.com",
    ],
)
async def test_a_redirect_to_where_nobody_may_go_is_refused(target: str):
    async with serving() as server, client() as foreign:
        server.answers["/a"] = to(target)

        with pytest.raises(Invalid) as refused:
            await foreign.send("GET", server.url("/a"))

    assert refused.value.detail == NOT_PUBLIC


async def test_redirects_without_an_end_are_given_up():
    async with serving() as server, client() as foreign:
        server.answers["/a"] = to("/a")

        with pytest.raises(SourceDown):
            await foreign.send("GET", server.url("/a"))

    assert len(server.asked) == 6


async def test_a_password_does_not_follow_to_another_origin():
    async with serving() as first, serving() as second, client() as foreign:
        first.answers["/same"], first.answers["/other"] = to("/here"), to(second.url("/there"))

        for path in ("/same", "/other"):
            await foreign.send("PROPFIND", first.url(path), headers={"Authorization": "Basic c2VjcmV0"}, body=b"<x/>")

    assert ["Authorization" in each for each in first.asked] == [True, True, True]
    assert ["Authorization" in each for each in second.asked] == [False]


@pytest.mark.parametrize(
    ("status", "is_followed"), [(301, False), (302, False), (303, False), (307, True), (308, True)]
)
async def test_a_change_follows_only_where_it_stays_one(status: int, *, is_followed: bool):
    async with serving() as server, client() as foreign:
        server.answers["/a"], server.answers["/b"] = to("/b", status), answering(201)

        if is_followed:
            assert (await foreign.send("PUT", server.url("/a"), body=b"x")).status == 201
        else:
            with pytest.raises(SourceDown):
                await foreign.send("PUT", server.url("/a"), body=b"x")


async def endless(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def dripping(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def flooding(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Header: " + b"x" * 8_192 + b"\r\n")
        await writer.drain()


async def cut(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


async def garbage(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\x01 not HTTP at all\r\n\r\n")


@pytest.mark.parametrize("serve", [endless, dripping, flooding, cut, garbage])
async def test_a_server_that_does_not_behave_is_given_up(serve: Serve):
    async with serving() as server, client(clock=Impatient(START)) as foreign:
        server.answers["/"] = serve

        with pytest.raises(SourceDown):
            await foreign.send("GET", server.url("/"))


async def test_a_bomb_is_not_unpacked():
    bomb = gzip.compress(b"\0" * (200 * 1024 * 1024), 9)
    async with serving() as server, client() as foreign:
        server.answers["/"] = answering(200, bomb, Content_Encoding="gzip")

        with pytest.raises(SourceDown, match="too large"):
            await foreign.send("GET", server.url("/"))


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
async def test_an_encoding_that_was_not_asked_for_is_not_taken(encoding: str):
    async with serving() as server, client() as foreign:
        server.answers["/"] = answering(200, b"???", Content_Encoding=encoding)

        with pytest.raises(SourceDown):
            await foreign.send("GET", server.url("/"))


async def test_what_is_packed_is_unpacked_and_what_is_torn_is_told():
    packed = gzip.compress(b"BEGIN:VCALENDAR" * 100)
    async with serving() as server, client() as foreign:
        server.answers["/whole"] = answering(200, packed, Content_Encoding="gzip")
        server.answers["/torn"] = answering(200, packed[:-12], Content_Encoding="gzip")

        assert (await foreign.send("GET", server.url("/whole"))).body == b"BEGIN:VCALENDAR" * 100
        with pytest.raises(SourceDown):
            await foreign.send("GET", server.url("/torn"))


async def more_after_the_end(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"whole"))
    for _chunk in range(200):
        writer.write(b"x" * 65_536)
        await writer.drain()


async def nothing_inside(_: str, writer: asyncio.StreamWriter) -> None:
    empty_block = b"\x00\x00\x00\xff\xff"
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03")
    for _chunk in range(200):
        writer.write(empty_block * 13_000)
        await writer.drain()


@pytest.mark.parametrize(("serve", "cause"), [(more_after_the_end, "encoding"), (nothing_inside, "too large")])
async def test_what_comes_packed_is_counted_too(serve: Serve, cause: str):
    async with serving() as server, client() as foreign:
        server.answers["/"] = serve

        with pytest.raises(SourceDown) as down:
            await foreign.send("GET", server.url("/"))

    assert down.value.facts["cause"] == cause


async def test_nothing_new_is_an_answer_although_it_says_how_it_would_be_packed():
    async with serving() as server, client() as foreign:
        server.answers["/"] = answering(304, Content_Encoding="gzip")

        assert (await foreign.send("GET", server.url("/"))).status == 304


async def test_a_cookie_of_one_answer_goes_with_no_other_question():
    async with serving() as server, client() as foreign:
        server.answers["/a"] = answering(302, Set_Cookie="session=ada; Path=/", Location="/b")

        for _ in range(2):
            await foreign.send("GET", server.url("/a"))

    assert len(server.asked) == 4
    assert "session=ada" not in "".join(server.asked)


async def test_each_question_is_asked_on_a_connection_of_its_own_checked_anew():
    async with serving() as server, client([HERE], [HERE], [HERE], [HERE], [ip_address("10.0.0.5")]) as foreign:
        server.answers["/"] = answering(200, b"ok").replace(b"Connection: close\r\n", b"")

        for _ in range(2):
            await foreign.send("GET", server.url("/"))
        with pytest.raises(Invalid):
            await foreign.send("GET", server.url("/"))

    assert len(server.connections) == len(server.asked) == 2


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    async with serving() as server, serving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url("", "127.0.0.1"))
        async with client() as foreign:
            server.answers["/"] = answering(200, b"direct")

            assert (await foreign.send("GET", server.url("/"))).body == b"direct"

    assert proxy.asked == []


async def test_ten_megabytes_are_read_and_not_a_byte_more():
    async with serving() as server, client() as foreign:
        server.answers["/ten"] = answering(200, b"x" * MAX_BYTES)
        server.answers["/more"] = answering(200, b"x" * (MAX_BYTES + 1))

        assert len((await foreign.send("GET", server.url("/ten"))).body) == MAX_BYTES
        with pytest.raises(SourceDown):
            await foreign.send("GET", server.url("/more"))


async def test_what_only_reads_is_asked_three_times_and_a_change_once():
    async with serving() as server, client() as foreign:
        server.answers["/"] = answering(503, Retry_After="7")

        for method in ("REPORT", "PUT"):
            with pytest.raises(SourceDown) as down:
                await foreign.send(method, server.url("/"), body=b"x")
            assert down.value.retry_after == 7

    assert [each.split(" ")[0] for each in server.asked] == ["REPORT"] * 3 + ["PUT"]


async def test_a_server_that_is_gone_is_told_without_what_lies_there():
    async with serving() as server:
        url = server.url("/secret-path")
    async with client() as foreign:
        with pytest.raises(SourceDown) as down:
            await foreign.send("GET", url)

    assert "secret" not in f"{down.value} {down.value.facts}"


def a_certificate(folder: Path, name: str) -> Path:
    """Make a certificate that only its own holder signs; return its file, key included."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "certificate.pem"
    file.write_bytes(key.private_bytes(pem, *plain) + certificate.public_bytes(pem))
    return file


async def test_an_authority_of_the_operators_own_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = a_certificate(tmp_path, "calendar.test")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with serving(tls) as server, client() as foreign:
        server.answers["/"] = answering(200, b"it is me")

        assert (await foreign.send("GET", server.url("/").replace("http:", "https:"))).body == b"it is me"


@pytest.mark.parametrize(("host", "is_it"), [("calendar.test", True), ("another.test", False)])
async def test_a_certificate_is_held_to_the_name_although_an_address_is_connected_to(
    tmp_path: Path, host: str, *, is_it: bool
):
    file = a_certificate(tmp_path, "calendar.test")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    trust = ssl.create_default_context(cafile=str(file))
    async with serving(tls) as server, client(trust=trust) as foreign:
        server.answers["/"] = answering(200, b"it is me")
        url = server.url("/", host).replace("http:", "https:")

        if is_it:
            assert (await foreign.send("GET", url)).body == b"it is me"
        else:
            with pytest.raises(SourceDown):
                await foreign.send("GET", url)


async def test_https_does_not_become_http(tmp_path: Path):
    file = a_certificate(tmp_path, "calendar.test")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    trust = ssl.create_default_context(cafile=str(file))
    async with serving(tls) as secure, serving() as plain, client(trust=trust) as foreign:
        secure.answers["/"] = to(plain.url("/"))

        with pytest.raises(SourceDown):
            await foreign.send("GET", secure.url("/").replace("http:", "https:"))

    assert plain.asked == []
