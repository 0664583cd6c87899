"""Who may read the metrics, and what stands in them: enumerations and numbers."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import update

from oo_app import signals
from oo_app.accounts.models import User
from oo_app.connections.models import Connection
from oo_app.kit.clock import FakeClock
from oo_app.kit.outbox import Outbox
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.conftest import Faults, transport
from tests.metrics import value
from tests.outside import with_settings
from tests.people import a_person, a_tip
from tests.web.api import problem_of, signed_in

TOKEN = "a-token-of-the-monitor-with-40-characters"


def reader(rt: Runtime, peer: str = "192.0.2.1", **settings: Any) -> Browser:
    """Return a browser at an address, under other settings."""
    changed = with_settings(rt, **settings) if settings else rt
    return Browser(changed, httpx.ASGITransport(transport(changed).app, client=(peer, 1)))


@pytest.fixture
async def stranger(rt: Runtime) -> AsyncGenerator[Browser]:
    """Somebody from elsewhere, where a token is set."""
    async with reader(rt, oo_metrics_token=SecretStr(TOKEN)) as browser:
        yield browser


async def test_a_monitor_reads_with_the_token(stranger: Browser):
    response = await stranger.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=1.0.0")
    assert response.headers["cache-control"] == "no-store"
    names = {family.name for family in text_string_to_metric_families(response.text)}
    assert {"oo_request_seconds", "oo_outbox_waiting", "process_resident_memory_bytes"} <= names


@pytest.mark.parametrize("sent", [None, "Bearer ", "Bearer x", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN])
async def test_a_stranger_finds_nothing(stranger: Browser, sent: str | None):
    headers = {} if sent is None else {"Authorization": sent}

    assert problem_of(await stranger.client.get("/metrics", headers=headers), 404) == "Not found"


@pytest.mark.parametrize("sent", ["Bearer ", "Bearer"])
async def test_no_token_set_is_no_token_that_fits(rt: Runtime, sent: str):
    async with reader(rt, "127.0.0.1") as browser:
        problem_of(await browser.client.get("/metrics", headers={"Authorization": sent}), 404)


@pytest.mark.parametrize(("role", "status"), [("user", 404), ("viewer", 404), ("admin", 200)])
async def test_of_those_signed_in_an_admin_reads(rt: Runtime, stranger: Browser, role: str, status: int):
    await signed_in(rt, stranger)
    async with rt.db.begin() as tx:
        await tx.session.execute(update(User).values(role=role))

    assert (await stranger.get("/metrics")).status_code == status


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
async def test_this_machine_reads_in_development(rt: Runtime, peer: str):
    async with reader(rt, peer) as browser:
        assert (await browser.get("/metrics")).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
@pytest.mark.parametrize("hops", [0, 1])
async def test_what_was_passed_on_to_this_machine_does_not(rt: Runtime, header: str, hops: int):
    async with reader(rt, "127.0.0.1", oo_trusted_proxy_hops=hops) as browser:
        problem_of(await browser.client.get("/metrics", headers={header: "127.0.0.1"}), 404)


async def test_this_machine_does_not_in_production(rt: Runtime):
    async with reader(rt, "127.0.0.1", oo_env="production") as browser:
        problem_of(await browser.get("/metrics"), 404)


async def test_a_decision_and_its_reaction_are_counted_once(rt: Runtime, ada: Browser, clock: FakeClock):
    clock.advance(timedelta(minutes=1))
    served = await ada.recommend()
    await ada.recommend()
    for _ in range(2):
        await ada.react(served["tip"]["impression_id"], "dismiss", dwell_ms=1)

    assert value(rt.metrics, "oo_decisions_total", policy="random", is_fallback="false") == 1
    assert value(rt.metrics, "oo_reactions_total", action="dismiss", surface="web") == 1
    assert value(rt.metrics, "oo_rewards_total", cause="reaction") == 1
    for stage in ("refresh", "candidates", "features", "rank", "render", "write"):
        assert value(rt.metrics, "oo_recommend_stage_seconds_count", stage=stage) == 1
    assert value(rt.metrics, "oo_recommend_stage_seconds_count", stage="read") == 2


async def test_a_reaction_that_is_refused_counts_for_nothing(rt: Runtime, ada: Browser):
    served = await ada.recommend()
    await ada.react(served["tip"]["impression_id"], "dismiss")

    problem_of(await ada.react(served["tip"]["impression_id"], "snooze"), 409)

    assert value(rt.metrics, "oo_reactions_total", action="snooze", surface="web") is None
    assert value(rt.metrics, "oo_rewards_total", cause="reaction") == 1


async def test_readings_are_counted_by_outcome(rt: Runtime, ada: Browser, clock: FakeClock, faults: Faults):
    clock.advance(timedelta(minutes=1))
    await ada.recommend()
    await rt.jobs.settle()
    faults.fault = lambda _: httpx.Response(500)
    clock.advance(timedelta(hours=1))
    await ada.recommend()
    await rt.jobs.settle()

    assert value(rt.metrics, "oo_sync_seconds_count", source="todoist", outcome="read") == 1
    assert value(rt.metrics, "oo_sync_seconds_count", source="todoist", outcome="down") == 1


async def test_the_age_of_a_source_is_told_while_somebody_has_it(rt: Runtime, ada: Browser, clock: FakeClock):
    clock.advance(timedelta(minutes=25))
    await ada.get("/metrics")
    assert value(rt.metrics, "oo_source_age_seconds", source="todoist") == pytest.approx(1500, abs=5)

    await ada.client.delete("/api/v1/connections/todoist", headers={"Origin": rt.settings.base_url})
    await ada.get("/metrics")
    assert value(rt.metrics, "oo_source_age_seconds", source="todoist") is None


async def test_completions_are_counted_by_outcome_and_what_waits_is_told(rt: Runtime, ada: Browser, clock: FakeClock):
    served = await ada.recommend()
    await ada.react(served["tip"]["impression_id"], "done")
    clock.advance(timedelta(seconds=5))
    await ada.get("/metrics")
    assert value(rt.metrics, "oo_closes_waiting") == 1
    assert value(rt.metrics, "oo_closes_oldest_seconds") == pytest.approx(5, abs=0.01)

    clock.advance(timedelta(seconds=2))
    await signals.deliver_closes(rt)
    await ada.get("/metrics")

    assert value(rt.metrics, "oo_closes_total", source="todoist", outcome="done") == 1
    assert value(rt.metrics, "oo_closes_waiting") == 0


async def test_what_only_the_database_knows_is_read_when_asked(rt: Runtime, ada: Browser):
    await ada.recommend()
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Connection).values(needs_attention=True))
        await tx.session.execute(update(Outbox).values(done_at=None, is_parked=True))
    await ada.get("/metrics")

    assert value(rt.metrics, "oo_connections_needing_attention") == 1
    parked = value(rt.metrics, "oo_outbox_parked")
    assert parked
    assert value(rt.metrics, "oo_outbox_waiting") == 0


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/api/v1/me", "/api/v1/me", "4xx"),
        ("DELETE", "/api/v1/connections/planted", "/api/v1/connections/{source}", "4xx"),
        ("GET", "/auth/planted/start", "/auth/{provider}/start", "4xx"),
        ("GET", "/api/planted", "/api/{rest:path}", "4xx"),
        ("GET", "/planted", "unknown", "4xx"),
        ("PLANTED", "/planted", "unknown", "4xx"),
        ("GET", "/assets/planted.js", "/assets", "4xx"),
        ("GET", "/admin/planted", "/admin", "4xx"),
        ("GET", "/sandbox/planted", "/sandbox", "4xx"),
        ("GET", "/tip", "/tip", "3xx"),
        ("GET", "/healthz", "/healthz", "2xx"),
    ],
)
async def test_a_request_counts_under_its_template(
    rt: Runtime, browser: Browser, method: str, path: str, route: str, status: str
):
    await browser.client.request(method, path)

    labels = {"route": route, "method": method if method != "PLANTED" else "other", "status": status}
    assert value(rt.metrics, "oo_request_seconds_count", **labels) == 1
    assert "planted" not in rt.metrics.exposed().decode().lower()


async def test_no_label_holds_an_id_or_anybodys_words(rt: Runtime, browser: Browser):
    ada = await a_person(rt, "planted")
    served = await a_tip(rt, ada.id)
    browser.client.cookies.set(rt.settings.session_cookie, ada.token)
    await browser.react(served.tip.impression_id, "done")

    text = (await browser.get("/metrics")).text

    for secret in ("planted", ada.id, ada.token, ada.connection_id, served.tip.impression_id, *ada.item_ids):
        assert secret not in text
