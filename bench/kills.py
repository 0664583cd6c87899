"""The server killed again and again under load: what was acknowledged against what is stored and what Todoist was told.

`python -m bench kills [COUNT [SEED]]`. Todoist is the sandbox's, in a process of its own that lives on.
"""

import asyncio
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bench.people import UNDONE, Answered, Person
from bench.person import cookie_of
from tests.elsewhere import Account, Elsewhere, elsewhere
from tests.served import LOG, Served, free_port, started, wait_until_ready

KILLS, SEED, PEOPLE = 300, 1, 24
PACE_S = (0.3, 2.0)
LIFE_S = (0.05, 2.5)
START_S = (0.0, 1.8)  # a start takes about two seconds; some are cut short
IN_START = 0.15
LONG_EVERY = 25
LONG_S = (8.0, 13.0)  # so that the jobs of every ten seconds run, and are cut
SYNC_MS = "5000"
SETTLES_WITHIN_S = 90.0
TASKS_AT_ONCE = 40
ELSEWHERE = 0.05

# What has to be empty when nothing is on its way any more.
UNSETTLED = {
    "outbox": "SELECT count(*) FROM outbox WHERE done_at IS NULL",
    "completions": "SELECT count(*) FROM closing WHERE done_at IS NULL",
}
UNREAD = "SELECT count(*) FROM connection WHERE needs_attention OR last_read_at IS NULL OR last_read_at < '{}'"


@dataclass
class Figures:
    """What came of it. Everything from `lost` on has to be nought."""

    kills: int = 0
    in_start: int = 0
    minutes: float = 0.0
    reactions: int = 0
    undone: int = 0
    resent: int = 0
    completions: int = 0
    settled_s: float = 0.0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    otherwise: list[str] = field(default_factory=list)
    closed_wrongly: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    complaints: Counter[str] = field(default_factory=Counter)

    @property
    def faults(self) -> list[str]:
        """Everything that must not be."""
        return [*self.lost, *self.doubled, *self.otherwise, *self.closed_wrongly, *self.stuck, *self.broken]


@dataclass
class Somebody:
    """A person, their Todoist, and what they completed there themselves."""

    person: Person
    account: Account
    before: Counter[str]
    own: list[str] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)

    def more_tasks(self) -> None:
        """Think of more to do."""
        first = len(self.own)
        self.own += self.account.add_all([f"Task {number}" for number in range(first, first + TASKS_AT_ONCE)])

    def complete_one(self) -> None:
        """Complete a task at Todoist itself, as people do."""
        left = [task for task in self.own if task not in self.closed]
        if left:
            task = self.person.chance.choice(left)
            self.closed.add(task)
            self.account.close(task)


async def measure(count: int = KILLS, seed: int = SEED) -> list[tuple[str, str, str]]:
    """Kill that often and return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        found = await run(Path(folder), count, seed=seed, people=PEOPLE, say=lambda line: print(line, file=sys.stderr))
    for fault in found.faults[:20]:
        print(fault, file=sys.stderr)
    print(f"seed {seed}; refused: {dict(found.refused)}; logged as errors: {dict(found.complaints)}", file=sys.stderr)
    return [
        ("kills (of them while starting)", f"{found.kills} ({found.in_start}) in {found.minutes:.0f} min", "≥ 300"),
        ("reactions acknowledged, undone, sent again", f"{found.reactions}, {found.undone}, {found.resent}", "-"),
        (
            "reactions lost / doubled / stored otherwise",
            _counts(found.lost, found.doubled, found.otherwise),
            "0 / 0 / 0",
        ),
        (
            f"of {found.completions} completions: missing, twice or undone at Todoist",
            _counts(found.closed_wrongly),
            "0",
        ),
        ("connections, completions, events stuck", f"{len(found.stuck)}; settled in {found.settled_s:.0f} s", "0"),
        ("integrity of database, keys, open impressions: faults", _counts(found.broken), "0"),
    ]


def _counts(*lists: list[str]) -> str:
    return " / ".join(str(len(each)) for each in lists)


async def run(
    folder: Path, count: int, *, seed: int, people: int, say: Callable[[str], None] = lambda _: None
) -> Figures:
    """Let people live with a server that is killed that often, let it settle, and compare."""
    async with lived(folder, count, seed=seed, people=people, say=say) as (crowd, found):
        await asyncio.to_thread(compare, folder, crowd, found)
    return found


@asynccontextmanager
async def lived(
    folder: Path, count: int, *, seed: int, people: int, say: Callable[[str], None] = lambda _: None
) -> AsyncGenerator[tuple[list[Somebody], Figures]]:
    """Let people live with a server that is killed that often; what remains of it when it has settled and stopped."""
    port, began, found = free_port(), time.monotonic(), Figures()
    with elsewhere(f"http://localhost:{port}", folder) as world:
        server = Server(folder, port, world)
        server.start()
        try:
            await asyncio.to_thread(server.wait_until_ready)
            limits = httpx.Limits(max_connections=people * 2)
            async with httpx.AsyncClient(timeout=20, trust_env=False, limits=limits) as client:
                crowd = [await arrived(server.site, world, client, f"{seed}-{each}") for each in range(people)]
                stop = asyncio.Event()
                lives = [asyncio.create_task(_live(each, stop)) for each in crowd]
                await _kill(server, count, seed, found=found, say=say)
                stop.set()
                await asyncio.gather(*lives)
                unread = UNREAD.format(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
                await settle(folder, found, UNSETTLED | {"connections": unread})
                await _still_known(crowd, found)
        finally:
            server.stop()
        found.minutes = (time.monotonic() - began) / 60
        found.complaints += server.complaints
        yield crowd, found


class Server:
    """The application on one folder and one port, life after life."""

    def __init__(self, folder: Path, port: int, world: Elsewhere) -> None:
        self.site = Served(f"http://localhost:{port}", folder, 0)
        self.complaints: Counter[str] = Counter()
        self._variables = {
            **world.variables(),
            "TODOIST_SYNC_INTERVAL_MS": SYNC_MS,
        }
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin a life."""
        self._process = started(self.site.folder, self._port, **self._variables)

    def wait_until_ready(self) -> None:
        """Wait for it to serve."""
        assert self._process
        wait_until_ready(self._process, self.site.folder)

    def kill(self) -> None:
        """End it without a word of warning."""
        assert self._process
        self._process.kill()
        self._process.wait()
        self._read_log()

    def stop(self) -> None:
        """End it as a person would."""
        assert self._process
        self._process.terminate()
        self._process.wait(30)
        self._read_log()

    def _read_log(self) -> None:
        lines = (self.site.folder / LOG).read_text().splitlines()
        self.complaints.update(line.split("]", 1)[1][:60].strip() for line in lines if "[error" in line)


