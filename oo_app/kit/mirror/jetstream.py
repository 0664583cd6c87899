"""What the mirror says to NATS, and what it makes of the answers. The only file that knows nats-py.

nats-py would connect again by itself and send then what it had kept; ours gives a broken connection up, so that what
was sent and not acknowledged is known to one place, the outbox.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

from nats.aio.client import Client
from nats.errors import Error, NoServersError, SecureConnWantedError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from oo_app.kit.mirror.mirror import MirrorDown, Stream

CONNECT_S = 5
ANSWER_S = 5.0
CLOSE_S = 2.0
PING_S = 10
MAX_AGE_S = 30 * 24 * 3600
# Longer than any time between an acknowledgement that got lost and our sending again: an answer's time-out, a pause,
# a restart with migrations. The server keeps every id of that time in memory.
DUPLICATE_WINDOW_S = 600
OURS = "Events of oO, mirrored from its outbox"

Result = TypeVar("Result")


class _Client(Client):
    """Refuses to go on without TLS where it was asked for; nats-py leaves that to the server's first line."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002 -- nats-py's signature
        await super()._process_info(info, initial_connection)
        server = self._current_server
        if server and server.uri.scheme == "tls" and not info.get("tls_required") and initial_connection:
            raise SecureConnWantedError


class JetStream:
    """A connection that lasts until something goes wrong with it."""

    def __init__(self, client: Client) -> None:
        """Speak by a connected client."""
        self._context = JetStreamContext(client, timeout=ANSWER_S)
        self._lost: asyncio.Future[MirrorDown] = asyncio.get_running_loop().create_future()

    def lose(self, cause: str) -> None:
        """Note that the connection is no use any more; the first cause counts."""
        if not self._lost.done():
            self._lost.set_result(_down(cause))

    async def or_lost(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for some work as long as there is a connection; MirrorDown, and the work cancelled, when it is lost."""
        task = asyncio.create_task(work)
        try:
            await asyncio.wait((task, self._lost), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise self._lost.result()
            return await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def declare(self, streams: Sequence[Stream]) -> tuple[str, ...]:
        """Make the streams that are not there, bring ours up to date, and say what is not as it should be."""
        return tuple([said for stream in streams for said in await self._declare(stream)])

    async def publish(self, stream: str, subject: str, event_id: str, body: bytes) -> bool:
        """Publish, and tell whether it was new to the server. MirrorDown when it is not acknowledged."""
        try:
            answer = await self._context.publish(subject, body, stream=stream, headers={"Nats-Msg-Id": event_id})
        except (APIError, NoStreamResponseError) as error:
            raise _refused(error) from error
        except (Error, OSError) as error:
            self.lose(_cause(error))
            raise _down(_cause(error)) from error
        return not answer.duplicate

    async def _declare(self, stream: Stream) -> list[str]:
        wanted = StreamConfig(
            name=stream.name,
            description=OURS,
            subjects=[f"{stream.prefix}>"],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_age=MAX_AGE_S,
            duplicate_window=DUPLICATE_WINDOW_S,
        )
        try:
            try:
                found = (await self._context.stream_info(stream.name)).config
            except NotFoundError:
                found = (await self._made(wanted)).config
            if _differing(found, wanted) and found.description == OURS:
                found = (await self._changed(found, wanted)).config
        except APIError as error:
            return [f"{stream.name} could not be made: {_refused(error).facts['cause']}"]
        except (Error, OSError) as error:
            raise _down(_cause(error)) from error
        return _differing(found, wanted)

    async def _made(self, wanted: StreamConfig) -> StreamInfo:
        return await self._context.add_stream(wanted)  # pyright: ignore[reportUnknownMemberType] -- half typed

    async def _changed(self, found: StreamConfig, wanted: StreamConfig) -> StreamInfo:
        changed = replace(
            found, subjects=wanted.subjects, max_age=wanted.max_age, duplicate_window=wanted.duplicate_window
        )
        return await self._context.update_stream(changed)  # pyright: ignore[reportUnknownMemberType] -- half typed


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[JetStream]:
    """Connect to one of the servers (comma-separated) until the block ends. MirrorDown when none can be reached."""
    client, causes = _Client(), list[Exception]()
    link: list[JetStream] = []

    async def note(error: Exception) -> None:
        causes.append(error)

    async def lose() -> None:
        for each in link:
            each.lose(_cause(causes[-1]) if causes else "closed")

    try:
        try:
            async with asyncio.timeout(CONNECT_S):
                await client.connect(
                    [each.strip() for each in url.split(",")],
                    name="oO",
                    error_cb=note,
                    closed_cb=lose,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=CONNECT_S,
                    ping_interval=PING_S,
                )
        except NoServersError as error:
            raise _down(_cause(causes[-1] if causes else error)) from error
        except (Error, OSError) as error:
            raise _down(_cause(error)) from error
        link.append(JetStream(client))
        yield link[0]
    finally:
        link.clear()
        with suppress(TimeoutError, Error, OSError):
            async with asyncio.timeout(CLOSE_S):
                await client.close()


def _differing(found: StreamConfig, wanted: StreamConfig) -> list[str]:
    pairs = {
        "subjects": (found.subjects, wanted.subjects),
        "max_age": (found.max_age, wanted.max_age),
        "duplicate_window": (found.duplicate_window, wanted.duplicate_window),
    }
    return [f"{wanted.name} has {name} {has}, not {wants}" for name, (has, wants) in pairs.items() if has != wants]


def _down(cause: str) -> MirrorDown:
    return MirrorDown("NATS does not answer, or not as it should", cause=cause)


def _refused(error: APIError | NoStreamResponseError) -> MirrorDown:
    code = error.err_code if isinstance(error, APIError) else None
    return _down(f"refused_{code}" if code else "no_stream")


def _cause(error: Exception) -> str:
    """Name what happened; its text could hold an address with a password."""
    return type(error).__name__
