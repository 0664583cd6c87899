"""What is counted and timed for /metrics. Labels are enumerations only: never an id, never a path, never content."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST
FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
USUAL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SLOW = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LAG_EVERY_S = 0.5


class Metrics:
    """Every metric of the process, in a registry of its own. One instance a process."""

    def __init__(self) -> None:
        """Declare them all; nothing is measured yet."""
        disable_created_metrics()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

        self.requests = self._histogram(
            "oo_request_seconds", "Requests by route template.", USUAL, "route", "method", "status"
        )
        self.sockets = self._gauge("oo_sockets_open", "Websockets that are open.")
        self.socket_events = self._histogram(
            "oo_socket_event_seconds", "Events of pages by handler.", USUAL, "handler", "outcome"
        )
        self.limited = self._counter("oo_limited", "Requests and events refused as too many.", "what")

        self.stages = self._histogram("oo_recommend_stage_seconds", "Stages of choosing a tip.", FAST, "stage")
        self.decisions = self._counter("oo_decisions", "Decisions by policy.", "policy", "is_fallback")
        self.feature_breaches = self._counter(
            "oo_feature_breaches", "Decisions made from a feature older than its source promises.", "feature"
        )
        self.reactions = self._counter("oo_reactions", "Reactions by action.", "action", "surface")
        self.rewards = self._counter("oo_rewards", "Rewards by cause.", "cause")

        self.syncs = self._histogram("oo_sync_seconds", "Readings of sources by outcome.", SLOW, "source", "outcome")
        self.deliveries = self._counter(
            "oo_webhook_deliveries", "Deliveries of webhooks by outcome.", "source", "outcome"
        )
        self.closes = self._counter("oo_closes", "Tries to complete an item at its source.", "source", "outcome")
        self.closes_waiting = self._gauge("oo_closes_waiting", "Completions that no source has taken yet.")
        self.closes_oldest = self._gauge("oo_closes_oldest_seconds", "How long ago the oldest of them was asked for.")
        self.source_age = self._gauge(
            "oo_source_age_seconds", "How long ago the healthy connection was read that waits longest.", "source"
        )
        self.attention = self._gauge("oo_connections_needing_attention", "Connections only a person can mend.")

        self.handler_failures = self._counter("oo_handler_failures", "Events a handler failed on.", "subject")
        self.event_delays = self._histogram(
            "oo_event_seconds", "From an event's commit to the end of its last handler.", FAST
        )
        self.outbox_waiting = self._gauge("oo_outbox_waiting", "Events still to be handled.")
        self.outbox_parked = self._gauge("oo_outbox_parked", "Events given up after five failures.")
        self.mirrored = self._counter(
            "oo_mirror_published", "Events the mirror's server acknowledged.", "stream", "outcome"
        )
        self.mirror_failures = self._counter("oo_mirror_failures", "Times the mirror's connection broke.", "cause")
        self.mirror_skipped = self._counter("oo_mirror_skipped", "Events dropped before the mirror had had them.")
        self.mirror_is_up = self._gauge("oo_mirror_up", "Whether events are being mirrored by this process.")
        self.mirror_lag = self._gauge("oo_mirror_lag_events", "Events the mirror has still to take.")
        self.mirror_lag_seconds = self._gauge("oo_mirror_lag_seconds", "How old the oldest of them is.")
        self.job_runs = self._counter("oo_job_runs", "Runs of jobs by outcome.", "job", "outcome")
        self.job_succeeded_at = self._gauge(
            "oo_job_last_success_timestamp_seconds", "When a job last ended well.", "job"
        )
        self.spawned_failures = self._counter("oo_spawned_failures", "Background work that failed.", "kind")
        self.loop_lag = self._histogram("oo_event_loop_lag_seconds", "How late the event loop wakes.", FAST)

    def exposed(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return generate_latest(self.registry)

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """Measure the event loop's lag until the block ends."""
        task = asyncio.create_task(self._watch(), name="oo-loop-lag")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(LAG_EVERY_S)
            self.loop_lag.observe(max(0.0, time.perf_counter() - began - LAG_EVERY_S))

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)
