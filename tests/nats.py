"""A NATS server with JetStream on a free port of this machine, in a folder of its own, ended by process id."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from tests.served import free_port

# Both programs bear the same name, so each is known by its path.
OLD = Path("/usr/sbin/nats-server")  # Debian's package, 2.9
NEW = Path(sys.executable).parent / "nats-server"  # the wheel, 2.15
READY_WITHIN_S = 20
LOG = "nats.log"


@dataclass
class Nats:
    """A server that can be killed, frozen and started again on what it had stored."""

    program: Path
    folder: Path
    options: str = ""
    jetstream: str = "max_file_store: 512MB"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it is ready."""
        config = self.folder / "nats.conf"
        store = f'jetstream {{ store_dir: "{self.folder / "js"}", {self.jetstream} }}'
        config.write_text(f"listen: 127.0.0.1:{self.port}\n{store}\n{self.options}\n")
        with (self.folder / LOG).open("w") as output:
            self.process = subprocess.Popen([self.program, "-c", config], stdout=output, stderr=output)
        deadline = time.monotonic() + READY_WITHIN_S
        while "Server is ready" not in (said := (self.folder / LOG).read_text()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(said)
            time.sleep(0.01)

    def end(self, by: signal.Signals = signal.SIGKILL) -> None:
        """End it, by default as a crash does."""
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.send_signal(by)
            self.process.wait(10)
        self.process = None

    def freeze(self) -> None:
        """Let it stand still: connections stay, nothing is answered."""
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process
        os.kill(self.process.pid, signal.SIGCONT)


@contextmanager
def server(program: Path, folder: Path, *, jetstream: str = "max_file_store: 512MB") -> Generator[Nats]:
    """Run a server until the block ends."""
    assert program.exists(), f"{program} is missing: sh scripts/setup.sh test"
    (home := folder / "nats").mkdir()
    running = Nats(program, home, jetstream=jetstream)
    try:
        running.start()
        yield running
    finally:
        running.end()
        shutil.rmtree(home)


@dataclass(frozen=True)
class Message:
    """What a reader gets."""

    subject: str
    id: str
    body: bytes


@asynccontextmanager
async def reader(url: str) -> AsyncGenerator[JetStreamContext]:
    """Connect as a consumer does."""
    client: Client = await nats.connect(url, allow_reconnect=False)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def messages(url: str, stream: str) -> list[Message]:
    """Read everything a stream holds, in its order."""
    async with reader(url) as context:
        state = (await context.stream_info(stream)).state
        read: list[Message] = []
        if not state.messages:
            return read
        subscribed = await context.subscribe(">" if not stream else f"{stream.lower()}.>", ordered_consumer=True)
        while len(read) < state.messages:
            message = await subscribed.next_msg(timeout=10)
            read.append(Message(message.subject, (message.headers or {})["Nats-Msg-Id"], message.data))
        return read
