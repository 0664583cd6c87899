"""What the parts below count, as Prometheus would read it."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from oo_app.kit.clock import FakeClock
from oo_app.kit.jobs import Job, Jobs
from oo_app.kit.metrics import LAG_EVERY_S, Metrics
from oo_app.runtime import Runtime
from tests.conftest import START
from tests.metrics import value


async def test_runs_of_jobs_are_counted_and_when_one_last_ended_well(rt: Runtime, clock: FakeClock):
    metrics = Metrics()
    jobs = Jobs(rt.db, clock, metrics)
    await jobs.lease.take()

    async def fine() -> None:
        pass

    async def broken() -> None:
        raise ValueError

    await jobs._run(Job("fine", 1, fine))
    await jobs._run(Job("broken", 1, broken))

    assert value(metrics, "oo_job_runs_total", job="fine", outcome="succeeded") == 1
    assert value(metrics, "oo_job_runs_total", job="broken", outcome="failed") == 1
    assert value(metrics, "oo_job_last_success_timestamp_seconds", job="fine") == START.timestamp()
    assert value(metrics, "oo_job_last_success_timestamp_seconds", job="broken") is None


async def test_work_in_the_background_that_fails_is_counted_without_its_id(rt: Runtime, clock: FakeClock):
    metrics = Metrics()
    jobs = Jobs(rt.db, clock, metrics)

    async def broken() -> None:
        raise ValueError

    jobs.spawn("sync:0190-an-id", broken)
    await jobs.settle()

    assert value(metrics, "oo_spawned_failures_total", kind="sync") == 1
    assert b"0190-an-id" not in metrics.exposed()


async def test_the_loops_lag_is_measured_while_it_runs():
    metrics = Metrics()

    async with metrics.watching():
        await asyncio.sleep(LAG_EVERY_S * 1.5)

    assert value(metrics, "oo_event_loop_lag_seconds_count") == 1


def test_what_is_exposed_can_be_read_and_tells_of_the_process():
    text = Metrics().exposed().decode()

    families = {family.name: family for family in text_string_to_metric_families(text)}

    assert families["process_resident_memory_bytes"].samples[0].value > 0
    assert families["process_open_fds"].samples[0].value > 0
    assert all(family.documentation for family in families.values())


def test_two_processes_worth_of_metrics_do_not_mix():
    one, other = Metrics(), Metrics()

    one.decisions.labels("random", "false").inc()

    assert value(other, "oo_decisions_total", policy="random", is_fallback="false") is None
