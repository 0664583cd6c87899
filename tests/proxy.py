"""A small TCP proxy between two programs, whose line can be slowed, cut, silenced or made to lie, and then healed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

CHUNK = 16 * 1024


@dataclass
class Line:
    """How the line behaves, for connections that stand and for new ones; the defaults pass everything on."""

    is_refusing: bool = False  # new connections are closed at once
    swallows_questions: bool = False  # what the caller sends never arrives: half-open
    swallows_answers: bool = False  # what is answered never comes back
    delay_s: float = 0.0  # before each answered piece
    drip_s: float = 0.0  # answers come byte by byte, with this pause between
    cut_after: int | None = None  # the connection is cut once so many answered bytes have passed
    answers: bytes | None = None  # these bytes are answered instead of whatever was said
    cuts_answer_to: bytes | None = None  # the first answer to what holds these bytes is cut in its middle


@dataclass
class Proxy:
    """Listens on a free port of this machine and passes on to another port of it."""

    target_port: int
    line: Line = field(default_factory=Line)
    port: int = 0
    accepted: int = 0
    asked: int = 0  # pieces that callers have sent
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _halved: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Stop listening and cut what is open."""
        self.cut()
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    def cut(self) -> None:
        """Cut every connection that stands, as a lost line does."""
        for writer in list(self._open):
            writer.transport.abort()

    def heal(self) -> None:
        """Pass everything on again; connections that were spoiled are cut."""
        self.line = Line()
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.line.is_refusing:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        self._open.add(there)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ask(reader, there, writer))
                group.create_task(self._answer(there_reader, writer))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for each in (writer, there):
                each.transport.abort()
                self._open.discard(each)
                self._halved.discard(each)

    async def _ask(self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        while piece := await reader.read(CHUNK):
            self.asked += 1
            if self.line.cuts_answer_to is not None and self.line.cuts_answer_to in piece:
                self.line.cuts_answer_to = None
                self._halved.add(back)
            if self.line.answers is not None:
                back.write(self.line.answers)
                with suppress(OSError):
                    await back.drain()
                raise ConnectionAbortedError
            if not self.line.swallows_questions:
                there.write(piece)
                await there.drain()
        raise ConnectionAbortedError

    async def _answer(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        passed = 0
        while piece := await reader.read(CHUNK):
            if self.line.swallows_answers:
                continue
            if back in self._halved:
                back.write(piece[: len(piece) // 2])
                await back.drain()
                raise ConnectionAbortedError
            if self.line.delay_s:
                await asyncio.sleep(self.line.delay_s)
            if self.line.cut_after is not None:
                piece = piece[: max(0, self.line.cut_after - passed)]
            for part in (bytes([byte]) for byte in piece) if self.line.drip_s else (piece,):
                back.write(part)
                await back.drain()
                if self.line.drip_s:
                    await asyncio.sleep(self.line.drip_s)
            passed += len(piece)
            if self.line.cut_after is not None and passed >= self.line.cut_after:
                raise ConnectionAbortedError
        await back.drain()
        raise ConnectionAbortedError


@asynccontextmanager
async def proxied(target_port: int, port: int = 0) -> AsyncGenerator[Proxy]:
    """Run a proxy until the block ends."""
    proxy = await Proxy(target_port, port=port).start()
    try:
        yield proxy
    finally:
        await proxy.stop()
