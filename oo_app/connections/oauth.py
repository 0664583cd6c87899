"""OAuth of a source: consent, code exchange, refresh with rotation, and access that is always alive (RFC 6749)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar, cast
from urllib.parse import urlencode
from weakref import WeakValueDictionary

from sqlalchemy import update
from sqlmodel import col

from oo_app.accounts import begin_flow, preferences, take_flow
from oo_app.connections.models import Connection
from oo_app.connections.renewal import claim_refresh, give_back_refresh
from oo_app.connections.store import (
    Held,
    connection_id_of,
    held,
    is_kept,
    keep_grant,
    keep_refreshed,
    sources_by_name,
    this_grant,
)
from oo_app.events import SourceFailed
from oo_app.kit import log
from oo_app.kit.errors import Invalid, NotFound, ReconnectNeeded, SourceDown
from oo_app.kit.http import Answer
from oo_app.runtime import Runtime
from oo_app.sources import Door, Grant, NotPermitted, OAuth, Source, TokenRefused

EXCHANGE_TIMEOUT_S = 8.0
REVOKE_TIMEOUT_S = 5.0
EARLY = timedelta(seconds=60)
LONGEST_LIFE_S = 10 * 365 * 86_400  # what Todoist tells for tokens that do not end
REFRESH_GRACE_S = 5.0
# The token endpoint's ways of saying that our registration is wrong; no grant is at fault (RFC 6749, section 5.2).
OUR_FAULT = frozenset({"incorrect_application_credentials", "invalid_client", "invalid_request", "unauthorized_client"})

_log = log.get(__name__)
_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
Result = TypeVar("Result")


async def start(rt: Runtime, user_id: str, source_name: str, browser: str) -> str:
    """Begin connecting a source; return where to send the browser."""
    _, auth = await _registered(rt, source_name)
    begun = await begin_flow(rt, f"connect:{source_name}", browser, user_id=user_id)
    query = {
        "client_id": auth.client_id,
        "scope": auth.scope,
        "state": begun.state,
        "response_type": "code",
        "redirect_uri": _redirect_uri(rt, source_name),
        **auth.extra,
    }
    if auth.has_pkce:
        query |= {"code_challenge": begun.challenge, "code_challenge_method": "S256"}
    return f"{auth.authorize_url}?{urlencode(query)}"


async def finish(rt: Runtime, user_id: str, source_name: str, *, code: str, state: str, browser: str) -> str:
    """Exchange the code of a round trip this person began; return the connection's id."""
    source, auth = await _registered(rt, source_name)
    taken = await take_flow(rt, f"connect:{source_name}", state, browser)
    if taken.user_id != user_id:
        msg = "That connection was begun by somebody else. Please try again."
        raise Invalid(msg, code="mismatch")
    form = {
        "client_id": auth.client_id,
        "client_secret": auth.client_secret,
        "code": code,
        "redirect_uri": _redirect_uri(rt, source_name),
        "grant_type": "authorization_code",
    }
    if auth.has_pkce:
        form["code_verifier"] = taken.verifier
    try:
        async with rt.clock.timeout(EXCHANGE_TIMEOUT_S):  # somebody looks at an empty page meanwhile
            grant = _grant(await rt.http.send("POST", auth.token_url, form=form))
    except TimeoutError as error:
        raise SourceDown(None, cause="TimeoutError") from error
    if grant is None:
        msg = f"{source.title} did not accept that. Please try again."
        raise Invalid(msg, code="untrusted")
    if not auth.needs <= set(grant.scope.replace(",", " ").split()):  # people may untick what they do not want to allow
        existing = await connection_id_of(rt, user_id, source.name)
        kept = (await held(rt, existing)).access_token if existing else None
        await _end_unkept(rt, source, grant.access_token, beside=kept)
        msg = f"{source.title} did not let oO read enough. Please agree to all of it."
        raise Invalid(msg, code="partly")
    return await keep(rt, user_id, source, grant)


async def keep(rt: Runtime, user_id: str, source: Source, grant: Grant) -> str:
    """Store a new grant and take back the one it replaces, if any; return the connection's id."""
    existing = await connection_id_of(rt, user_id, source.name)
    replaced = await held(rt, existing) if existing else None
    try:
        connection_id = await keep_grant(rt, user_id, source.name, grant)
    except NotFound:
        await _end_unkept(rt, source, grant.access_token)  # whoever asked for it was deleted meanwhile
        raise
    if replaced and replaced.access_token != grant.access_token:
        await _end_unkept(rt, source, replaced.access_token, beside=grant.access_token)
    return connection_id


async def with_access(rt: Runtime, connection_id: str, call: Callable[[Door, Held], Awaitable[Result]]) -> Result:
    """Call out with a living token: refreshed early, and once more when refused.

    One call at a time per connection, so that a reading never overlaps a completion. Raises ReconnectNeeded after
    marking the connection, SourceDown, or NotFound when the connection is gone.
    """
    async with _held_alone(connection_id):
        connection = await held(rt, connection_id)
        if connection.needs_attention:
            raise ReconnectNeeded
        if connection.access_expires_at and connection.access_expires_at - rt.clock.now() < EARLY:
            connection = await _refreshed(rt, connection)
        try:
            try:
                return await call(await _door_of(rt, connection), connection)
            except TokenRefused:
                connection = await _refreshed(rt, connection)
            return await call(await _door_of(rt, connection), connection)
        except (TokenRefused, NotPermitted) as error:
            await _mark_refused(rt, connection)
            raise ReconnectNeeded from error
        except Invalid as error:  # an address that was let through once: its name leads nowhere just now, or elsewhere
            raise SourceDown(None, cause="address") from error


