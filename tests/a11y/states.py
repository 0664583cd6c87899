"""Every state of every page, in the order in which one person comes through them."""

from collections.abc import Mapping, Sequence

from state.index import PROBLEMS
from tests.a11y import states_connect, states_tip
from tests.a11y.state import State, at

DOCS = "/api/docs"
DOOR = (
    State("plain", at("/", "Continue with Google")),
    *(State(f"problem {code}", at(f"/?error={code}", sentence)) for code, sentence in PROBLEMS.items()),
    State("left", at("/?left=1", "Everything is deleted.")),
    State("left with things to do", at("/?left=1&remove=todoist&unsent=3", "Please remove oO in Todoist yourself.")),
)
STATES: Mapping[str, Sequence[State]] = {
    "/": DOOR,
    "/connect": states_connect.STATES,
    "/tip": states_tip.STATES,
    "/legal/terms": (State("plain", at("/legal/terms", "What oO does")),),
    "/legal/privacy": (State("plain", at("/legal/privacy", "What oO keeps")),),
    "404": (State("plain", at("/nowhere", "There is nothing here.", is_missing=True)),),
    DOCS: (State("plain", at(DOCS, "oO API")),),
}
