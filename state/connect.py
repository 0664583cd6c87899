"""What is connected and what a person has chosen; leaving for good."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

import reflex as rx

from oo_app import accounts, connections, ops, signals
from oo_app.kit.errors import Invalid, SourceDown
from oo_app.runtime import current
from oo_app.sources import Login
from state.base import MISFIT, AppState, text
from state.errors import ended
from state.words import ago, counted, unsent_in_words

STATES = {"connected": "Connected", "not_connected": "Not connected", "needs_attention": "Needs attention"}
PROBLEMS = {
    "denied": "You did not agree there, so nothing has changed.",
    "partly": "That was not all of it. Please connect again, and agree to all.",
    "expired": "That took a little long. Please connect again.",
    "mismatch": "That did not start in this browser. Please connect again.",
    "unavailable": "The app cannot be reached just now. Please try again in a moment.",
    "busy": "That was a little often. Please wait a moment, then connect again.",
    "unknown": "Connecting did not work. Please try again.",
}
LOCKED_OUT = "It does not let oO in any more. Connect it again."
FIRST_READING_S = 4.0
SWITCHES = {"notify", "paused", "learn_across_people", "allow_remote_ai"}
TIMES = {"quiet_from", "quiet_to"}


@dataclass(frozen=True, slots=True)
class Row:
    """A source as the list shows it."""

    source: str
    name: str
    state: str
    is_connected: bool
    needs_attention: bool
    last_read: str
    note: str
    asks: str


class ConnectState(AppState):
    """The sources and the preferences; `loads` makes the form start anew with what was read."""

    rows: list[Row] = []
    has_source: bool = False
    problem: str = ""
    loads: int = 0
    time_zone: str = ""
    quiet_from: str = ""
    quiet_to: str = ""
    notify: bool = False
    paused: bool = False
    learn_across_people: bool = False
    allow_remote_ai: bool = False
    saved: str = ""
    email: str = ""
    asked: str = ""
    misfit: str = ""
    is_leaving: bool = False
    leave_to: str = ""

    @rx.event
    async def load(self):
        """Read the sources and the preferences."""
        user = await self._user()
        await self._read_rows(user)
        self._show(await self._chosen(user))
        self.email = (await accounts.profile(current(), user.user_id)).email
        code = self.router.url.query_parameters.get("error")
        self.problem = PROBLEMS.get(code, PROBLEMS["unknown"]) if code else self._dropped()
        self.saved = self.misfit = ""
        self.loads += 1

    def _dropped(self) -> str:
        """Say what another account's connection left behind undone."""
        unsent = self.router.url.query_parameters.get("unsent", "")
        return (
            f"That is another account. {unsent_in_words(int(unsent))}" if unsent.isdecimal() and len(unsent) < 4 else ""
        )

    @rx.event
    async def connect(self, form: dict[str, object]):
        """Connect a source that asks for an address, or a login; what does not fit is said beside the fields."""
        user = await self._user()
        source, *typed = (text(form.get(name, "")).strip() for name in ("source", "url", "username", "password"))
        rt, self.asked, self.misfit = current(), source, ""
        try:
            connection_id = await connections.connect(rt, user.user_id, source, Login(*typed))
        except (Invalid, SourceDown) as refused:
            self.misfit = ended(refused.detail.partition(": ")[2] or refused.detail)
            return
        await signals.first_reading(rt, connection_id, wait_s=FIRST_READING_S)
        await self._read_rows(user)

    @rx.event
    async def disconnect(self, source: str):
        """Take the grant back and forget what was read."""
        user = await self._user()
        left = await signals.leave(current(), user.user_id, text(source))
        await self._read_rows(user)
        name = next((row.name for row in self.rows if row.source == source), source)
        way = f"Disconnected from {name}." if left.is_revoked else f"Disconnected. Please remove oO in {name} yourself."
        return self._notice(f"{way} {unsent_in_words(left.unsent)}".strip())

    @rx.event
    async def choose(self, name: str, value: object):
        """Save one preference."""
        user = await self._user()
        if text(name) in TIMES and value == "":
            self.saved = "Not saved: a time is missing"
            return
        before, self.saved = self.saved, ""
        self._show(await accounts.choose(current(), user.user_id, **checked(name, value)))
        self.saved = "Saved again" if before == "Saved" else "Saved"  # another text each time, so that each is heard

    @rx.event
    async def delete_everything(self):
        """Erase the person, then leave by a full page load, so that nothing of them stays in the tab."""
        user = await self._user()
        self.is_leaving = True
        yield
        deleted = await ops.delete_everything(current(), user.user_id)
        said = {"left": 1, "remove": ",".join(deleted.not_told), "unsent": deleted.unsent}
        self.leave_to = f"/?{urlencode({name: value for name, value in said.items() if value})}"

    async def _read_rows(self, user: accounts.Caller) -> None:
        rt = current()
        waiting, refused = await signals.waiting(rt, user.user_id), await signals.refused(rt, user.user_id)
        self.rows = [
            drawn(view, waiting.get(view.source, 0), refused.get(view.source, 0), rt.clock.now())
            for view in await connections.overview(rt, user.user_id)
        ]
        self.has_source = any(row.is_connected for row in self.rows)

    def _show(self, chosen: accounts.Chosen) -> None:
        self.time_zone = chosen.time_zone or ""
        for name in SWITCHES | TIMES:
            setattr(self, name, getattr(chosen, name))


def drawn(view: connections.ConnectionView, waiting: int, refused: int, now: datetime) -> Row:
    """Return a source as the list draws it, with what it has not been told yet."""
    return Row(
        source=view.source,
        name=view.name,
        state=STATES[view.state],
        is_connected=view.state != "not_connected",
        needs_attention=view.state == "needs_attention",
        last_read=f"Last read {ago(view.last_read_at, now)}" if view.last_read_at else "",
        note=noted(view, waiting, refused),
        asks=view.asks,
    )


def noted(view: connections.ConnectionView, waiting: int, refused: int) -> str:
    """Say what is wrong with a source, and what it has not been told yet; with neither, what it is for."""
    if view.state == "not_connected":
        return view.about
    trouble = LOCKED_OUT if view.state == "needs_attention" else ""
    return f"{trouble} {waiting_in_words(waiting, refused, view.name)}".strip() or view.about


def waiting_in_words(waiting: int, refused: int, name: str) -> str:
    """Say how many completions a source has still to be told about, and how many it will not have."""
    on_the_way = f"{counted(waiting, 'completion')} {'is' if waiting == 1 else 'are'} waiting for {name}."
    never = (
        f"{name} refused {counted(refused, 'completion')}; please complete {'it' if refused == 1 else 'them'} there."
    )
    return " ".join(words for number, words in ((waiting, on_the_way), (refused, never)) if number)


def checked(name: str, value: object) -> dict[str, str | bool]:
    """Return one change of the preferences, or refuse: a handler can be called with anything."""
    match value:
        case bool() if name in SWITCHES:
            return {name: value}
        case str() if name in TIMES and is_time_of_day(value):
            return {name: value}
        case str() if name == "time_zone" and accounts.is_time_zone(value):
            return {name: value}
        case _:
            raise Invalid(MISFIT)


def is_time_of_day(text: str) -> bool:
    """Whether a text is `HH:MM`."""
    try:
        return f"{datetime.strptime(text, '%H:%M'):%H:%M}" == text  # noqa: DTZ007 -- a time of day has no zone
    except ValueError:
        return False
