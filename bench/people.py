"""People who answer tips as the page does: written down, sent again until acknowledged, sometimes taken back."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx

PAUSE_S = 0.1
ACTIONS = ("done", "snooze", "dismiss")
WEIGHTS = (0.4, 0.3, 0.3)
SNOOZES = (None, "later_today", "tomorrow", "not_this_week", "too_big")
UNDONE = 0.25


@dataclass
class Answered:
    """One answer as its sender knows it; `reward` is what the acknowledgement told."""

    reaction_id: str
    impression_id: str
    item_id: str
    action: str
    snooze: str | None
    dwell_ms: int
    reacted_at: str
    is_accepted: bool = False
    reward: float | None = None
    is_undone: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """What is sent, the same each time."""
        snooze = {"snooze": self.snooze} if self.snooze else {}
        return {
            "impression_id": self.impression_id,
            "action": self.action,
            "dwell_ms": self.dwell_ms,
            "reaction_id": self.reaction_id,
            "reacted_at": self.reacted_at,
            **snooze,
        }


@dataclass
class Person:
    """Somebody with a session; every number drawn comes from `chance`, so that a seed tells the whole story."""

    url: str
    cookie: str
    chance: random.Random
    client: httpx.AsyncClient
    said: list[Answered] = field(default_factory=list)
    served: set[str] = field(default_factory=set)
    took_ms: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    resent: int = 0

    async def decide(self) -> dict[str, Any] | None:
        """Ask for the tip until there is an answer."""
        answer = await self._post("/api/v1/recommend", {"surface": "web"})
        tip = answer.json().get("tip")
        if tip:
            self.served.add(tip["impression_id"])
        return tip

    async def answer(self, tip: dict[str, Any]) -> Answered:
        """Answer a tip; sent again until it is acknowledged or refused."""
        action = self.chance.choices(ACTIONS, WEIGHTS)[0]
        said = Answered(
            reaction_id=str(UUID(int=self.chance.getrandbits(128), version=4)),
            impression_id=tip["impression_id"],
            item_id=tip["id"],
            action=action,
            snooze=self.chance.choice(SNOOZES) if action == "snooze" else None,
            dwell_ms=self.chance.randrange(120_000),
            reacted_at=datetime.now(UTC).isoformat(),
        )
        answer = await self._post("/api/v1/feedback", said.body)
        said.is_accepted = answer.status_code == HTTPStatus.OK
        said.reward = answer.json().get("reward")
        if not said.is_accepted:
            self.refused.append(f"{action} {answer.status_code}")
        self.said.append(said)
        return said

    async def undo(self, said: Answered) -> None:
        """Take an answer back; it stands where it is too late."""
        answer = await self._post("/api/v1/feedback", said.body | {"action": "undo", "snooze": None})
        said.is_undone = answer.status_code == HTTPStatus.OK

    async def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        headers = {"Origin": self.url, "Cookie": f"oo_session={self.cookie}"}
        while True:
            began = time.perf_counter()
            try:
                answer = await self.client.post(self.url + path, json=body, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and not answer.is_server_error and answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                self.took_ms.append((time.perf_counter() - began) * 1000)
                return answer
            if answer is not None:
                self.refused.append(f"{path} {answer.status_code}")
            self.resent += 1
            await asyncio.sleep(PAUSE_S)
