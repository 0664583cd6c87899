"""The door: who may sign in how, and what went wrong on the way."""

import reflex as rx

from oo_app import accounts, connections
from oo_app.runtime import current
from state.base import AppState
from state.words import unsent_in_words

PROBLEMS = {
    "denied": "Sign-in was cancelled, so nothing has changed.",
    "expired": "That took a little long. Please sign in again.",
    "mismatch": "That sign-in did not start in this browser. Please sign in again.",
    "untrusted": "The answer could not be trusted. Please sign in again.",
    "unverified": "Your address is not verified there yet. Please verify it, then sign in again.",
    "keyless": "Your account cannot be opened here just now. Please tell whoever runs this oO.",
    "unavailable": "That sign-in cannot be reached just now. Please try again in a moment.",
    "busy": "That was a little often. Please wait a minute, then sign in again.",
    "unknown": "Signing in did not work. Please try again.",
}
DELETED = "Everything is deleted."
LONGEST_NUMBER = 4


class IndexState(AppState):
    """What the door says; it shows the ways in before this arrives."""

    has_google: bool = True
    has_apple: bool = True
    problem: str = ""
    farewell: str = ""

    @rx.event
    async def load(self):
        """Send somebody who is signed in on; tell everybody else what happened. Open to all: see tests/house."""
        visitor = await self._visitor()
        rt = current()
        if visitor is not None:
            return rx.redirect("/tip" if await connections.has_any(rt, visitor.user_id) else "/connect", replace=True)
        self.has_google = accounts.is_available(rt.settings, "google")
        self.has_apple = accounts.is_available(rt.settings, "apple")
        query = self.router.url.query_parameters
        self.problem = explained(query.get("error"))
        self.farewell = farewell(query.get("remove", ""), query.get("unsent", "")) if query.get("left") else ""
        return None


def explained(code: str | None) -> str:
    """Return the sentence for a code in the address; a code that is made up reads as unknown."""
    return PROBLEMS.get(code, PROBLEMS["unknown"]) if code else ""


def farewell(remove: str, unsent: str) -> str:
    """Say that everything is gone, what stayed undone, and which sources a person has to remove oO from themselves."""
    asked = remove.lower().split(",")
    known = [*((each.name, each.title) for each in connections.sources_by_name().values()), *accounts.TITLES.items()]
    titles = [title for name, title in known if {name, title.lower()} & {*asked}]
    removal = f"Please remove oO in {' and '.join(titles)} yourself." if titles else ""
    undone = unsent_in_words(int(unsent)) if unsent.isdecimal() and len(unsent) <= LONGEST_NUMBER else ""
    return " ".join(sentence for sentence in (DELETED, removal, undone) if sentence)
