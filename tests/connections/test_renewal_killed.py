"""A grant is renewed by one process at a time; one that is killed in the middle does not lose it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Generator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from oo_app.connections import held
from oo_app.connections.models import Connection
from oo_app.connections.store import keep_grant
from oo_app.kit.clock import Clock
from oo_app.kit.config import Settings
from oo_app.runtime import Runtime, build
from oo_app.sources import Grant
from tests.conftest import KEY, _copy
from tests.elsewhere import Elsewhere, elsewhere
from tests.people import a_person
from tests.served import ROOT, free_port

pytestmark = pytest.mark.server
SCRIPT = Path(__file__).parent / "renewing.py"


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Generator[Elsewhere]:
    """A Todoist that outlives whoever reads it."""
    with elsewhere(f"http://localhost:{free_port()}", tmp_path_factory.mktemp("todoist")) as running:
        yield running


@pytest.fixture
def variables(tmp_path: Path, there: Elsewhere) -> dict[str, str]:
    keys = {"OO_SECRET_KEYS": KEY, "OO_ENCRYPTION_KEYS": KEY[::-1]}
    return {"OO_DATA_DIR": str(tmp_path), **keys, **there.variables()}


@pytest.fixture
async def rt(tmp_path: Path, migrated: Path, variables: dict[str, str]) -> AsyncIterator[Runtime]:
    """Our own look at the same files."""
    _copy(migrated, tmp_path)
    settings = Settings.model_validate({name.lower(): value for name, value in variables.items()})
    runtime = build(settings, clock=Clock())
    await runtime.start()
    yield runtime
    await runtime.stop()


async def a_dying_grant(rt: Runtime, there: Elsewhere) -> str:
    """Keep a grant whose access token ends now; return the connection."""
    granted = there.grant("ada")
    ada = await a_person(rt, tasks=0)
    grant = Grant(granted["access_token"], granted["refresh_token"], 3600, granted["scope"])
    connection_id = await keep_grant(rt, ada.id, "todoist", grant)
    async with rt.db.begin() as tx:
        await tx.session.execute(update(Connection).values(access_expires_at=tx.now + timedelta(seconds=5)))
    return connection_id


def reading(variables: dict[str, str], connection_id: str, mode: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OO_")} | variables
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), connection_id, mode],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


async def row(rt: Runtime) -> Connection:
    async with rt.db.read() as session:
        return (await session.execute(select(Connection))).scalar_one()


async def test_a_process_killed_between_answer_and_commit_loses_no_connection(
    rt: Runtime, there: Elsewhere, variables: dict[str, str]
):
    connection_id = await a_dying_grant(rt, there)
    before = await held(rt, connection_id)
    killed = reading(variables, connection_id, "killed")
    await asyncio.to_thread(killed.communicate, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    left = await row(rt)
    assert left.refreshing_until is not None, "the claim stands, so that it is known that a renewal was under way"
    assert left.next_read_at == left.refreshing_until, "and it is taken up as soon as the claim has ended"

    came = reading(variables, connection_id, "later")
    told, _ = await asyncio.to_thread(came.communicate, timeout=60)

    assert told.split() == ["1", "True"]
    after, now = await held(rt, connection_id), await row(rt)
    assert (now.needs_attention, now.refreshing_until, now.last_read_at is not None) == (False, None, True)
    assert after.access_token != before.access_token
    assert after.refresh_token == before.refresh_token, "the answer brought none, and nothing is not put in its place"


async def test_two_processes_renew_once_and_both_read(rt: Runtime, there: Elsewhere, variables: dict[str, str]):
    connection_id = await a_dying_grant(rt, there)
    there.turn("fault", path="/oauth/access_token", delay_ms=4000, count=1)

    both = [reading(variables, connection_id, "now") for _ in range(2)]
    told = [(await asyncio.to_thread(each.communicate, timeout=60))[0].split() for each in both]

    assert sorted(told) == [["0", "True"], ["1", "True"]]
    assert not (await row(rt)).needs_attention
