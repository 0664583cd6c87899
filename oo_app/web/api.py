"""The REST API: thin, one domain call a route."""

from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from oo_app import accounts, connections, ops, signals, tips
from oo_app.runtime import current
from oo_app.sources import Login
from oo_app.web import schemas
from oo_app.web.connect import FIRST_READING_S
from oo_app.web.security import SignedIn, SignedInOrToken

router = APIRouter(prefix="/api/v1", tags=["api"])


@router.post("/recommend")
async def recommend(body: schemas.RecommendIn, caller: SignedInOrToken) -> schemas.ServedOut | schemas.NothingOut:
    """Return the one tip that is open, or choose it now."""
    result = await tips.recommend(current(), caller.user_id, body.surface)
    if isinstance(result, tips.Nothing):
        return schemas.NothingOut(tip=None, reason=result.reason)
    return schemas.ServedOut.model_validate(result, from_attributes=True)


@router.post("/feedback")
async def feedback(body: schemas.FeedbackIn, caller: SignedInOrToken) -> schemas.FeedbackOut:
    """Answer a tip, or take the answer back."""
    outcome = await tips.react(
        current(),
        caller.user_id,
        body.impression_id,
        body.action,
        dwell_ms=body.dwell_ms,
        snooze=body.snooze,
        reaction_id=body.reaction_id,
        reacted_at=body.reacted_at,
    )
    return schemas.FeedbackOut(reward=outcome.reward, accepted=outcome.accepted)


@router.get("/connections")
async def list_connections(caller: SignedInOrToken) -> list[schemas.ConnectionOut]:
    """Return every source and the state it is in."""
    views = await connections.overview(current(), caller.user_id)
    return [_shown(view) for view in views]


@router.post("/connections/{source}")
async def connect(source: str, body: schemas.LoginIn, caller: SignedIn) -> schemas.ConnectedOut:
    """Connect a source that asks for an address, or a login, and read it for the first time."""
    rt = current()
    login = Login(body.url, body.username, body.password.get_secret_value())
    connection_id = await connections.connect(rt, caller.user_id, source, login)
    unsent = await signals.first_reading(rt, connection_id, wait_s=FIRST_READING_S)
    view = next(view for view in await connections.overview(rt, caller.user_id) if view.source == source)
    return schemas.ConnectedOut(**_shown(view).model_dump(), not_completed=unsent)


@router.delete("/connections/{source}")
async def disconnect(source: str, caller: SignedIn) -> schemas.DisconnectedOut:
    """Revoke the grant at the source, erase tokens and cached items."""
    left = await signals.leave(current(), caller.user_id, source)
    return schemas.DisconnectedOut(source=source, revoked=left.is_revoked, not_completed=left.unsent)


@router.get("/me")
async def me(caller: SignedInOrToken) -> schemas.MeOut:
    """Return the person calling."""
    return schemas.MeOut.model_validate(asdict(await accounts.profile(current(), caller.user_id)))


@router.delete("/me")
async def delete_me(caller: SignedIn, response: Response) -> schemas.DeletedOut:
    """Delete everything: sources told, rows erased, the key destroyed; the browser forgets what it kept."""
    deleted = await ops.delete_everything(current(), caller.user_id)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return schemas.DeletedOut(deleted=True, not_told=list(deleted.not_told), not_completed=deleted.unsent)


@router.get("/me/export", response_model=dict[str, Any])
async def export_me(caller: SignedIn) -> Response:
    """Return everything held about the person, readable."""
    pieces = ops.export(current(), caller.user_id)
    first = await anext(pieces)  # before the answer begins: whoever is gone by now is told so

    async def body() -> AsyncGenerator[str]:
        yield first
        async for piece in pieces:
            yield piece

    headers = {"Content-Disposition": 'attachment; filename="oo.json"'}
    return StreamingResponse(body(), media_type="application/json", headers=headers)


@router.get("/me/preferences")
async def preferences(caller: SignedInOrToken) -> schemas.PreferencesOut:
    """Return what the person chose."""
    return schemas.PreferencesOut.model_validate(asdict(await accounts.preferences(current(), caller.user_id)))


@router.put("/me/preferences")
async def choose(body: schemas.PreferencesIn, caller: SignedIn) -> schemas.PreferencesOut:
    """Change preferences; what is left out or null stays."""
    changes = body.model_dump(exclude_none=True)
    return schemas.PreferencesOut.model_validate(asdict(await accounts.choose(current(), caller.user_id, **changes)))


def _shown(view: connections.ConnectionView) -> schemas.ConnectionOut:
    return schemas.ConnectionOut.model_validate(view, from_attributes=True)
