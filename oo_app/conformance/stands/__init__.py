"""The stand-ins, one for each source: the only list of them."""

from oo_app.conformance.stand import Stand
from oo_app.conformance.stands import caldav, google_calendar, ical, todoist

STANDS: tuple[type[Stand], ...] = (todoist.STAND, google_calendar.STAND, ical.STAND, caldav.STAND)
