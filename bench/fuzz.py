"""Requests made up from the description of the API, fitting and not, signed in and not: none is answered 5xx."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation
from schemathesis.generation import GenerationMode

from bench.person import cookie_of
from bench.table import Row, table
from tests.served import Served

REQUESTS = 20_000
EXAMPLES = 250  # of one operation in one mode, each round
ENDS_THE_SESSION = {("DELETE", "/api/v1/me"), ("POST", "/auth/signout")}


async def measure(site: Served) -> list[tuple[str, str, str]]:
    """Ask until enough was asked."""
    counted, failed = await asyncio.to_thread(_fuzz, site)
    rows = [Row(route, str(number), str(failed[route])) for route, number in sorted(counted.items())]
    print(table(["route", "requests", "answered 5xx"], rows))
    return [
        ("fuzzed requests, half of them signed in", f"{counted.total():,}", f"≥ {REQUESTS:,}"),
        ("of them answered 5xx", str(failed.total()), "0"),
    ]


def _fuzz(site: Served) -> tuple[Counter[str], Counter[str]]:
    schema = schemathesis.openapi.from_url(f"{site.url}/api/openapi.json")
    operations = [schema[path][method.upper()] for path, method in _named(schema.raw_schema)]
    counted: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    round_number = 0
    with httpx.Client(base_url=site.url, timeout=30, trust_env=False) as client:
        caller = _Caller(site, client, counted, failed)
        while counted.total() < REQUESTS:
            round_number += 1
            for operation in operations:
                for mode in GenerationMode:
                    _each(operation, mode, round_number, caller.ask)
    return counted, failed


def _named(described: dict[str, Any]) -> list[tuple[str, str]]:
    return [(path, method) for path, methods in described["paths"].items() for method in methods]


def _each(operation: APIOperation, mode: GenerationMode, number: int, ask: Callable[[schemathesis.Case], None]) -> None:
    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def asked(case: schemathesis.Case) -> None:
        ask(case)

    with suppress(Unsatisfiable):  # where nothing is asked for, nothing can be asked for wrongly
        asked()


class _Caller:
    """Asks by turns with a session and without."""

    def __init__(self, site: Served, client: httpx.Client, counted: Counter[str], failed: Counter[str]) -> None:
        self._site, self._client, self._counted, self._failed = site, client, counted, failed
        self._people = 0
        self._cookie = ""
        self._turn = 0
        self._arrive()

    def ask(self, case: schemathesis.Case) -> None:
        """Send one request and count it."""
        self._turn += 1
        is_signed_in = self._turn % 2 == 0
        cookies = {"oo_session": self._cookie} if is_signed_in else {}
        if is_signed_in and isinstance(case.body, dict) and "impression_id" in case.body:
            case.body["impression_id"] = self._open_tip()
        answer = case.call(
            base_url=self._site.url, cookies=cookies, headers={"Origin": self._site.url}, allow_redirects=False
        )
        route = f"{case.method} {case.path}"
        self._counted[route] += 1
        self._failed[route] += answer.status_code >= 500
        if is_signed_in and (case.method, case.path) in ENDS_THE_SESSION:
            self._arrive()

    def _arrive(self) -> None:
        self._people += 1
        self._cookie = asyncio.run(cookie_of(self._site, f"fuzz-{self._people}@sandbox.test", f"z{self._people}"))

    def _open_tip(self) -> str:
        """Return the impression that is open, while there is any, so that answers meet something."""
        headers = {"Origin": self._site.url, "Cookie": f"oo_session={self._cookie}"}
        told = self._client.post("/api/v1/recommend", json={"surface": "web"}, headers=headers).json()
        return told["tip"]["impression_id"] if told.get("tip") else "nothing-left"
