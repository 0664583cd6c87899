"""For machines: alive, ready, and the API described."""

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from oo_app import ops
from oo_app.kit.errors import Busy, NotFound
from oo_app.runtime import current
from oo_app.web import schemas

router = APIRouter(tags=["system"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Tell that the process is alive."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses={503: schemas.PROBLEMS[503]})
async def readyz() -> dict[str, str]:
    """Tell that the database answers and is migrated."""
    if not await ops.is_ready(current(), ops.head()):
        msg = "The database is not migrated"
        raise Busy(msg)
    return {"status": "ready"}


@router.get("/api/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """Describe the API on one page, from the same description that programs read; nothing is loaded from elsewhere."""
    described: dict[str, Any] = request.app.openapi()
    rows = "".join(
        f"<tr><td><code>{escape(method.upper())}</code></td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation.get('description') or operation.get('summary') or '')}</td></tr>"
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    )
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<title>oO API</title><meta name="description" content="What programs can ask of oO.">'
        '<link rel="icon" href="/favicon.svg"><link rel="stylesheet" href="/oo.css">'
        '<link rel="stylesheet" href="/docs.css"><main class="docs"><h1>oO API</h1>'
        '<p>The full description is at <a href="/api/openapi.json">/api/openapi.json</a>.</p>'
        f'<table><thead><tr><th scope="col">Method</th><th scope="col">Path</th><th scope="col">What it does</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></main></html>"
    )


async def unknown() -> Response:
    """Answer paths of programs that do not exist as programs expect."""
    raise NotFound


for _path in ("/api", "/api/{rest:path}", "/auth/{rest:path}", "/webhooks/{rest:path}"):
    router.add_api_route(
        _path,
        unknown,
        methods=["GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE"],
        include_in_schema=False,
    )
