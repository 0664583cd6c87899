"""The API as it describes itself, and what machines ask."""

from typing import Any

import pytest
from sqlalchemy import text

from oo_app import web
from oo_app.runtime import Runtime
from oo_app.web import schemas
from tests.browser import Browser
from tests.web.api import ROUTES, problem_of

OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in web.build().openapi()["paths"].items()
    for method, operation in methods.items()
]
each_operation = pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=[f"{method} {path}" for method, path, _ in OPERATIONS]
)
API = [entry for entry in OPERATIONS if entry[1].startswith("/api/")]
PROBLEM = schemas.Problem.model_json_schema()


async def test_the_description_is_public(browser: Browser):
    response = await browser.get("/api/openapi.json")

    assert response.status_code == 200
    assert response.json()["info"]["title"] == "oO"


@each_operation
def test_every_operation_says_what_it_does(method: str, path: str, operation: dict[str, Any]):
    assert operation["description"].endswith(".")


@pytest.mark.parametrize(("method", "path", "operation"), API, ids=[f"{method} {path}" for method, path, _ in API])
def test_every_operation_of_the_api_describes_its_problems(method: str, path: str, operation: dict[str, Any]):
    for status in ("401", "403", "404", "409", "413", "422", "429", "503"):
        content = operation["responses"][status]["content"]
        assert content == {"application/problem+json": {"schema": PROBLEM}}


@each_operation
def test_no_operation_promises_an_error_of_another_shape(method: str, path: str, operation: dict[str, Any]):
    shapes = [
        content
        for status, response in operation["responses"].items()
        if status >= "400"
        for content in response.get("content", {})
    ]

    assert set(shapes) <= {"application/problem+json"}


def test_operations_have_names_of_their_own():
    names = [operation["operationId"] for _, _, operation in OPERATIONS]

    assert len(set(names)) == len(names)


def test_the_tests_know_every_route_of_the_api():
    told = {(method, path.replace("{source}", "todoist").replace("{token_id}", "a-token")) for method, path, _ in API}

    assert told == {(method, path) for method, path, _ in ROUTES}


async def test_the_page_of_the_api_lists_every_operation(browser: Browser):
    page = await browser.get("/api/docs")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert [path for _, path, _ in OPERATIONS if path not in page.text] == []
    assert "://" not in page.text


async def test_alive_is_told_without_asking_anybody(rt: Runtime, browser: Browser):
    await rt.db.stop()

    response = await browser.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_probe_may_ask_for_the_head_alone(browser: Browser, path: str):
    response = await browser.client.head(path)

    assert (response.status_code, response.content) == (200, b"")


async def test_ready_is_told_when_the_database_is_migrated(browser: Browser):
    response = await browser.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ready"})


async def test_a_database_of_another_version_is_not_ready(rt: Runtime, browser: Browser):
    async with rt.db.begin() as tx:
        await tx.session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert problem_of(await browser.get("/readyz"), 503) == "The database is not migrated"
