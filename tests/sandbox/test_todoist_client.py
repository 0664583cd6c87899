"""Todoist's own Python client against the sandbox on a real socket: it reads what we write."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from todoist_api_python._core import endpoints
from todoist_api_python.api_async import TodoistAPIAsync
from todoist_api_python.authentication import revoke_auth_token_async

from oo_app.kit.clock import FakeClock
from oo_app.sandbox import SandboxOptions, build
from tests.sandbox.flows import connect

pytestmark = pytest.mark.server


@pytest.fixture
async def base_url(data_dir: Path, clock: FakeClock) -> AsyncIterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = Starlette(routes=[Mount("/sandbox", build(SandboxOptions(url, url, data_dir), clock))])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield url
    server.should_exit = True
    await serving
    listening.close()


@pytest.fixture
async def token(base_url: str) -> str:
    async with httpx.AsyncClient(base_url=base_url) as http:
        return (await connect(http)).tokens["access_token"]


@pytest.fixture
async def api(base_url: str, token: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TodoistAPIAsync]:
    monkeypatch.setattr(endpoints, "API_URL", f"{base_url}/sandbox/todoist/api/v1")
    async with TodoistAPIAsync(token) as client:
        yield client


async def test_the_official_client_lists_pages_of_tasks(api: TodoistAPIAsync):
    pages = [page async for page in await api.get_tasks(limit=15)]
    tasks = [task for page in pages for task in page]

    assert [len(page) for page in pages[:2]] == [15, 15]
    assert len({task.id for task in tasks}) == len(tasks) > 35
    assert any(task.due and task.due.is_recurring for task in tasks)
    assert any(task.due and isinstance(task.due.date, datetime) and task.due.date.tzinfo for task in tasks)


async def test_the_official_client_closes_and_reopens(api: TodoistAPIAsync):
    task = await api.add_task("Mend the fence", due_string="tomorrow", priority=3)
    closed = await api.complete_task(task.id)
    done = await api.get_task(task.id)
    since, until = datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
    completed = [
        each.id
        async for page in await api.get_completed_tasks_by_completion_date(since=since, until=until)
        for each in page
    ]
    reopened = await api.uncomplete_task(task.id)

    assert (closed, reopened) == (True, True)
    assert done.is_completed
    assert completed[0] == task.id
    assert not (await api.get_task(task.id)).is_completed


async def test_the_official_client_reads_projects_labels_and_filters(api: TodoistAPIAsync):
    projects = [each async for page in await api.get_projects() for each in page]
    labels = [each async for page in await api.get_labels() for each in page]
    urgent = [each async for page in await api.filter_tasks(query="p1") for each in page]

    assert [each.name for each in projects][:2] == ["Inbox", "Work"]
    assert projects[0].is_inbox_project
    assert "phone" in {each.name for each in labels}
    assert {each.priority for each in urgent} == {4}


async def test_the_official_client_changes_moves_on_and_deletes(api: TodoistAPIAsync):
    plants = next(
        each for page in [p async for p in await api.get_tasks()] for each in page if "plants" in each.content
    )
    await api.complete_task(plants.id)
    moved = await api.get_task(plants.id)
    renamed = await api.update_task(plants.id, content="Water all plants")

    assert plants.due is not None
    assert moved.due is not None
    assert (str(plants.due.date), str(moved.due.date)) == ("2026-11-23", "2026-11-26")
    assert renamed.content == "Water all plants"
    assert await api.delete_task(plants.id)


async def test_the_official_client_revokes(api: TodoistAPIAsync, token: str):
    revoked = await revoke_auth_token_async("oo-sandbox-todoist", "oo-sandbox-todoist-secret", token)

    assert revoked
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await api.get_task("any")
