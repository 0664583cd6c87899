"""What is stored reaches JetStream, whatever is killed, frozen or taken away meanwhile: real servers, old and new."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from nats.js.api import DiscardPolicy, StreamConfig
from sqlalchemy import delete, insert, select
from sqlmodel import col

from oo_app.accounts.models import User
from oo_app.events import STREAMS, EventParked, FeedbackReward, TipReacted, wire
from oo_app.kit.bus import Bus
from oo_app.kit.clock import Clock
from oo_app.kit.db import Database
from oo_app.kit.metrics import Metrics
from oo_app.kit.mirror import Mirror, MirrorDown
from oo_app.kit.mirror.jetstream import DUPLICATE_WINDOW_S, MAX_AGE_S, OURS
from oo_app.kit.outbox import Mirrored, Outbox
from tests.metrics import value
from tests.nats import NEW, OLD, Message, Nats, messages, reader, server
from tests.proxy import proxied

pytestmark = pytest.mark.server

PEOPLE = ("ada", "ben", "cyd")
WITHIN_S = 30


@dataclass
class Rig:
    """A database with a bus, and mirrors of it."""

    db: Database
    bus: Bus
    metrics: Metrics

    def mirror(self, url: str, metrics: Metrics | None = None) -> Mirror:
        mirror = Mirror(self.db, Clock(), metrics or self.metrics, url)
        mirror.bind(STREAMS, wire)
        return mirror

    @asynccontextmanager
    async def mirroring(
        self, url: str, is_owner: Callable[[], bool] = lambda: True, metrics: Metrics | None = None
    ) -> AsyncGenerator[Mirror]:
        mirror = self.mirror(url, metrics)
        await mirror.start(self.bus, is_owner)
        try:
            yield mirror
        finally:
            await mirror.stop()

    async def emit(self, count: int, *, people: Sequence[str] = PEOPLE) -> None:
        """Let something happen to each in turn; the numbers tell the order."""
        for number in range(count):
            async with self.db.begin() as tx:
                person = people[number % len(people)]
                tx.emit(TipReacted(person, "an-impression", "done", number))
                tx.emit(FeedbackReward(person, "an-impression", number / 2, "reaction"))

    async def stored(self) -> list[Outbox]:
        async with self.db.read() as session:
            return list((await session.execute(select(Outbox).order_by(col(Outbox.seq)))).scalars())


@pytest.fixture
async def rig(tmp_path: Path, migrated: Path) -> AsyncGenerator[Rig]:
    (tmp_path / "oo.db").write_bytes((migrated / "oo.db").read_bytes())
    metrics, clock = Metrics(), Clock()
    db = Database(f"sqlite+aiosqlite:///{tmp_path / 'oo.db'}", clock)
    await db.start()
    async with db.begin() as tx:
        for person in PEOPLE:
            row = {"id": person, "email": b"", "role": "user", "created_at": tx.now}
            await tx.session.execute(insert(User).values(row))
    yield Rig(db, Bus(db, clock, metrics), metrics)
    await db.stop()


@pytest.fixture(params=[OLD, NEW], ids=["2.9", "2.15"])
def nats(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Nats]:
    with server(request.param, tmp_path) as running:
        yield running


@pytest.fixture
def new_nats(tmp_path: Path) -> Generator[Nats]:
    with server(NEW, tmp_path) as running:
        yield running


async def caught_up(mirror: Mirror) -> None:
    """Wait until everything is acknowledged, and noted."""
    async with asyncio.timeout(WITHIN_S):
        while (await mirror.lag()).events:  # noqa: ASYNC110 -- a mark in the database is all there is to see
            await asyncio.sleep(0.02)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 -- another process brings it about
            await asyncio.sleep(0.01)


async def everything(url: str) -> dict[str, list[Message]]:
    return {stream.name: await messages(url, stream.name) for stream in STREAMS}


def numbers_of(read: Sequence[Message], person: str) -> list[int]:
    """The numbers of a person's reactions, in the order in which they were read; a repeated id counts once."""
    bodies = [json.loads(body) for body in {message.id: message.body for message in read}.values()]
    return [body["tip_reacted"]["dwell_ms"] for body in bodies if body["tip_reacted"]["user_id"] == person]


