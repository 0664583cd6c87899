"""The one door for HTTP out of the process: time-outs, bounded retries, and errors of our own family."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from oo_app.kit import log
from oo_app.kit.addresses import Addresses
from oo_app.kit.answer import MAX_BYTES, Answer
from oo_app.kit.clock import Clock
from oo_app.kit.errors import SourceDown
from oo_app.kit.foreign import Foreign

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
TOTAL_TIMEOUT_S = 30.0  # for one try: httpx limits each wait only, so an answer that drips would never end
RETRIES = 2
RETRY_PAUSE_S = 0.3
LONGEST_PAUSE_S = 2.0

_log = log.get(__name__)


class Http:
    """The shared client. A transport is handed in by tests; redirects are never followed.

    `foreign` is the way to addresses that people typed; nothing else may go there.
    """

    def __init__(
        self,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
        addresses: Addresses | None = None,
    ) -> None:
        """Build the client without connecting."""
        self._clock = clock
        self.transport = transport
        self.addresses = addresses or Addresses()
        self.foreign = Foreign(clock, self.addresses, transport)
        self._documents: dict[str, tuple[datetime, Any]] = {}
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=True,
            headers={"User-Agent": "oO"},
            # None is kept: what a source sets on one person's answer would go with another's question.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    async def stop(self) -> None:
        """Close every connection."""
        await self._client.aclose()
        await self.foreign.stop()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        is_repeatable: bool = False,
    ) -> Answer:
        """Ask once, or up to three times where repeating does no harm; raise SourceDown when nothing sensible comes.

        Any status is an answer, except 5xx after the last try.
        """
        tries = RETRIES + 1 if is_repeatable else 1
        for attempt in range(1, tries + 1):
            try:
                answer = await self._once(method, url, headers=headers, params=params, form=form, json=json)
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, SourceDown) as error:
                if attempt == tries:
                    raise SourceDown(None, host=_host(url), cause=type(error).__name__) from error
            else:
                if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR or attempt == tries:
                    return answer
            await self._clock.sleep(min(RETRY_PAUSE_S * 2**attempt, LONGEST_PAUSE_S))
        raise SourceDown

    async def cached_json(self, url: str, for_at_most: timedelta) -> Any:
        """Get a public document that seldom changes; a copy no older than told is good enough.

        Raises SourceDown when there is none and the other side does not answer 200.
        """
        kept = self._documents.get(url)
        if kept and self._clock.now() - kept[0] < for_at_most:
            return kept[1]
        answer = await self.send("GET", url, is_repeatable=True)
        if answer.status != HTTPStatus.OK:
            raise SourceDown(None, status=answer.status)
        self._documents[url] = (self._clock.now(), answer.json())
        return self._documents[url][1]

    async def _once(self, method: str, url: str, **parts: Any) -> Answer:
        async with (
            self._clock.timeout(TOTAL_TIMEOUT_S),
            self._client.stream(
                method, url, headers=parts["headers"], params=parts["params"], data=parts["form"], json=parts["json"]
            ) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    msg = "The answer is too large"
                    raise SourceDown(msg)
            return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(body))


def _host(url: str) -> str:
    """Return the host for the log; an address may carry secrets elsewhere."""
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return ""
