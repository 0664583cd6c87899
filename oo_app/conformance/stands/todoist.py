"""The stand-in for Todoist: the sandbox's, driven by an app of the person's beside oO."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from pydantic import SecretStr
from starlette.routing import Mount, Router

from oo_app import sandbox
from oo_app.conformance.stand import ADDRESS, Stand
from oo_app.kit.clock import Clock
from oo_app.kit.ids import new_id
from oo_app.sources import Call

BASE = f"{ADDRESS}/sandbox/todoist"
APP = "http://localhost:8000"
SECRET = "oo-sandbox-todoist-secret"  # noqa: S105 -- not a secret: a fixed word of the sandbox
LEGACY = {"client_id": "oo-sandbox-todoist-legacy", "client_secret": SECRET}  # its tokens do not end
SCOPE = "data:read_write,data:delete"
BATCH = 100
AGREED = {"account": "new", "answer": "agree"}  # an account with nothing in it
EVERY_DAY = {"due": {"string": "every day", "is_recurring": True}}


class TodoistStand(Stand):
    """Drives the sandbox's Todoist. `_told` are the notifications it has sent."""

    source = "todoist"
    page = 20  # of a sync, which has none; few rows are read sooner

    def __init__(self, clock: Clock, folder: Path) -> None:
        """Begin with an empty account."""
        super().__init__(clock, folder)
        self._told: list[Call] = []
        options = sandbox.SandboxOptions(APP, ADDRESS, folder)
        stand_in = sandbox.build(options, clock, transport=httpx.MockTransport(self._hear))
        self.app = Router(routes=[Mount("/sandbox", stand_in)])
        self._token, self._grants = "", 0  # of our own app
        self._cursor, self._open = "*", dict[str, str]()

    @property
    def settings(self) -> Mapping[str, object]:
        """The settings that lead to the sandbox."""
        return {
            "todoist_client_id": "oo-sandbox-todoist",
            "todoist_client_secret": SecretStr(SECRET),
            "todoist_api_url": f"{BASE}/api/v1",
            "todoist_auth_url": f"{BASE}/oauth/authorize",
            "todoist_token_url": f"{BASE}/oauth/access_token",
        }

    async def agree(self, url: str) -> str:
        """Agree on the consent page."""
        return (await self._ask(url, data=AGREED)).headers["location"]

    async def there(self) -> Sequence[str]:
        """Return all that is open, as our own app beside oO has it by reading what changed."""
        told = await self._sync({"sync_token": self._cursor, "resource_types": '["items"]'})
        self._cursor = told["sync_token"]
        known = {} if told["full_sync"] else self._open
        for row in told["items"]:
            known.pop(row["id"], None)
            if not (row["checked"] or row["is_deleted"]):
                known[row["id"]] = row["content"]
        self._open = known
        return list(known.values())

    async def add(self, words: str, *, repeats: bool = False) -> str:
        """Add a task."""
        (name,) = await self._add([words], EVERY_DAY if repeats else {})
        return name

    async def add_many(self, words: Sequence[str]) -> None:
        """Add tasks a hundred at a time."""
        for start in range(0, len(words), BATCH):
            await self._add(words[start : start + BATCH], {})

    async def change(self, name: str, words: str) -> None:
        """Give a task other words."""
        await self._command("item_update", {"id": name, "content": words})

    async def complete(self, name: str) -> None:
        """Complete a task."""
        await self._command("item_close", {"id": name})

    async def remove(self, name: str) -> None:
        """Delete a task."""
        await self._command("item_delete", {"id": name})

    async def forget_cursors(self) -> None:
        """Have all cursors of another life, as after a restart."""
        await self._turn("forget")

    async def expire(self) -> None:
        """End all access tokens, our own too."""
        await self._turn("expire")
        self._token = ""

    async def revoke(self) -> None:
        """Take all grants back, our own too."""
        await self._turn("revoke")
        self._token, self._grants = "", 0

    async def is_let_in(self) -> bool:
        """Take all grants back, and tell whether one was not our own."""
        revoked, ours = (await self._turn("revoke"))["revoked"], self._grants
        self._token, self._grants = "", 0
        return revoked > ours

    async def deliveries(self) -> Sequence[Call]:
        """Return what was sent to the webhook, which is turned on with the first question."""
        told, self._told = self._told, []
        await self._turn("webhooks", enabled=True)
        return told

    def _hear(self, request: httpx.Request) -> httpx.Response:
        self._told.append(Call({name.lower(): value for name, value in request.headers.items()}, request.content))
        return httpx.Response(200)

    async def _add(self, words: Sequence[str], more: Mapping[str, Any]) -> list[str]:
        commands = [
            {"type": "item_add", "uuid": self._uuid(), "temp_id": str(number), "args": {"content": each, **more}}
            for number, each in enumerate(words)
        ]
        names = (await self._sync({"commands": json.dumps(commands)}))["temp_id_mapping"]
        return [names[str(number)] for number in range(len(words))]

    async def _command(self, kind: str, arguments: Mapping[str, str]) -> None:
        command = {"type": kind, "uuid": self._uuid(), "args": arguments}
        await self._sync({"commands": json.dumps([command])})

    def _uuid(self) -> str:
        return str(UUID(new_id(self.clock.now())))

    async def _sync(self, form: Mapping[str, str]) -> dict[str, Any]:
        if not self._token:
            url = f"{BASE}/oauth/authorize?client_id={LEGACY['client_id']}&scope={SCOPE}&state=ours"
            back = httpx.URL((await self._ask(url, data=AGREED)).headers["location"])
            granted = await self._ask(f"{BASE}/oauth/access_token", data={**LEGACY, "code": back.params["code"]})
            self._token, self._grants = granted.json()["access_token"], self._grants + 1
        headers = {"Authorization": f"Bearer {self._token}"}
        return (await self._ask(f"{BASE}/api/v1/sync", headers=headers, data=form)).json()

    async def _turn(self, knob: str, **how: object) -> dict[str, Any]:
        answer = await self._ask(f"{BASE}/control/{knob}", json=how)
        return answer.json() if answer.content else {}

    async def _ask(self, url: str, **parts: Any) -> httpx.Response:
        answer = await httpx.ASGITransport(self.app).handle_async_request(httpx.Request("POST", url, **parts))
        await answer.aread()
        if answer.is_error:
            msg = f"the stand-in answered {answer.status_code} to {httpx.URL(url).path}"
            raise RuntimeError(msg)
        return answer


STAND = TodoistStand