async def arrived(site: Served, world: Elsewhere, client: httpx.AsyncClient, name: str) -> Somebody:
    """Sign somebody in, connected, with enough to do."""
    account = world.account(f"k{name}")
    somebody = Somebody(
        Person(site.url, await cookie_of(site, f"{name}@sandbox.test", account.name), random.Random(name), client),
        account,
        account.completions(),
    )
    await asyncio.to_thread(somebody.more_tasks)
    return somebody


async def _live(somebody: Somebody, stop: asyncio.Event) -> None:
    person, chance = somebody.person, somebody.person.chance
    while not stop.is_set():
        if (tip := await person.decide()) is None:
            await asyncio.to_thread(somebody.more_tasks)
        else:
            said = await person.answer(tip)
            if said.is_accepted and chance.random() < UNDONE:
                await person.undo(said)
        if chance.random() < ELSEWHERE:
            await asyncio.to_thread(somebody.complete_one)
        await asyncio.sleep(chance.uniform(*PACE_S))


async def _kill(server: Server, count: int, seed: int, *, found: Figures, say: Callable[[str], None]) -> None:
    chance = random.Random(seed)
    await asyncio.sleep(chance.uniform(*LIFE_S))
    for number in range(1, count + 1):
        server.kill()
        server.start()
        found.kills += 1
        if chance.random() < IN_START:
            found.in_start += 1
            await asyncio.sleep(chance.uniform(*START_S))
            continue
        await asyncio.to_thread(server.wait_until_ready)
        await asyncio.sleep(chance.uniform(*(LONG_S if number % LONG_EVERY == 0 else LIFE_S)))
        if number % LONG_EVERY == 0:
            say(f"{number} kills")
    await asyncio.to_thread(server.wait_until_ready)


async def settle(folder: Path, found: Figures, nothing: Mapping[str, str]) -> None:
    """Wait until nothing is on its way any more: until what counts it answers nought."""
    began = time.monotonic()

    def left() -> dict[str, int]:
        counted = {name: _one(folder, query) for name, query in nothing.items()}
        return {name: number for name, number in counted.items() if number}

    while (waiting := left()) and time.monotonic() - began < SETTLES_WITHIN_S:  # noqa: ASYNC110 -- told by another process
        await asyncio.sleep(0.25)
    found.stuck += [f"{number} {name} stuck" for name, number in waiting.items()]
    found.settled_s = time.monotonic() - began


async def _still_known(crowd: list[Somebody], found: Figures) -> None:
    for each in crowd:
        person = each.person
        cookies = {"Cookie": f"oo_session={person.cookie}"}
        answer = await person.client.get(f"{person.url}/api/v1/me/export", headers=cookies)
        if not answer.is_success:
            found.broken.append(f"a person's export answered {answer.status_code}: {answer.text[:200]}")


def _one(folder: Path, query: str, *values: Any) -> Any:
    return _rows(folder, query, *values)[0][0]


def _rows(folder: Path, query: str, *values: Any, file: str = "oo.db") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / file, timeout=10)) as database:
        return database.execute(query, values).fetchall()


