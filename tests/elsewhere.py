"""The sandbox's Todoist in a process of its own: it outlives the application, and a test sees and does things there.

`python -m tests.elsewhere PORT APPLICATION FOLDER` serves it.
"""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import uvicorn
from fastapi import FastAPI

from oo_app import sandbox
from oo_app.kit.clock import Clock
from tests.served import ROOT, free_port

READY_WITHIN_S = 30
CLIENT = {"client_id": "oo-sandbox-todoist", "client_secret": "oo-sandbox-todoist-secret"}
PAGE = 100


@dataclass(frozen=True)
class Elsewhere:
    """A running Todoist. `port` is where it listens; a proxy before it listens elsewhere."""

    port: int
    clients: list[httpx.Client] = field(default_factory=list)

    def variables(self, port: int | None = None) -> dict[str, str]:
        """Return what leads the application here, by another port where a proxy stands between."""
        base = f"http://127.0.0.1:{port or self.port}/sandbox/todoist"
        return {
            "TODOIST_CLIENT_ID": CLIENT["client_id"],
            "TODOIST_CLIENT_SECRET": CLIENT["client_secret"],
            "TODOIST_API_URL": f"{base}/api/v1",
            "TODOIST_AUTH_URL": f"http://127.0.0.1:{self.port}/sandbox/todoist/oauth/authorize",
            "TODOIST_TOKEN_URL": f"{base}/oauth/access_token",
        }

    def account(self, name: str) -> "Account":
        """Let ourselves into an account, beside the application."""
        client = self._client()
        client.headers["Authorization"] = f"Bearer {_granted(client, name)['access_token']}"
        return Account(name, client)

    def grant(self, name: str) -> dict[str, Any]:
        """Return a grant to an account as the application gets it."""
        return _granted(self._client(), name)

    def _client(self) -> httpx.Client:
        client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/sandbox/todoist", timeout=30, trust_env=False)
        self.clients.append(client)
        return client

    def turn(self, knob: str, **settings: Any) -> None:
        """Turn one of the knobs that the real one does not have."""
        url = f"http://127.0.0.1:{self.port}/sandbox/todoist/control/{knob}"
        httpx.post(url, json=settings, trust_env=False).raise_for_status()


@dataclass(frozen=True)
class Account:
    """Somebody's Todoist, as its own app shows it."""

    name: str
    client: httpx.Client

    def add(self, content: str, **fields: Any) -> str:
        """Add a task; return its id."""
        answer = self.client.post("/api/v1/tasks", json={"content": content, **fields})
        answer.raise_for_status()
        return str(answer.json()["id"])

    def add_all(self, contents: Sequence[str]) -> list[str]:
        """Add up to a hundred tasks at once; return their ids."""
        commands = [
            {"type": "item_add", "uuid": str(uuid4()), "temp_id": str(number), "args": {"content": content}}
            for number, content in enumerate(contents)
        ]
        told = self.client.post("/api/v1/sync", data={"commands": json.dumps(commands)}).raise_for_status().json()
        return [str(told["temp_id_mapping"][str(number)]) for number in range(len(contents))]

    def close(self, task_id: str) -> None:
        """Complete a task there."""
        self.client.post(f"/api/v1/tasks/{task_id}/close").raise_for_status()

    def completions(self) -> Counter[str]:
        """Count how often each task was completed since the account was opened, occurrences of recurring ones too."""
        counted: Counter[str] = Counter()
        cursor: str | None = None
        while True:
            params = {"limit": PAGE, "object_event_types": '["item:completed"]'} | (
                {"cursor": cursor} if cursor else {}
            )
            told = self.client.get("/api/v1/activities", params=params).raise_for_status().json()
            counted.update(row["object_id"] for row in told["results"] if row["event_type"] == "completed")
            cursor = told["next_cursor"]
            if cursor is None:
                return counted


def _granted(client: httpx.Client, name: str) -> dict[str, Any]:
    asked = {"client_id": CLIENT["client_id"], "scope": "data:read_write,data:delete", "state": "ours"}
    form = {"account": name, "answer": "agree"}
    answer = client.post("/oauth/authorize", params=asked, data=form)
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    return client.post("/oauth/access_token", data=CLIENT | {"code": code}).json()


@contextmanager
def elsewhere(app_url: str, folder: Path) -> Generator[Elsewhere]:
    """Run a Todoist for an application until the block ends."""
    port = free_port()
    folder = folder / "elsewhere"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.elsewhere", str(port), app_url, str(folder)]
    with (folder / "elsewhere.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        _wait_until_up(process, port, folder / "elsewhere.log")
        running = Elsewhere(port)
        yield running
        for client in running.clients:
            client.close()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/sandbox/todoist/", trust_env=False)
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text()) from None
            time.sleep(0.05)
        else:
            return


def main() -> None:
    """Serve until killed."""
    port, app_url, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    options = sandbox.SandboxOptions(app_url, f"http://127.0.0.1:{port}", folder)
    app = FastAPI()
    app.mount("/sandbox", sandbox.build(options, Clock()))
    uvicorn.run(app, port=port, log_level="error", http="httptools", loop="uvloop")


if __name__ == "__main__":
    main()
