"""A purge that something keeps from part of its work: the rest is done, and it is said."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from oo_app import ops
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import SourceDown, Unavailable
from oo_app.kit.jobs import Job
from oo_app.ops import retention
from oo_app.runtime import Runtime
from tests.people import a_person, a_tip, decision


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Put a rule that fails before the others."""

    async def fail(_rt: Runtime, _most: int) -> int:
        raise request.param

    monkeypatch.setattr(retention, "RULES", (retention.Rule("bad_rule", "1 day", "why", fail), *ops.RULES))


FAILURES = [OSError(), SourceDown(), OperationalError("", {}, Exception("database is locked"))]


@pytest.mark.parametrize("broken", FAILURES, indirect=True, ids=lambda error: type(error).__name__)
@pytest.mark.usefixtures("broken")
async def test_a_rule_that_fails_keeps_no_other_from_its_turn(rt: Runtime, clock: FakeClock):
    ada = await a_person(rt)
    served = await a_tip(rt, ada.id)
    clock.advance(timedelta(days=31))

    with pytest.raises(Unavailable, match="bad rule"):
        await ops.purge(rt)

    assert (await decision(rt, served.tip.impression_id)).context == b""


@pytest.mark.parametrize("broken", [OSError("a person's words")], indirect=True)
@pytest.mark.usefixtures("broken")
async def test_a_purge_that_was_not_whole_is_recorded_as_failed(rt: Runtime):
    await rt.jobs.lease.take()

    await rt.jobs._run(Job("purge", 3600, lambda: ops.purge(rt)))

    assert [(run.job, run.outcome, run.cause) for run in await rt.jobs.last_runs()] == [
        ("purge", "failed", "Unavailable")
    ]
    (found,) = [found for found in await ops.examine(rt) if found.name == "jobs"]
    assert not found.is_ok
    assert "purge failed" in found.said
    assert "words" not in found.said
