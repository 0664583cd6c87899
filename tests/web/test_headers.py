"""What answers allow the browser: our own files, and the scripts written out in our own pages, by their hash."""

from pathlib import Path

import httpx
import pytest
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from oo_app import web
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.outside import with_settings

# printf 'alert(1 < 2)' | openssl dgst -sha256 -binary | base64
KNOWN = "'sha256-sNrEwoN+m2QWFx3xSWF5tXbMBCa9HAFJjjrCn0gRwZg='"


async def pages(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand where the built pages are served."""
    await HTMLResponse("<!doctype html><title>a page</title>")(scope, receive, send)


async def policy_of(rt: Runtime, path: str, scripts: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the policy that comes with an answer, by directive."""
    async with Browser(rt, httpx.ASGITransport(web.guard(rt, scripts)(pages))) as browser:
        told = (await browser.get(path)).headers["content-security-policy"]
    return {name: sources for name, _, sources in (part.partition(" ") for part in told.split("; "))}


async def test_a_page_runs_our_files_and_its_own_words_only(rt: Runtime):
    policy = await policy_of(rt, "/legal/terms", (KNOWN,))

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'self' {KNOWN}"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in " ".join(policy.values())


@pytest.mark.parametrize(
    ("base_url", "socket"),
    [("https://oo.example", "wss://oo.example"), ("http://localhost:9000", "ws://localhost:9000")],
)
async def test_a_page_speaks_to_its_own_origin_only(rt: Runtime, base_url: str, socket: str):
    policy = await policy_of(with_settings(rt, oo_base_url=base_url), "/")

    assert policy["connect-src"] == f"'self' {socket}"


async def test_what_is_no_page_may_do_nothing(browser: Browser):
    told = (await browser.get("/api/v1/me")).headers["content-security-policy"]

    assert told == "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


async def test_a_page_that_has_not_changed_keeps_its_policy(rt: Runtime):
    async def unchanged(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(status_code=304)(scope, receive, send)

    async with Browser(rt, httpx.ASGITransport(web.guard(rt, (KNOWN,))(unchanged))) as browser:
        told = (await browser.get("/legal/terms")).headers["content-security-policy"]

    assert f"script-src 'self' {KNOWN}" in told


async def test_the_service_worker_reads_our_own_files_and_is_asked_for_again(rt: Runtime):
    async with Browser(rt, httpx.ASGITransport(web.guard(rt)(scripts))) as browser:
        answer = await browser.get("/sw.js?v=1")

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; connect-src 'self'" in policy
    assert answer.headers["cache-control"] == "no-cache"


async def scripts(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand where the scripts are served."""
    await Response("1", media_type="text/javascript")(scope, receive, send)


@pytest.mark.parametrize(
    ("address", "is_kept"),
    [
        ("/assets/entry-1a2b.js", True),
        ("/oo.js?v=1a2b", True),
        ("/oo.js", False),
        ("/tip?v=1a2b", False),
        ("/api/v1/me?v=1a2b", False),
    ],
)
async def test_only_what_is_named_by_its_content_is_kept_for_good(rt: Runtime, address: str, *, is_kept: bool):
    async with Browser(rt, httpx.ASGITransport(web.guard(rt)(scripts))) as browser:
        browser.client.cookies.clear()
        answer = await browser.get(address)

    assert ("immutable" in answer.headers.get("cache-control", "")) is is_kept


async def test_the_stand_ins_may_send_their_forms_on_to_us(rt: Runtime):
    assert "form-action" not in await policy_of(rt, "/sandbox/google/authorize")


def test_scripts_of_a_document_are_known_by_their_hash(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.html").write_text(
        '<script src="/x.js"></script><p>alert(2)</p><script>alert(1 < 2)</script>'
    )
    (tmp_path / "b.html").write_text('<script type="module" async="">alert(1 < 2)</script>')

    assert web.inline_scripts(tmp_path) == (KNOWN,)


def test_a_folder_without_documents_has_no_scripts(tmp_path: Path):
    assert web.inline_scripts(tmp_path / "not-built") == ()
