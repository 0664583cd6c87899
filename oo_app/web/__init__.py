"""HTTP at the edge: who is calling, one domain call, the answer."""

from collections.abc import Callable, Sequence

from fastapi import FastAPI
from starlette.types import ASGIApp

from oo_app.runtime import Runtime
from oo_app.web import api, auth, connect, metrics, problems, schemas, system, tokens, webhooks
from oo_app.web.guard import Guard
from oo_app.web.headers import inline_scripts

VERSION = "0.1.0"


def build() -> FastAPI:
    """Return the application that holds every HTTP route."""
    app = FastAPI(
        title="oO",
        version=VERSION,
        description=(
            "One well-chosen tip. Calls carry the session cookie, changes also the Origin of this site; "
            "programs carry a token instead, which reads their person's own data, asks for the tip and answers it."
        ),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    for router in (api.router, tokens.router, auth.router, connect.router, webhooks.router):
        app.include_router(router, responses=schemas.PROBLEMS)
    app.include_router(metrics.router, responses={404: schemas.PROBLEMS[404], 429: schemas.PROBLEMS[429]})
    app.include_router(system.router)
    return app


def guard(rt: Runtime, scripts: Sequence[str] = ()) -> Callable[[ASGIApp], ASGIApp]:
    """Return the wrapper that goes around everything: limits, origins, guarded documents, headers.

    `scripts` are the sources of what the pages may run besides our files, as `inline_scripts` finds them.
    """
    return lambda app: Guard(app, rt, scripts)


__all__ = ["build", "guard", "inline_scripts"]
