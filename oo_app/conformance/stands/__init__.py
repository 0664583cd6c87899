"""The stand-ins, one for each source: the only list of them."""

from oo_app.conformance.stand import Stand
from oo_app.conformance.stands import ical, todoist

STANDS: tuple[type[Stand], ...] = (todoist.STAND, ical.STAND)
