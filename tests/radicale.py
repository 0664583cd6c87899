"""A real CalDAV server on a free port, with somebody's own lists on it, and another program that writes there too."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from tests.served import free_port

PASSWORD = "a good password"
READY_WITHIN_S = 30
CONFIG = """
[server]
hosts = 127.0.0.1:{port}
[auth]
type = htpasswd
htpasswd_filename = {folder}/people
htpasswd_encryption = plain
delay = 0
[storage]
filesystem_folder = {folder}/lists
[logging]
level = error
"""


class Server:
    """The server. It can be killed, and started again on what it holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "config").write_text(CONFIG.format(port=self.port, folder=folder))
        (folder / "people").touch()

    def start(self) -> Self:
        """Start, and wait until it listens."""
        command = [sys.executable, "-m", "radicale", "--config", str(self.folder / "config")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        ends_at = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < ends_at:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        msg = (self.folder / "log").read_text()
        raise TimeoutError(msg)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def running(folder: Path) -> Generator[Server]:
    """Run the server until the block ends."""
    server = Server(folder)
    try:
        yield server.start()
    finally:
        server.kill()


@dataclass(frozen=True)
class Home:
    """Somebody on the server, as another program sees them."""

    server: Server
    user: str

    @property
    def url(self) -> str:
        """Where their lists are."""
        return f"{self.server.url}/{self.user}/"

    @classmethod
    def of(cls, server: Server, user: str) -> Self:
        """Give somebody an account."""
        with (server.folder / "people").open("a") as people:
            people.write(f"{user}:{PASSWORD}\n")
        return cls(server, user)

    def send(self, method: str, path: str, body: str = "", **headers: str) -> httpx.Response:
        """Ask the server under their name."""
        with httpx.Client(auth=(self.user, PASSWORD), trust_env=False) as client:
            answer = client.request(method, f"{self.url}{path}", content=body, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer

    def make_list(self, name: str, kind: str = "VTODO") -> None:
        """Make a list of tasks, or a calendar."""
        comps = f'<C:supported-calendar-component-set><C:comp name="{kind}"/></C:supported-calendar-component-set>'
        props = f"<resourcetype><collection/><C:calendar/></resourcetype>{comps}"
        spaces = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
        self.send("MKCOL", f"{name}/", f"<mkcol {spaces}><set><prop>{props}</prop></set></mkcol>")

    def put(self, path: str, *lines: str) -> str:
        """Write a task of these lines; return its path on the server."""
        self.send("PUT", path, a_todo(*lines, uid=path), **{"Content-Type": "text/calendar"})
        return f"/{self.user}/{path}"

    def text(self, path: str) -> str:
        """Return what is kept there."""
        return self.send("GET", path).text

    def fill(self, name: str, todos: Sequence[Sequence[str]]) -> None:
        """Write a whole list of tasks at once; the server names each by its UID."""
        body = "".join(a_part(*lines, uid=f"u{number}") for number, lines in enumerate(todos))
        self.send("PUT", f"{name}/", whole(body), **{"Content-Type": "text/calendar"})


def a_part(*lines: str, uid: str = "u1") -> str:
    """Return a task as a part of a calendar."""
    return "".join(
        f"{line}\r\n" for line in ("BEGIN:VTODO", f"UID:{uid}", "DTSTAMP:20261101T000000Z", *lines, "END:VTODO")
    )


def whole(body: str) -> str:
    """Return a calendar around its parts."""
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\n{body}END:VCALENDAR\r\n"


def a_todo(*lines: str, uid: str = "u1") -> str:
    """Return a resource that holds one task."""
    return whole(a_part(*lines, uid=uid))
