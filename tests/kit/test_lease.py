"""One owner at a time: taken, renewed, given up, taken over; tried with processes that are killed and put to sleep."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from oo_app.kit.clock import FakeClock
from oo_app.kit.db import Database
from oo_app.kit.lease import LIVES_FOR, RENEWED_EVERY_S, TRUSTED_FOR_S, Lease, lives, this_machine
from tests.conftest import KEY, _copy
from tests.served import ROOT

SCRIPT = Path(__file__).parent / "owning.py"
TAKEN_OVER_WITHIN_S = 30
PATIENCE_S = 60


def contender(db: Database, clock: FakeClock, name: str) -> Lease:
    return Lease(db, clock, machine=name)


async def test_the_first_takes_it_and_the_second_does_not(db: Database, clock: FakeClock):
    first, second = contender(db, clock, "a"), contender(db, clock, "b")

    assert await first.take()
    assert not await second.take()
    assert (first.is_held, second.is_held) == (True, False)


async def test_it_is_held_for_as_long_as_it_is_renewed(db: Database, clock: FakeClock):
    first, second = contender(db, clock, "a"), contender(db, clock, "b")
    await first.take()

    for _ in range(10):
        clock.advance(LIVES_FOR - timedelta(seconds=1))
        assert await first.take()
        assert not await second.take()


async def test_it_ends_by_itself_and_the_one_who_overslept_knows(db: Database, clock: FakeClock):
    first, second = contender(db, clock, "a"), contender(db, clock, "b")
    await first.take()
    clock.advance(LIVES_FOR)

    assert not first.is_held
    assert await second.take()
    assert not await first.take()


async def test_giving_it_up_lets_the_next_take_it_at_once(db: Database, clock: FakeClock):
    first, second = contender(db, clock, "a"), contender(db, clock, "b")
    await first.take()

    await first.stop()

    assert not first.is_held
    assert await second.take()


async def test_giving_up_what_another_holds_by_now_takes_nothing_from_them(db: Database, clock: FakeClock):
    first, second = contender(db, clock, "a"), contender(db, clock, "b")
    await first.take()
    clock.advance(LIVES_FOR)
    await second.take()

    await first.stop()

    assert not await contender(db, clock, "c").take()


@pytest.mark.parametrize("seed", range(10))
async def test_there_is_never_more_than_one_owner(db: Database, clock: FakeClock, seed: int):
    rng = np.random.default_rng(seed)
    contenders = [contender(db, clock, f"machine {number}") for number in range(5)]

    for _ in range(150):
        clock.advance(timedelta(seconds=float(rng.exponential(3))))
        one = contenders[int(rng.integers(5))]
        await (one.stop() if rng.random() < 0.1 else one.take())
        assert sum(each.is_held for each in contenders) <= 1


@pytest.fixture
async def ahead(db: Database, clock: FakeClock) -> AsyncGenerator[Lease]:
    """A contender on a machine whose clock is ahead by as much as it may be."""
    its_clock = FakeClock(clock.now() + LIVES_FOR - timedelta(seconds=TRUSTED_FOR_S))
    database = Database(db._url, its_clock)
    await database.start()
    yield Lease(database, its_clock, machine="ahead")
    await database.stop()


async def test_an_owner_stops_before_one_whose_clock_is_ahead_begins(db: Database, clock: FakeClock, ahead: Lease):
    first = contender(db, clock, "a")
    await first.take()
    owners: list[tuple[bool, bool]] = []

    for _ in range(round(LIVES_FOR.total_seconds())):
        for each in (clock, ahead._clock):
            assert isinstance(each, FakeClock)
            each.advance(timedelta(seconds=1))
        await ahead.take()
        owners.append((first.is_held, ahead.is_held))

    assert (True, True) not in owners
    assert owners[-1] == (False, True)


async def test_a_dead_owner_beside_is_replaced_at_once_and_one_elsewhere_is_waited_for(
    db: Database, clock: FakeClock, dead: int, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: dead)
        await contender(db, clock, "a").take()

    assert not await contender(db, clock, "b").take()
    assert await contender(db, clock, "a").take()


@pytest.fixture
def dead() -> Generator[int]:
    """The number of a process that has ended, and whose parent has not taken note."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield process.pid


def test_who_has_ended_does_not_live(dead: int):
    assert not lives(dead)
    assert lives(os.getpid())
    assert lives(1)


def test_containers_beside_each_other_are_machines_of_their_own():
    assert str(Path("/proc/self/ns/pid").stat().st_ino) in this_machine()
    assert RENEWED_EVERY_S * 2 < TRUSTED_FOR_S < LIVES_FOR.total_seconds()


class Beating:
    """A process that runs a job while it is the owner, and what it said."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OO_")}
        keys = {"OO_SECRET_KEYS": KEY, "OO_ENCRYPTION_KEYS": KEY[::-1]}
        environment = kept | keys | {"OO_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], env=environment, stdout=subprocess.PIPE, text=True
        )
        self.said: queue.Queue[float] = queue.Queue()
        self.beats: list[float] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("beat "):  # the rest is the log
                self.said.put(float(line.split()[1]))

    def next_beat(self) -> float:
        """Wait for the job to run."""
        self.beats.append(self.said.get(timeout=PATIENCE_S))
        return self.beats[-1]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        """End it, and take in all that it said."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        while not self.said.empty():
            self.beats.append(self.said.get())


@contextmanager
def two(tmp_path: Path, migrated: Path) -> Generator[tuple[Beating, Beating]]:
    """Run two processes on one database; the first is the owner."""
    _copy(migrated, tmp_path)
    first = Beating(tmp_path)
    second: Beating | None = None
    try:
        first.next_beat()
        second = Beating(tmp_path)
        yield first, second
    finally:
        first.end()
        if second:
            second.end()


@pytest.mark.server
def test_a_killed_owner_on_this_machine_is_replaced_at_once(tmp_path: Path, migrated: Path):
    with two(tmp_path, migrated) as (first, second):
        first.send(signal.SIGKILL)
        killed_at = time.clock_gettime(time.CLOCK_BOOTTIME)

        taken_over_after = second.next_beat() - killed_at

    assert taken_over_after < TAKEN_OVER_WITHIN_S


@pytest.mark.server
def test_a_clean_stop_hands_over(tmp_path: Path, migrated: Path):
    with two(tmp_path, migrated) as (first, second):
        first.send(signal.SIGTERM)

        second.next_beat()

    assert max(first.beats) < min(second.beats)


@pytest.mark.server
def test_an_owner_that_was_asleep_does_not_go_on_when_it_wakes(tmp_path: Path, migrated: Path):
    with two(tmp_path, migrated) as (first, second):
        first.send(signal.SIGSTOP)
        taken_over_at = second.next_beat()
        first.send(signal.SIGCONT)
        for _ in range(20):
            second.next_beat()

    assert [beat for beat in first.beats if beat > taken_over_at] == []
    assert taken_over_at - max(first.beats) < TAKEN_OVER_WITHIN_S
