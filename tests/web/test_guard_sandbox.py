"""Where there is no sandbox, its name loosens nothing."""

import httpx
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from oo_app import web
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.outside import with_settings


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the file server does."""
    await HTMLResponse("Not here", 404)(scope, receive, send)


async def test_without_a_sandbox_its_addresses_are_like_all_others(rt: Runtime):
    bare = with_settings(rt, oo_sandbox=False)

    async with Browser(bare, httpx.ASGITransport(web.guard(bare)(nowhere))) as browser:
        page = await browser.client.get("/sandbox/x", headers={"Accept": "text/html"})
        forged = await browser.client.post("/sandbox/x", headers={"Origin": "https://evil.example"})
        large = await browser.client.post("/sandbox/x", content=b"x" * 70_000, headers={"Origin": browser.base})

    assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
    assert (forged.status_code, large.status_code) == (403, 413)
