"""The only list of things that happen by themselves: who hears which event, what runs when."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from oo_app import features, ops, signals, tips
from oo_app.events import (
    STREAMS,
    EventParked,
    FeedbackReward,
    SourceDisconnected,
    TaskCompleted,
    TasksSynced,
    wire,
)
from oo_app.kit.bus import Delivered, Handler
from oo_app.kit.db import Emitted
from oo_app.kit.jobs import Job
from oo_app.runtime import Runtime


def handlers(rt: Runtime) -> Mapping[str, Sequence[Handler]]:
    """Return event → functions; each may be called twice with the same event."""

    async def credit(event: Delivered) -> None:
        completed_at = signals.moment(event.payload["completed_at"])
        await tips.credit(rt, event.payload["user_id"], event.payload["item_id"], completed_at)

    async def end_gone(event: Delivered) -> None:
        await tips.end_gone(rt, event.payload["user_id"])

    async def fold(event: Delivered) -> None:
        # A full reading may have dropped what was counted, as of another account: only a recount sees that for sure.
        counts = features.recount if event.payload.get("is_full") else features.fold
        await counts(rt, event.payload["user_id"])

    async def recount(event: Delivered) -> None:
        await features.recount(rt, event.payload["user_id"])

    return {
        SourceDisconnected.subject: (end_gone, recount),
        TasksSynced.subject: (end_gone, fold),
        TaskCompleted.subject: (credit, fold),
    }


def bind(rt: Runtime) -> None:
    """Let events find their handlers, and be counted."""

    def count(fact: Emitted) -> None:
        if isinstance(fact, FeedbackReward):
            rt.metrics.rewards.labels(fact.cause).inc()

    def park(fact: Delivered) -> EventParked:
        return EventParked(fact.id, fact.subject)

    rt.bus.bind(handlers(rt), count, park)
    if rt.mirror:
        rt.mirror.bind(STREAMS, wire)


def jobs(rt: Runtime) -> Sequence[Job]:
    """Return what runs by the clock."""
    return (
        Job("checkpoint", 5, rt.db.checkpoint, is_everywhere=True),
        Job("close", 1, lambda: signals.spawn_due_closes(rt), timeout_s=10),
        Job("sync", 1, lambda: signals.sync_due(rt), timeout_s=10),
        Job("settle", 60, lambda: tips.settle(rt)),
        Job("freshness", 600, lambda: tips.note_freshness(rt)),
        Job("profiles", 600, lambda: features.recount_due(rt), timeout_s=300),
        Job("purge", 3600, lambda: ops.purge(rt), timeout_s=600),
    )


@asynccontextmanager
async def running(rt: Runtime) -> AsyncGenerator[None]:
    """Open everything, let it run by itself, and close it in the opposite order."""

    def is_owner() -> bool:
        return rt.jobs.lease.is_held

    await rt.start()
    try:
        bind(rt)
        await signals.resume_closes(rt)
        await rt.jobs.start(jobs(rt))
        await rt.bus.start(is_owner)
        if rt.mirror:
            await rt.mirror.start(rt.bus, is_owner)
        async with rt.metrics.watching():
            yield
    finally:
        await rt.stop()
