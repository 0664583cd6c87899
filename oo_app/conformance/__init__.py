"""The conformance kit: what every source must do, tried against a stand-in for its server."""

from oo_app.conformance.checks import CHECKS, Check
from oo_app.conformance.examine import Verdict, chosen, examine, find, names, prepare, stand_for, tried
from oo_app.conformance.stand import ADDRESS, Lacking, Stand
from oo_app.conformance.stands import STANDS

__all__ = [
    "ADDRESS",
    "CHECKS",
    "STANDS",
    "Check",
    "Lacking",
    "Stand",
    "Verdict",
    "chosen",
    "examine",
    "find",
    "names",
    "prepare",
    "stand_for",
    "tried",
]