async def revoke(rt: Runtime, connection_id: str) -> bool:
    """Take a grant back at its source, also one that needs attention; False when the source did not take it in time."""

    async def call(door: Door, connection: Held) -> None:
        await sources_by_name()[connection.source].revoke(door)

    try:
        async with rt.clock.timeout(REVOKE_TIMEOUT_S):
            connection = await held(rt, connection_id)
            if connection.needs_attention:  # whatever was refused, the grant may live
                await call(door(rt, connection.access_token), connection)
            else:
                await with_access(rt, connection_id, call)
    except (SourceDown, NotPermitted, TimeoutError, Invalid):
        return False
    except (ReconnectNeeded, TokenRefused):
        return True  # the source has ended the grant already
    except NotFound:
        # Taken back here at the same moment; or the person's key is gone, and with it the way to take it back.
        return not await is_kept(rt, connection_id)
    return True


def door(rt: Runtime, access_token: str) -> Door:
    """Return a door that opens with a token, or a login, which may not be kept yet."""
    return Door(rt.http, rt.settings, access_token, rt.clock.now())


async def _door_of(rt: Runtime, connection: Held) -> Door:
    zone = (await preferences(rt, connection.user_id)).zone
    return Door(rt.http, rt.settings, connection.access_token, rt.clock.now(), zone, connection.last_read_at)


async def _end_unkept(rt: Runtime, source: Source, access_token: str, *, beside: str | None = None) -> None:
    """Take back a grant that is not kept, or no longer: nobody could from here, once its tokens are forgotten.

    Not where that would end the one that is kept beside it.
    """
    unkept = door(rt, access_token)
    try:
        async with rt.clock.timeout(REVOKE_TIMEOUT_S):
            if beside is None or not await source.shares_grant(unkept, door(rt, beside)):
                await source.revoke(unkept)
    except (SourceDown, NotPermitted, TokenRefused, TimeoutError) as error:
        _log.warning("grant.left", source=source.name, cause=type(error).__name__)


@asynccontextmanager
async def _held_alone(connection_id: str) -> AsyncGenerator[None]:
    """Hold the connection: nobody else in this process reads, completes, refreshes or revokes with it."""
    lock = _locks.setdefault(connection_id, asyncio.Lock())
    async with lock:
        yield


async def _refreshed(rt: Runtime, connection: Held) -> Held:
    """Trade the refresh token for a new grant and store it before anything uses it; never cancelled midway.

    One process at a time does so; another waits for what comes of it. Who dies in between leaves the claim to end by
    itself, well within the time for which a source answers a spent token with the same again.
    """
    if connection.refresh_token is None:
        await _mark_refused(rt, connection)
        raise ReconnectNeeded
    renewed = await claim_refresh(rt, connection)
    if renewed is not None:
        return renewed
    refresh = asyncio.ensure_future(_refresh(rt, connection, connection.refresh_token))
    try:
        return await asyncio.shield(refresh)
    except asyncio.CancelledError:
        # The old token may be spent: give the new one a moment to be stored, also while the process is stopping.
        refresh.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait([refresh], timeout=REFRESH_GRACE_S)
        raise


async def _refresh(rt: Runtime, connection: Held, refresh_token: str) -> Held:
    try:
        _, auth = await _registered(rt, connection.source)
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": auth.client_id,
            "client_secret": auth.client_secret,
        }
        # Repeating is safe within seconds: Todoist answers the same again for 60 s after a rotation.
        grant = _grant(await rt.http.send("POST", auth.token_url, form=form, is_repeatable=True))
    except SourceDown:
        await give_back_refresh(rt, connection)
        raise
    if grant is None:
        await _mark_refused(rt, connection)
        raise ReconnectNeeded
    await keep_refreshed(rt, connection, grant)
    return await held(rt, connection.id)


async def _mark_refused(rt: Runtime, connection: Held) -> None:
    async with rt.db.begin() as tx:
        values = {"needs_attention": True, "refreshing_until": None}
        query = update(Connection).where(*this_grant(connection)).values(**values)
        if (await tx.session.execute(query.returning(col(Connection.id)))).scalar_one_or_none() is None:
            return
        tx.emit(SourceFailed(connection.user_id, connection.id, connection.source))
    _log.warning("connection.refused", connection_id=connection.id, source=connection.source)


async def _registered(rt: Runtime, source_name: str) -> tuple[Source, OAuth]:
    source = sources_by_name().get(source_name)
    auth = await source.oauth(rt.http, rt.settings) if source else None
    if source is None or auth is None:
        msg = "There is no such source to connect here"
        raise NotFound(msg)
    return source, auth


def _redirect_uri(rt: Runtime, source_name: str) -> str:
    return f"{rt.settings.base_url}/connect/{source_name}/callback"


def _grant(answer: Answer) -> Grant | None:
    """Read a token answer of either shape; None when the source refuses the grant, SourceDown when it only fails."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SourceDown(None, retry_after=answer.retry_after, status=answer.status)
    data: Any = answer.json()
    token = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    error = token.get("error")
    if answer.status >= HTTPStatus.BAD_REQUEST and isinstance(error, str) and error not in OUR_FAULT:
        return None
    access, refresh, expires = token.get("access_token"), token.get("refresh_token"), token.get("expires_in")
    if answer.status != HTTPStatus.OK or not isinstance(access, str) or not access:
        _log.error("grant.unreadable", status=answer.status, cause=error if error in OUR_FAULT else None)
        raise SourceDown(None, status=answer.status)
    return Grant(
        access_token=access,
        refresh_token=refresh if isinstance(refresh, str) and refresh else None,
        expires_in=min(expires, LONGEST_LIFE_S) if isinstance(expires, int) and expires > 0 else None,
        scope=str(token.get("scope") or ""),
    )
