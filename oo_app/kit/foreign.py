"""HTTP to addresses given by people: checked, connected to as checked, each redirect anew, and read within limits."""

import ssl
import zlib
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import cast

import httpcore
import httpx

from oo_app.kit.addresses import NOT_PUBLIC, Addresses, host_of, port_of, unreachable
from oo_app.kit.answer import MAX_BYTES, Answer
from oo_app.kit.clock import Clock
from oo_app.kit.errors import Invalid, SourceDown

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
TOTAL_TIMEOUT_S = 30.0  # for one try, redirects included
MOST_REDIRECTS = 5
MOST_CONNECTIONS = 100
RETRIES = 2
RETRY_PAUSE_S = 0.3
GZIP = 31  # zlib's word for: with gzip's own header
CHUNK = 64 * 1024
REDIRECTS = frozenset({301, 302, 303, 307, 308})
KEEPS_BODY = frozenset({307, 308})
OURS = {"User-Agent": "oO", "Accept-Encoding": "gzip"}
READS = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})


class Foreign:
    """The client for what people typed. It keeps no cookie, no connection, and knows no proxy.

    httpx's own client would do the first: one person's cookie would go with another's password to the same server.
    """

    def __init__(
        self,
        clock: Clock,
        addresses: Addresses,
        transport: httpx.AsyncBaseTransport | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """Build the client without connecting; `trust` names other certificate authorities, for tests."""
        self._clock = clock
        self._addresses = addresses
        self._transport = transport or _Transport(addresses, trust)

    async def stop(self) -> None:
        """Close what is open."""
        await self._transport.aclose()

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Ask, following redirects; what only reads is asked for up to three times.

        Invalid with a sentence where an address is not to be asked, SourceDown when nothing sensible comes. Any status
        below 500 is an answer.
        """
        tries = RETRIES + 1 if method in READS else 1
        for attempt in range(1, tries + 1):
            try:
                async with self._clock.timeout(TOTAL_TIMEOUT_S):
                    answer = await self._followed(method, url, dict(headers or {}), body)
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
                if attempt == tries:
                    raise unreachable(_host(url), type(error).__name__) from error
            else:
                if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return answer
                if attempt == tries:
                    raise SourceDown(None, retry_after=answer.retry_after, status=answer.status)
            await self._clock.sleep(RETRY_PAUSE_S * 2**attempt)
        raise SourceDown

    async def _followed(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        here = await self._addresses.check(url)
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._once(method, here, headers, body)
            target = answer.headers.get("location")
            if answer.status not in REDIRECTS or not target:
                return answer
            if method not in READS and answer.status not in KEEPS_BODY:
                break
            there = await self._led(here, target)
            if here.scheme == "https" and there.scheme != "https":
                break
            if _origin(there) != _origin(here):
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            here = there
        raise unreachable(host_of(here), "redirects")

    async def _led(self, here: httpx.URL, target: str) -> httpx.URL:
        """Check where a redirect leads; what is wrong there is one and the same to whoever sent us here."""
        try:
            return await self._addresses.check(here.join(target))
        except (Invalid, httpx.InvalidURL) as error:
            raise Invalid(NOT_PUBLIC, field="url") from error

    async def _once(self, method: str, url: httpx.URL, headers: dict[str, str], body: bytes | None) -> Answer:
        told = httpx.Headers(OURS)
        told.update(headers)
        request = httpx.Request(method, url, headers=told, content=body, extensions={"timeout": TIMEOUT.as_dict()})
        async with aclosing(await self._transport.handle_async_request(request)) as response:
            read = await _read(response, host_of(url))
            return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, read, str(url))


async def _read(response: httpx.Response, host: str) -> bytes:
    """Read a body within the limit, counting what comes out of gzip: httpx would unpack a bomb before it counts."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip", "x-gzip", ""}:
        raise unreachable(host, "encoding")
    unpack = zlib.decompressobj(GZIP) if "gzip" in encoding else None
    body = bytearray()
    async for chunk in response.aiter_raw(CHUNK):
        try:
            body += unpack.decompress(chunk, MAX_BYTES + 1 - len(body)) if unpack else chunk
        except zlib.error as error:
            raise unreachable(host, "encoding") from error
        if max(len(body), response.num_bytes_downloaded) > MAX_BYTES:
            msg = "What lies there is too large"
            raise SourceDown(msg, host=host, cause="too large")
        if unpack and unpack.unused_data:  # zlib would keep all that follows, however much
            raise unreachable(host, "encoding")
    # What has no body (304 above all) may yet say how its body would have been packed.
    if unpack and response.num_bytes_downloaded and not unpack.eof:
        raise unreachable(host, "torn")
    return bytes(body)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own transport over connections of ours."""

    def __init__(self, addresses: Addresses, trust: ssl.SSLContext | None) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust or httpx.create_ssl_context(),
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=0,  # a connection that is kept would never be checked again
            network_backend=_Checked(addresses),
        )


class _Checked(httpcore.AsyncNetworkBackend):
    """Resolves by itself and connects to what it has checked; TLS goes on to verify the name."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._inner = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(  # noqa: PLR0917 -- httpcore's signature
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in await self._addresses.to_connect(host, port):
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, host_of(url), port_of(url)


def _host(url: str) -> str:
    """Return the host for the log; the rest of an address may be a secret."""
    try:
        return host_of(httpx.URL(url))
    except httpx.InvalidURL:
        return ""
