"""What an operator sees of the mirror: doctor, metrics, what the purge had to drop; and a story at its reader."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from oo_app import ops, tips, wiring
from oo_app.events import MirrorSkipped
from oo_app.kit.bus import Bus
from oo_app.kit.clock import FakeClock
from oo_app.kit.mirror import Mirror
from oo_app.kit.outbox import Outbox
from oo_app.runtime import Runtime
from oo_app.web.metrics import _look
from tests.metrics import value
from tests.nats import NEW, messages, server
from tests.people import a_person, a_tip, rows
from tests.served import free_port
from tests.test_wire import parsed


def told_of(rt: Runtime, url: str) -> Runtime:
    """Return the runtime with a mirror to that address."""
    mirrored = replace(rt, mirror=Mirror(rt.db, rt.clock, rt.metrics, url))
    wiring.bind(mirrored)
    return mirrored


async def found(rt: Runtime) -> tuple[bool, str]:
    (probe,) = [each for each in await ops.examine(rt) if each.name == "mirror"]
    return probe.is_ok, probe.said


async def test_the_doctor_says_that_there_is_no_mirror(rt: Runtime):
    assert await found(rt) == (True, "none (NATS_URL is not set)")


@pytest.mark.server
async def test_the_doctor_says_how_far_the_mirror_is(rt: Runtime, tmp_path: Path):
    with server(NEW, tmp_path) as nats:
        await a_tip(rt, (await a_person(rt)).id)

        assert await found(told_of(rt, nats.url)) == (
            True,
            "reachable, its streams are there; events it has still to take: 1",
        )


async def test_the_doctor_says_that_nats_is_away_and_no_password(rt: Runtime):
    away = told_of(rt, f"nats://oo:much-secret@127.0.0.1:{free_port()}")

    assert await found(away) == (
        False,
        "NATS cannot be reached (ConnectionRefusedError); events wait in the outbox meanwhile",
    )


async def test_how_far_the_mirror_is_behind_is_a_metric(rt: Runtime, clock: FakeClock):
    away = told_of(rt, f"nats://127.0.0.1:{free_port()}")
    await a_tip(rt, (await a_person(rt)).id)
    before = clock.now()
    await clock.sleep(90)

    await _look(away)

    assert value(rt.metrics, "oo_mirror_lag_events") == 1
    assert value(rt.metrics, "oo_mirror_lag_seconds") == (clock.now() - before).total_seconds() == 90


async def test_what_was_dropped_before_it_was_mirrored_is_told(rt: Runtime, clock: FakeClock):
    full = replace(told_of(rt, "nats://127.0.0.1:1"), bus=Bus(rt.db, clock, rt.metrics, most_rows=1))
    wiring.bind(full)
    ada = await a_person(rt)
    for _ in range(3):
        served = await a_tip(full, ada.id)
        await tips.react(full, ada.id, served.tip.impression_id, "dismiss", dwell_ms=3000)

    stored = len(await rows(rt, Outbox))
    purged = await ops.purge(full)

    assert purged["facts"] == stored - 1
    assert value(rt.metrics, "oo_mirror_skipped_total") == stored - 1
    assert [(row.subject, row.payload) for row in await rows(rt, Outbox)][1:] == [
        (MirrorSkipped.subject, f'{{"events":{stored - 1}}}')
    ]


@pytest.mark.server
async def test_a_story_reaches_its_reader_as_the_schema_says(rt: Runtime, tmp_path: Path):
    with server(NEW, tmp_path) as nats:
        mirrored = told_of(rt, nats.url)
        assert mirrored.mirror
        await mirrored.mirror.start(rt.bus)
        ada = await a_person(rt)
        served = await a_tip(rt, ada.id)
        await tips.react(rt, ada.id, served.tip.impression_id, "snooze", dwell_ms=3000)
        async with asyncio.timeout(20):
            while (await mirrored.mirror.lag()).events:  # noqa: ASYNC110 -- a mark in the database is all there is to see
                await asyncio.sleep(0.02)
        await mirrored.mirror.stop()
        signals, feedback = [await messages(nats.url, stream) for stream in ("SIGNALS", "FEEDBACK")]

    read = [parsed(message.body) for message in (*signals, *feedback)]
    assert [(each.WhichOneof("fact"), each.subject) for each in read] == [
        ("tip_served", "signals.tip.served"),
        ("tip_reacted", "signals.tip.reacted"),
        ("feedback_reward", "feedback.reward"),
    ]
    assert {each.tip_served.user_id or each.tip_reacted.user_id or each.feedback_reward.user_id for each in read} == {
        ada.id
    }