def compare(folder: Path, crowd: list[Somebody], found: Figures) -> None:
    """Compare what people were told with the database, and with what Todoist was told."""
    said = [each for somebody in crowd for each in somebody.person.said]
    found.reactions = sum(each.is_accepted for each in said)
    found.undone = sum(each.is_undone for each in said)
    found.resent = sum(somebody.person.resent for somebody in crowd)
    for somebody in crowd:
        found.refused.update(somebody.person.refused)
    _compare_reactions(folder, said, found)
    _compare_completions(folder, crowd, found)
    _compare_rest(folder, crowd, found)


def _compare_reactions(folder: Path, said: list[Answered], found: Figures) -> None:
    query = (
        "SELECT r.client_id, r.impression_id, r.action, r.reward, r.undone_at IS NOT NULL, w.value, w.cause "
        "FROM reaction r LEFT JOIN reward w ON w.impression_id = r.impression_id"
    )
    rows = _rows(folder, query)
    stored = {row[0]: row for row in rows}
    counted = Counter(row[0] for row in rows) + Counter({None: 0})
    found.doubled += [f"reaction {name} stored {number} times" for name, number in counted.items() if number > 1]
    standing = Counter(row[1] for row in rows if not row[4])
    found.doubled += [f"impression {name} answered {number} times" for name, number in standing.items() if number > 1]
    known = {each.reaction_id for each in said}
    found.doubled += [f"reaction {name} is nobody's" for name in stored if name not in known]
    for each in said:
        row = stored.get(each.reaction_id)
        if each.is_accepted and row is None:
            found.lost.append(f"{each} is not stored")
        elif each.is_accepted and row is not None:
            _, impression, action, reward, is_undone, value, cause = row
            is_right = (impression, action, reward, bool(is_undone)) == (
                each.impression_id,
                each.action,
                each.reward,
                each.is_undone,
            )
            if not is_right or (not is_undone and cause == "reaction" and value != each.reward):
                found.otherwise.append(f"{each} is stored as {row}")
            elif not is_undone and value is None:
                found.lost.append(f"the reward of {each} is not stored")


def _compare_completions(folder: Path, crowd: list[Somebody], found: Figures) -> None:
    """Each `done` that stands is one completion at Todoist; nothing else is, but what people completed there."""
    query = (
        "SELECT c.external_id, count(*), max(i.is_recurring) FROM reaction r JOIN closing c ON c.id = r.closing_id "
        "JOIN item i ON i.id = c.item_id WHERE r.undone_at IS NULL AND r.action = 'done' AND NOT c.is_refused "
        "AND r.client_id = ?"
    )
    for somebody in crowd:
        due: Counter[str] = Counter()
        recurring: set[str] = set()
        for each in somebody.person.said:
            if each.is_accepted and each.action == "done" and not each.is_undone:
                external_id, number, is_recurring = _rows(folder, query, each.reaction_id)[0]
                due.update({external_id: number} if external_id else {})
                recurring |= {external_id} if is_recurring else set()
        wanted = {task: number if task in recurring else 1 for task, number in due.items()}
        wanted |= dict.fromkeys(somebody.closed, 1)
        told = somebody.account.completions()
        told.subtract(somebody.before)
        found.completions += sum(due.values())
        found.closed_wrongly += [
            f"{somebody.account.name}: task {task} completed {told[task]} times, not {wanted.get(task, 0)}"
            for task in {*told, *wanted}
            if told[task] != wanted.get(task, 0)
        ]


def _compare_rest(folder: Path, crowd: list[Somebody], found: Figures) -> None:
    for file in ("oo.db", "keys.db"):
        found.broken += [
            f"{file}: {row[0]}" for row in _rows(folder, "PRAGMA integrity_check", file=file) if row[0] != "ok"
        ]
        found.broken += [f"{file}: {row}" for row in _rows(folder, "PRAGMA foreign_key_check", file=file)]
    known = {row[0] for row in _rows(folder, "SELECT id FROM impression")}
    served = {each for somebody in crowd for each in somebody.person.served}
    found.lost += [f"impression {each} is not stored" for each in served - known]
    query = "SELECT user_id, count(*) FROM impression WHERE closed_at IS NULL GROUP BY user_id HAVING count(*) > 1"
    found.broken += [f"{number} impressions of {user} are open" for user, number in _rows(folder, query)]
    keys = {row[0] for row in _rows(folder, "SELECT user_id FROM person_key", file="keys.db")}
    people = {row[0] for row in _rows(folder, "SELECT id FROM user")}
    found.broken += [f"no key for {each}" for each in people - keys]
    found.stuck += [
        f"{row[0]} {row[1]} given up"
        for row in _rows(folder, "SELECT count(*), subject FROM outbox WHERE is_parked GROUP BY subject")
    ]
    found.stuck += [f"completion {row[0]} refused" for row in _rows(folder, "SELECT id FROM closing WHERE is_refused")]