def assert_whole(read: dict[str, list[Message]], rows: Sequence[Outbox]) -> None:
    """Nothing is lost, nothing doubled, everybody's is in order."""
    ids = [message.id for stream in read.values() for message in stream]
    assert Counter(ids) == Counter(row.id for row in rows)
    for person in PEOPLE:
        told = [row.id for row in rows if row.user_id == person and row.subject.startswith("signals.")]
        assert [message.id for message in read["SIGNALS"] if message.id in set(told)] == told


async def test_what_is_stored_and_what_comes_is_mirrored(rig: Rig, nats: Nats):
    await rig.emit(10)

    async with rig.mirroring(nats.url) as mirror:
        await caught_up(mirror)
        await rig.emit(5)
        await caught_up(mirror)

    rows, read = await rig.stored(), await everything(nats.url)
    assert_whole(read, rows)
    assert [len(read["SIGNALS"]), len(read["FEEDBACK"])] == [15, 15]
    assert read["SIGNALS"][0].subject == "signals.tip.reacted"
    assert json.loads(read["SIGNALS"][0].body) == {
        "id": rows[0].id,
        "subject": "signals.tip.reacted",
        "version": 1,
        "at": rows[0].created_at.isoformat(),
        "tip_reacted": json.loads(rows[0].payload),
    }


async def test_the_streams_are_made_as_declared_and_found_again(rig: Rig, nats: Nats):
    mirror = rig.mirror(nats.url)

    assert await mirror.look() == ()
    assert await mirror.look() == ()

    async with reader(nats.url) as context:
        configs = [(await context.stream_info(name)).config for name in ("SIGNALS", "FEEDBACK")]
    assert [(each.subjects, each.max_age, each.duplicate_window) for each in configs] == [
        ([subject], MAX_AGE_S, DUPLICATE_WINDOW_S) for subject in ("signals.>", "feedback.>")
    ]


async def test_somebody_elses_stream_is_left_and_told(rig: Rig, nats: Nats):
    async with reader(nats.url) as context:
        await context.add_stream(StreamConfig(name="SIGNALS", subjects=["signals.>"], max_age=60, duplicate_window=30))

    said = await rig.mirror(nats.url).look()

    async with reader(nats.url) as context:
        config = (await context.stream_info("SIGNALS")).config
    assert said == ("SIGNALS has max_age 60.0, not 2592000", "SIGNALS has duplicate_window 30.0, not 600")
    assert (config.max_age, config.duplicate_window) == (60, 30)


async def test_a_stream_of_an_earlier_version_is_brought_up_to_date(rig: Rig, nats: Nats):
    async with reader(nats.url) as context:
        earlier = StreamConfig(
            name="SIGNALS", subjects=["signals.tip.>"], max_age=60, duplicate_window=30, description=OURS, max_msgs=7000
        )
        await context.add_stream(earlier)

    assert await rig.mirror(nats.url).look() == ()

    async with reader(nats.url) as context:
        config = (await context.stream_info("SIGNALS")).config
    assert (config.subjects, config.max_age, config.max_msgs) == (["signals.>"], MAX_AGE_S, 7000)


async def test_a_name_that_is_taken_is_told_and_does_not_end_the_mirror(rig: Rig, nats: Nats):
    async with reader(nats.url) as context:
        await context.add_stream(StreamConfig(name="THEIRS", subjects=["signals.>"]))
        (told,) = await rig.mirror(nats.url).look()
        assert told.startswith("SIGNALS could not be made: refused_")
        await rig.emit(1)

        async with rig.mirroring(nats.url) as mirror:
            await until(lambda: failures(rig.metrics, "refused_10060"))
            assert (await context.stream_info("THEIRS")).state.messages == 0
            await context.delete_stream("THEIRS")
            await caught_up(mirror)

    assert_whole(await everything(nats.url), await rig.stored())


async def test_a_server_killed_in_mid_stream_and_started_again_has_everything_once(rig: Rig, nats: Nats):
    await rig.emit(1500)

    async with rig.mirroring(nats.url) as mirror:
        for share in (200, 900, 2000):
            await until(lambda share=share: published(rig.metrics) >= share)
            nats.end()
            await rig.emit(20)
            nats.start()
        await caught_up(mirror)

    assert_whole(await everything(nats.url), await rig.stored())


async def test_a_frozen_server_goes_on_where_it_stood(rig: Rig, nats: Nats):
    await rig.emit(400)

    async with rig.mirroring(nats.url) as mirror:
        await until(lambda: published(rig.metrics) >= 100)
        nats.freeze()
        await rig.emit(20)
        await until(lambda: failures(rig.metrics, "TimeoutError"))
        nats.thaw()
        await caught_up(mirror)

    assert_whole(await everything(nats.url), await rig.stored())


