"""The heart: one tip, one reaction, its reward."""

from oo_app.events import Action, Surface
from oo_app.features import Late
from oo_app.tips.credit import credit
from oo_app.tips.expiry import end_gone, settle
from oo_app.tips.quality import note_freshness
from oo_app.tips.react import SNOOZES, react, undoable
from oo_app.tips.recommend import mark_seen, recommend
from oo_app.tips.replay import Replayed, replay
from oo_app.tips.results import ACTIONS, Nothing, Outcome, Reason, Served, Snooze, Tip, Undoable
from oo_app.tips.retention import purge_details

__all__ = [
    "ACTIONS",
    "SNOOZES",
    "Action",
    "Late",
    "Nothing",
    "Outcome",
    "Reason",
    "Replayed",
    "Served",
    "Snooze",
    "Surface",
    "Tip",
    "Undoable",
    "credit",
    "end_gone",
    "mark_seen",
    "note_freshness",
    "purge_details",
    "react",
    "recommend",
    "replay",
    "settle",
    "undoable",
]
