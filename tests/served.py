"""The application as people run it: `oo run` on a free port with its own data folder, ended by process id."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RATE_FACTOR = "1000"
READY_WITHIN_S = 180  # the first start builds the front end
RUN = ("-m", "oo_app", "run")
LOG = "served.log"


@dataclass(frozen=True)
class Served:
    """A running application."""

    url: str
    folder: Path
    pid: int

    @property
    def memory_mb(self) -> float:
        """Resident memory of the serving process."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(row for row in status.splitlines() if row.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    @property
    def processor_s(self) -> float:
        """Processor time that the serving process has taken so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    folder: Path, *, port: int | None = None, command: Sequence[str] = RUN, **variables: str
) -> Generator[Served]:
    """Run the application until the block ends."""
    port = port or free_port()
    process = started(folder, port, command=command, **variables)
    try:
        wait_until_ready(process, folder)
        yield Served(f"http://localhost:{port}", folder, process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def started(folder: Path, port: int, *, command: Sequence[str] = RUN, **variables: str) -> subprocess.Popen[bytes]:
    """Start the application on a folder and a port; what it says stands in `served.log`, anew each time."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OO_")}
    # Stories follow one another faster than people do; production would refuse the variable.
    limits = {} if variables.get("OO_ENV") == "production" else {"OO_RATE_FACTOR": RATE_FACTOR}
    environment = kept | {"PORT": str(port), "OO_DATA_DIR": str(folder), **limits, **variables}
    with (folder / LOG).open("w") as output:
        return subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment, stdout=output, stderr=output)


def wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for the application to say that it is ready."""
    deadline = time.monotonic() + READY_WITHIN_S
    while "oO is ready" not in (folder / LOG).read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError((folder / LOG).read_text())
        time.sleep(0.05)
