"""Webhooks: the raw body as it came, kept before it is answered."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from oo_app import signals
from oo_app.kit.errors import Unproven
from oo_app.runtime import current
from oo_app.sources import Call

router = APIRouter(tags=["webhooks"])


@router.post("/webhooks/{source}", response_class=Response)
async def receive(source: str, request: Request) -> Response:
    """Take a delivery of a source; who proves nothing is counted, and soon not read any more (`web.guard`)."""
    rt, address = current(), request.scope["client"][0]
    # Headers that come twice are read as the last one; a signature has one.
    call = Call({name.lower(): value for name, value in request.headers.items()}, await request.body())
    try:
        await signals.receive(rt, source, call)
    except Unproven:
        rt.metrics.deliveries.labels(source, "unproven").inc()
        rt.limits.unproven(address)
        raise
    rt.metrics.deliveries.labels(source, "taken").inc()
    return Response(status_code=200)
