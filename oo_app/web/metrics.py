"""What a monitor reads, and who may."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from oo_app import accounts, connections, signals
from oo_app.kit.crypto import same
from oo_app.kit.errors import NotAllowed
from oo_app.kit.metrics import CONTENT_TYPE
from oo_app.runtime import Runtime, current
from oo_app.web.address import is_direct
from oo_app.web.security import bearer_token, session_token

router = APIRouter(tags=["system"])


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Tell how the process is doing, as Prometheus reads it."""
    rt = current()
    if not await may_read(rt, request.scope):
        raise NotAllowed
    await _look(rt)
    return Response(rt.metrics.exposed(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


async def may_read(rt: Runtime, scope: Scope) -> bool:
    """Whether the caller is a monitor with the token, an admin, or somebody at this machine in development."""
    if (told := bearer_token(scope)) is not None:
        token = rt.settings.oo_metrics_token.get_secret_value()
        return bool(token) and same(told, token)
    caller = await accounts.find_caller(rt, session_token(rt, scope))
    if caller is not None and caller.role == "admin":
        return True
    return is_direct(scope) and not rt.settings.is_production


async def _look(rt: Runtime) -> None:
    """Read what only the database knows, one query each."""
    outbox, closings = await rt.bus.backlog(), await signals.backlog(rt)
    rt.metrics.outbox_waiting.set(outbox.waiting)
    rt.metrics.outbox_parked.set(outbox.parked)
    if rt.mirror:
        lag = await rt.mirror.lag()
        rt.metrics.mirror_lag.set(lag.events)
        rt.metrics.mirror_lag_seconds.set(lag.seconds)
    rt.metrics.closes_waiting.set(closings.waiting)
    rt.metrics.closes_oldest.set(closings.oldest.total_seconds())
    rt.metrics.attention.set(await connections.count_needing_attention(rt))
    rt.metrics.source_age.clear()
    for each in await connections.ages(rt):
        rt.metrics.source_age.labels(each.source).set(each.oldest.total_seconds())