async def test_progress_lost_between_acknowledgement_and_commit_is_recognised(rig: Rig, nats: Nats):
    await rig.emit(50)
    async with rig.mirroring(nats.url) as mirror:
        await caught_up(mirror)
    async with rig.db.begin() as tx:
        await tx.session.execute(delete(Mirrored))

    async with rig.mirroring(nats.url) as mirror:
        await caught_up(mirror)

    assert_whole(await everything(nats.url), await rig.stored())
    assert value(rig.metrics, "oo_mirror_published_total", stream="SIGNALS", outcome="duplicate") == 50


async def test_duplicates_are_recognised_by_a_server_that_was_killed(rig: Rig, nats: Nats):
    await rig.emit(20)
    async with rig.mirroring(nats.url) as mirror:
        await caught_up(mirror)
    async with rig.db.begin() as tx:
        await tx.session.execute(delete(Mirrored))
    nats.end()
    nats.start()

    async with rig.mirroring(nats.url) as mirror:
        await caught_up(mirror)

    assert_whole(await everything(nats.url), await rig.stored())


async def test_a_stream_deleted_under_us_is_made_again_for_what_comes(rig: Rig, nats: Nats):
    async with rig.mirroring(nats.url) as mirror:
        await rig.emit(3)
        await caught_up(mirror)
        async with reader(nats.url) as context:
            await context.delete_stream("SIGNALS")
        await rig.emit(4)
        await caught_up(mirror)

    rows = await rig.stored()
    late = [row.id for row in rows[6:] if row.subject.startswith("signals.")]
    assert [message.id for message in await messages(nats.url, "SIGNALS")] == late


async def test_a_stream_that_is_full_is_waited_for(rig: Rig, nats: Nats):
    async with reader(nats.url) as context:
        full = {"name": "SIGNALS", "subjects": ["signals.>"], "discard": DiscardPolicy.NEW}
        await context.add_stream(StreamConfig(**full, max_bytes=2000))
        await rig.emit(30, people=["ada"])

        async with rig.mirroring(nats.url) as mirror:
            await until(lambda: failures(rig.metrics, "refused_10077"))
            assert (await mirror.lag()).events > 0
            await context.update_stream(StreamConfig(**full, max_bytes=1_000_000))
            await caught_up(mirror)

    assert numbers_of(await messages(nats.url, "SIGNALS"), "ada") == list(range(30))


async def test_a_fact_that_is_refused_is_not_overtaken_by_later_ones_of_its_person(rig: Rig, nats: Nats):
    async with reader(nats.url) as context:
        narrow = {"name": "SIGNALS", "subjects": ["signals.>"]}
        await context.add_stream(StreamConfig(**narrow, max_msg_size=400))
        async with rig.db.begin() as tx:
            tx.emit(TipReacted("ada", "an-impression-with-an-uncommonly-long-id" * 8, "done", 0))
            for number in (1, 2, 3):
                tx.emit(TipReacted("ada", "an-impression", "done", number))
                tx.emit(TipReacted("ben", "an-impression", "done", number))

        async with rig.mirroring(nats.url) as mirror:
            await until(lambda: is_refused(rig.metrics))
            read = await messages(nats.url, "SIGNALS")
            assert (numbers_of(read, "ada"), numbers_of(read, "ben")) == ([], [1, 2, 3])
            await context.update_stream(StreamConfig(**narrow, max_msg_size=4000))
            await caught_up(mirror)

    read = await messages(nats.url, "SIGNALS")
    assert (numbers_of(read, "ada"), numbers_of(read, "ben")) == ([0, 1, 2, 3], [1, 2, 3])
    assert len(read) == 7


async def test_a_server_without_room_is_waited_for(rig: Rig, tmp_path: Path):
    with server(NEW, tmp_path, jetstream="max_file_store: 60KB") as nats:
        await rig.emit(400, people=["ada"])
        async with rig.mirroring(nats.url) as mirror:
            await until(lambda: is_refused(rig.metrics))
            nats.end()
            nats.jetstream = "max_file_store: 64MB"
            nats.start()
            await caught_up(mirror)

        assert numbers_of(await messages(nats.url, "SIGNALS"), "ada") == list(range(400))


