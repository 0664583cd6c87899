"""The one tip: showing it, answering it, taking the answer back."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import reflex as rx

from oo_app import accounts, connections, tips
from oo_app.kit.errors import Conflict, Invalid, NotFound
from oo_app.runtime import current
from state.base import MISFIT, AppState, text, text_or_none, whole_or_none
from state.words import ago, counted, due_in_words

SILENCES = {
    "no_source": "Connect an app with your tasks, and oO will show you one thing at a time.",
    "nothing_suitable": "Nothing needs you right now.",
    "resting": "oO is resting until you wake it.",
}
JUST_NOW = timedelta(minutes=1)
UNDO_S = 5  # how long the style sheet shows it
NOTED = "Noted. A quiet note will come once oO can send one; Settings takes it back."
UNREAD = "Your tasks could not be read yet."
KINDS = {"task": "Task", "advice": "Advice", "insight": "Insight", "reminder": "Reminder"}
LONGEST_ID = 36
ANSWERED = 4  # answers in one breath are told of together
LENGTHS = ((48, "short"), (100, "medium"), (sys.maxsize, "long"))


@dataclass(frozen=True, slots=True)
class Card:
    """A tip as it is drawn."""

    impression_id: str = ""
    kind: str = ""
    kind_name: str = ""
    content: str = ""
    size: str = ""
    detail: str = ""
    source: str = ""
    source_url: str = ""
    due: str = ""
    why: str = ""


class TipState(AppState):
    """Either a card or a silence; before the first answer neither."""

    card: Card = Card()
    silence: str = ""
    sentence: str = ""
    undoable: str = ""
    undo_reaction: str = ""
    undo_since: int = 0
    answered: str = ""
    person: str = ""
    now_ms: int = 0
    asks_to_notify: bool = False
    _zone: str = "UTC"

    @rx.event
    async def load(self):
        """Show the open tip, or the next one."""
        user = await self._user()
        self.person, self.now_ms = user.user_id, int(current().clock.now().timestamp() * 1000)
        chosen = await self._chosen(user)
        self._zone, self.asks_to_notify = chosen.zone.key, not chosen.has_decided_notify
        self._show(await tips.recommend(current(), user.user_id, "web"))
        self._offer(await tips.undoable(current(), user.user_id))
        await self._tell_unread(user)

    @rx.event
    async def look_again(self):
        """Ask once more after a silence, and say so when it stays."""
        user = await self._user()
        self._show(await tips.recommend(current(), user.user_id, "web"))
        await self._tell_unread(user)
        return self._notice("Still nothing.") if self.silence else None

    @rx.event
    async def wake(self):
        """End the rest that the person chose."""
        user = await self._user()
        await accounts.choose(current(), user.user_id, paused=False)
        self._show(await tips.recommend(current(), user.user_id, "web"))

    @rx.event
    async def notify_me(self):
        """Keep the wish to be told when something matters."""
        user = await self._user()
        await accounts.choose(current(), user.user_id, notify=True)
        self.asks_to_notify = False
        return self._notice(NOTED)

    @rx.event
    async def see(self, impression_id: str):
        """Note that a tip has been on a visible page for a second."""
        user = await self._user()
        await tips.mark_seen(current(), user.user_id, text(impression_id))

    @rx.event
    async def react(self, impression_id: str, action: str, said: object = None, snooze: str | None = None):
        """Answer the tip and show the next one in the same delta; what the browser said of the answer is checked."""
        user = await self._user()
        noted = Noted.read(said)
        notice = None
        try:
            await tips.react(
                current(),
                user.user_id,
                text(impression_id),
                text(action),
                dwell_ms=noted.dwell_ms,
                snooze=text_or_none(snooze),
                reaction_id=noted.reaction_id,
                reacted_at=noted.reacted_at,
            )
            self.undoable, self.undo_since = "" if action == "undo" else impression_id, 0
            self.undo_reaction = noted.reaction_id or ""
        except (Conflict, NotFound):
            self.undoable = ""
            notice = self._notice("Too late to undo." if action == "undo" else "Already answered.")
        self.answered = " ".join([*self.answered.split(), noted.id][-ANSWERED:])
        self._show(await tips.recommend(current(), user.user_id, "web"))
        return notice

    def _offer(self, answer: tips.Undoable | None) -> None:
        """Offer to take an answer back for what is left of five seconds; not where its source has gone."""
        since = math.ceil(answer.age.total_seconds()) if answer else 0
        is_offered = answer is not None and since < UNDO_S and self.silence != "no_source"
        self.undoable, self.undo_since = (answer.impression_id if answer and is_offered else "", since)
        self.undo_reaction = (answer.reaction_id if answer else None) or ""

    async def _tell_unread(self, user: accounts.Caller) -> None:
        """Say that nothing could be read rather than that nothing is there, and of a tip that its source is locked."""
        if self.silence not in {"", "nothing_suitable"}:
            return
        known = await connections.readings(current(), user.user_id)
        if self.silence and all(reading.last_read_at is None for reading in known):
            self.sentence = UNREAD
        names = connections.sources_by_name()
        if self.card.source in {names[reading.source].title for reading in known if reading.needs_attention}:
            self.card = replace(self.card, source=f"{self.card.source}, which needs attention")

    def _show(self, answer: tips.Served | tips.Nothing) -> None:
        if isinstance(answer, tips.Nothing):
            self.card, self.silence, self.sentence = Card(), answer.reason, SILENCES[answer.reason]
        else:
            self.card, self.silence, self.sentence = drawn(answer, self._zone), "", ""


@dataclass(frozen=True, slots=True)
class Noted:
    """What a browser wrote down about an answer (tip.js): a name to acknowledge it by, and its part of a reaction."""

    id: str = ""
    dwell_ms: int | None = None
    reaction_id: str | None = None
    reacted_at: datetime | None = None

    @classmethod
    def read(cls, said: object) -> "Noted":
        """Check every part, since a client can send anything; a page without tip.js says nothing."""
        if said is None:
            return cls()
        if not isinstance(said, Mapping):
            raise Invalid(MISFIT)
        parts = cast("Mapping[str, Any]", said)
        name = text(parts.get("id", ""))
        if len(name) > LONGEST_ID or not name.isascii():
            raise Invalid(MISFIT)
        return cls(
            id=name,
            dwell_ms=whole_or_none(parts.get("dwell_ms")),
            reaction_id=text_or_none(parts.get("reaction_id")),
            reacted_at=moment_or_none(parts.get("reacted_at")),
        )


def moment_or_none(value: object) -> datetime | None:
    """Return an argument that has to be a time or nothing."""
    try:
        return None if value is None else datetime.fromisoformat(text(value))
    except ValueError as error:
        raise Invalid(MISFIT) from error


def drawn(served: tips.Served, zone: str) -> Card:
    """Return a served tip as the page draws it."""
    tip = served.tip
    source = connections.sources_by_name().get(tip.source)
    return Card(
        impression_id=tip.impression_id,
        kind=tip.kind,
        kind_name=KINDS.get(tip.kind, "Tip"),
        content=tip.content,
        size=size(tip.content),
        detail=tip.detail or "",
        source=source.title if source else "",
        source_url=tip.source_url if tip.source_url and tip.source_url.startswith(safe_links()) else "",
        due=due_in_words(tip.due, current().clock.now(), ZoneInfo(zone)),
        why=why(served, current().clock.now()),
    )


def safe_links() -> tuple[str, ...]:
    """Return how the address of a link may begin: never with a script."""
    return ("https://", f"{current().settings.sandbox_url}/sandbox/")


def size(content: str) -> str:
    """Return how large a text may be drawn: `short`, `medium` or `long`."""
    return next(name for most, name in LENGTHS if len(content) <= most)


def why(served: tips.Served, now: datetime) -> str:
    """Say how the tip was chosen, and from what that had not been read for too long; no more than is true."""
    if served.candidates == 1:
        chosen = "It was the only thing open to choose from."
    else:
        chosen = f"Chosen by chance from your {counted(served.candidates, 'open task')}."
    return " ".join([chosen, *(_told_late(late, served.served_at, now) for late in served.stale)])


def _told_late(late: tips.Late, served_at: datetime, now: datetime) -> str:
    """Say when a source had last been read: as seen from now while that is when the tip was chosen."""
    source = connections.sources_by_name().get(late.source)
    name = source.title if source else "One of your apps"
    if late.age is None:
        return f"{name} had not been read yet."
    told = ago(served_at - late.age, served_at)
    if now - served_at < JUST_NOW:
        return f"{name} was last read {told}."
    return f"{name} had last been read {told.removesuffix(' ago')} before."
