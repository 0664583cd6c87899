"""What every screen shares: who is asking, which session a state belongs to, and saying something."""

from urllib.parse import unquote

import reflex as rx
from reflex.event import Event, EventSpec
from reflex.middleware.middleware import Middleware
from reflex.state import BaseState, StateUpdate
from reflex_base.constants import RouteVar
from reflex_base.event.context import EventContext
from starlette.requests import cookie_parser

from oo_app import accounts
from oo_app.kit.crypto import hash_token
from oo_app.kit.errors import Invalid, NotSignedIn
from oo_app.runtime import current
from state.watch import limit, note_user, watch

NOTICE = "notice"  # the id of the one <output> on every page; a notice is its value
MISFIT = "That does not fit here"


class AppState(rx.State):
    """The parent of every screen's state. Its helpers start with `_`, so that no client can call them."""

    _session: str = ""

    async def _user(self) -> accounts.Caller:
        """Return who is asking. The cookie is looked up every time; a state is no proof of anything."""
        caller = await self._visitor()
        if caller is None:
            self._get_root_state().reset()
            raise NotSignedIn
        note_user(caller.user_id)
        return caller

    async def _visitor(self) -> accounts.Caller | None:
        """Return who is asking, if anybody is signed in."""
        return await accounts.find_caller(current(), session_token(self))

    async def _chosen(self, user: accounts.Caller) -> accounts.Chosen:
        """Return the person's preferences, taking the browser's time zone when none is chosen yet."""
        chosen = await accounts.preferences(current(), user.user_id)
        zone = read_cookie(self, current().settings.zone_cookie)  # written by oo.js
        if chosen.time_zone is None and zone and accounts.is_time_zone(zone):
            return await accounts.choose(current(), user.user_id, time_zone=zone)
        return chosen

    def _notice(self, sentence: str) -> EventSpec:
        return notice(sentence)


class SessionBinding(Middleware):
    """Empties a state that was filled for another session than the one now asking; limits and logs each event.

    The client's token lives in the tab and survives sign-out, and hydration sends whatever the state holds without
    calling any handler of ours. So this runs before every event: another cookie, or a session that has ended by the
    time a page hydrates, resets every substate before anything leaves.
    """

    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> None:
        """Bind the state to the session of the cookie that came with the socket."""
        watch(event)
        root = state._get_root_state()  # noqa: SLF001 -- Reflex offers no public way to it
        bound = await root.get_state(AppState)
        token = session_token(root)
        session = hash_token(token) if token else ""
        if session and is_hydration(event) and await accounts.find_caller(current(), token) is None:
            session = ""
        if bound._session != session:  # noqa: SLF001
            root.reset()
            bound._session = session  # noqa: SLF001
        # Only now, so that a refusal never leaves a state to somebody else.
        limit(event, address=root.router.session.client_ip, session=session)
        if event.name.endswith(".setvar"):  # Reflex's own, for any client to set any var with; no page of ours calls it
            raise Invalid(MISFIT)


def answer_only_who_asked(app: rx.App) -> None:
    """Send what an event comes to only to the socket it came by; once that has closed, to nobody.

    Reflex sends it to whatever socket the tab has by then: a slow answer to somebody who has just signed out went to
    who signed in next. Nobody misses it, since a socket that opens in the same tab is sent the whole state.
    """
    if (sockets := app.event_namespace) is None:
        msg = "Reflex opens no sockets"
        raise RuntimeError(msg)
    send = sockets.emit_update

    async def emit_update(update: StateUpdate, token: str) -> None:
        asked_by = EventContext.get().router_data.get(RouteVar.SESSION_ID, "")
        if sockets.sid_to_token.get(asked_by) == token:
            await send(update, token)

    sockets.emit_update = emit_update


def notice(sentence: str) -> EventSpec:
    """Say one sentence on whatever page is shown."""
    return rx.set_value(NOTICE, sentence)


def session_token(state: BaseState) -> str | None:
    """Return the session cookie's value as the browser sent it when the socket opened."""
    return read_cookie(state, current().settings.session_cookie)


def read_cookie(state: BaseState, name: str) -> str | None:
    """Return a cookie's value from the socket's headers, parsed as the HTTP routes parse it."""
    return unquote(cookie_parser(state.router.headers.cookie).get(name, "")) or None


def text(value: object) -> str:
    """Return an argument that has to be a text: Reflex checks no types, so a client can send anything."""
    if isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value):  # half a character
        return value
    raise Invalid(MISFIT)


def text_or_none(value: object) -> str | None:
    """Return an argument that has to be a text or nothing."""
    return None if value is None else text(value)


def whole_or_none(value: object) -> int | None:
    """Return an argument that has to be a whole number or nothing; JavaScript may write it with a point."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise Invalid(MISFIT)


def is_hydration(event: Event) -> bool:
    """Whether an event sends the whole state to the page."""
    return event.name.rpartition(".")[2].startswith("hydrate")