async def test_nothing_is_mirrored_by_who_is_not_the_owner(rig: Rig, new_nats: Nats):
    owners, metrics_of_first = {"first": False, "second": True}, Metrics()
    await rig.emit(2)

    async with (
        rig.mirroring(new_nats.url, lambda: owners["first"], metrics_of_first) as first,
        rig.mirroring(new_nats.url, lambda: owners["second"]) as second,
    ):
        await caught_up(second)
        assert published(metrics_of_first) == 0
        owners.update(first=True, second=False)
        await until(lambda: value(rig.metrics, "oo_mirror_up") == 0)
        await rig.emit(2)
        await caught_up(first)
        assert published(metrics_of_first) == 4

    assert_whole(await everything(new_nats.url), await rig.stored())


async def test_facts_of_the_operator_stay_here_and_hold_nothing_up(rig: Rig, new_nats: Nats):
    async with rig.db.begin() as tx:
        tx.emit(EventParked("an-id", "signals.task.synced"))
    await rig.emit(1)

    async with rig.mirroring(new_nats.url) as mirror:
        await caught_up(mirror)

    assert {name: len(read) for name, read in (await everything(new_nats.url)).items()} == {"SIGNALS": 1, "FEEDBACK": 1}


async def test_a_number_is_never_given_again_so_that_nothing_is_taken_for_mirrored(rig: Rig, new_nats: Nats):
    async with rig.mirroring(new_nats.url) as mirror:
        await rig.emit(1, people=["ada"])
        await caught_up(mirror)
        async with rig.db.begin() as tx:
            await tx.session.execute(delete(User).where(col(User.id) == "ada"))
        await rig.emit(1, people=["ben"])
        await caught_up(mirror)

    assert len(await messages(new_nats.url, "SIGNALS")) == 2


async def test_it_is_told_once_when_it_breaks_and_once_when_it_heals(rig: Rig, new_nats: Nats):
    new_nats.end()
    with structlog.testing.capture_logs() as logs:
        async with rig.mirroring(new_nats.url) as mirror:
            await until(lambda: failures(rig.metrics, "ConnectionRefusedError") > 1)
            await rig.emit(1)
            new_nats.start()
            await caught_up(mirror)

    assert [entry["event"] for entry in logs if entry["event"].startswith("mirror.")] == [
        "mirror.broken",
        "mirror.healed",
    ]


async def test_a_password_is_used_and_never_told(rig: Rig, tmp_path: Path):
    home = tmp_path / "locked"
    home.mkdir()
    nats = Nats(NEW, home, options="authorization { user: oo, password: much-secret }")
    nats.start()
    try:
        right = f"nats://oo:much-secret@127.0.0.1:{nats.port}"
        wrong = f"nats://oo:less-secret@127.0.0.1:{nats.port}"
        assert await rig.mirror(right).look() == ()
        with structlog.testing.capture_logs() as logs, pytest.raises(MirrorDown) as refused:
            await rig.mirror(wrong).look()
    finally:
        nats.end()

    assert "less-secret" not in f"{refused.value!r} {refused.value.facts} {logs}"


async def test_a_server_without_tls_is_not_spoken_to_where_tls_was_asked_for(rig: Rig, new_nats: Nats):
    with pytest.raises(MirrorDown) as refused:
        await rig.mirror(f"tls://oo:secret@127.0.0.1:{new_nats.port}").look()

    assert refused.value.facts["cause"] == "SecureConnWantedError"


async def test_a_slow_line_that_tears_loses_nothing(rig: Rig, new_nats: Nats):
    await rig.emit(300)
    async with proxied(new_nats.port) as proxy, rig.mirroring(f"nats://127.0.0.1:{proxy.port}") as mirror:
        proxy.line.delay_s = 0.02
        await until(lambda: published(rig.metrics) >= 20)
        proxy.heal()
        await caught_up(mirror)

    assert_whole(await everything(new_nats.url), await rig.stored())


def published(metrics: Metrics) -> float:
    return sum(
        value(metrics, "oo_mirror_published_total", stream=stream.name, outcome="new") or 0 for stream in STREAMS
    )


def failures(metrics: Metrics, cause: str) -> float:
    return value(metrics, "oo_mirror_failures_total", cause=cause) or 0


def is_refused(metrics: Metrics) -> bool:
    return 'oo_mirror_failures_total{cause="refused_' in metrics.exposed().decode()
