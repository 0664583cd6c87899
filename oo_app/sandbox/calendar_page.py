"""The small page of the sandbox's calendar: see an account's next week, add, move and cancel."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from itertools import groupby
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from oo_app.kit.clock import Clock
from oo_app.sandbox.calendar_channels import Channels
from oo_app.sandbox.calendar_errors import invalid
from oo_app.sandbox.calendar_model import Occurrence, Span, local_day, moment
from oo_app.sandbox.calendar_store import Account, Store
from oo_app.sandbox.pages import page

ACCOUNTS = ("ada", "ben", "new")
SHOWN = timedelta(days=7)
LONGEST_TITLE = 500
MOST_MINUTES = 7 * 24 * 60
DEEDS = (("hour", "An hour later"), ("day", "A day later"), ("cancel", "Cancel"))


class CalendarPage:
    """GET shows, POST changes and comes back. There is no login: the account stands in the address."""

    def __init__(self, addresses: tuple[str, str], clock: Clock, store: Store, channels: Channels) -> None:
        """Change accounts, and have the channels tell of it; `addresses` are the app's and our own."""
        self._app_url, self._own_url = addresses
        self._clock = clock
        self._store = store
        self._channels = channels

    def routes(self) -> Sequence[Route]:
        """Return the routes below /sandbox/calendar."""
        return (
            Route("/", self._show, methods=["GET"]),
            Route("/", self._change, methods=["POST"]),
        )

    async def _show(self, request: Request) -> Response:
        account = self._account(request)
        now = self._clock.now()
        feed = f"{self._own_url}/sandbox/calendar/{account.name}/basic.ics"
        body = (
            _account_form(account)
            + f'<p>The same as a calendar feed, to be connected by its address: <a href="{escape(feed)}">'
            + f"{escape(feed)}</a></p>"
            + _add_form(now.astimezone(ZoneInfo(account.zone)))
            + _list([each for each in account.occurrences(now, now + SHOWN) if each.span is not None], account)
        )
        return page("Google Calendar, played by the sandbox", body, posts_to=self._app_url)

    async def _change(self, request: Request) -> Response:
        account = self._account(request)
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        if "hour" in form:
            account.move(form["hour"], timedelta(hours=1))
        elif "day" in form:
            account.move(form["day"], timedelta(days=1))
        elif "cancel" in form:
            account.cancel(form["cancel"])
        elif "series" in form:
            account.cancel_series(form["series"])
        else:
            _add(account, form)
        query = urlencode({"account": account.name})
        return RedirectResponse(f"?{query}", 303, background=BackgroundTask(self._channels.tell, account))

    def _account(self, request: Request) -> Account:
        return self._store.account(request.query_params.get("account", ACCOUNTS[0]))


def _add(account: Account, form: dict[str, str]) -> None:
    summary, minutes = form.get("summary", "").strip(), form.get("minutes", "")
    if not summary or len(summary) > LONGEST_TITLE or not (minutes.isascii() and minutes.isdecimal()):
        raise invalid("An entry needs a title, a beginning and a length")
    try:
        start = datetime.fromisoformat(form.get("start", "")).replace(tzinfo=ZoneInfo(account.zone))
    except ValueError as error:
        raise invalid("That is no time") from error
    end = moment(start, account.zone) + timedelta(minutes=min(int(minutes), MOST_MINUTES))
    account.add(summary, Span(start, end), is_free="free" in form)


def _account_form(account: Account) -> str:
    names = dict.fromkeys((*ACCOUNTS, account.name))
    options = "".join(
        f'<option value="{escape(name)}"{" selected" if name == account.name else ""}>{escape(name)}</option>'
        for name in names
    )
    return (
        '<form method="get"><label for="account">Account</label>'
        f'<select id="account" name="account">{options}</select><button>Show</button></form>'
    )


def _add_form(now: datetime) -> str:
    soon = (now + timedelta(hours=1)).replace(minute=0)
    return (
        '<form method="post"><label for="summary">New entry</label>'
        f'<input id="summary" name="summary" required maxlength="{LONGEST_TITLE}" autocomplete="off">'
        '<label for="start">Begins</label>'
        f'<input id="start" name="start" type="datetime-local" required value="{soon:%Y-%m-%dT%H:%M}">'
        '<label for="minutes">Minutes</label>'
        f'<input id="minutes" name="minutes" type="number" min="0" max="{MOST_MINUTES}" required value="30">'
        '<label><input type="checkbox" name="free" value="1"> Leaves the time free</label>'
        "<button>Add entry</button></form>"
    )


def _list(found: Sequence[Occurrence], account: Account) -> str:
    if not found:
        return "<p>No entries.</p>"
    days = groupby(found, key=lambda each: local_day(each.span.start if each.span else each.original, account.zone))
    parts = [(day, "".join(_row(each, account) for each in entries)) for day, entries in days]
    lists = "".join(f"<h2>{day:%A, %d %B}</h2><ul>{rows}</ul>" for day, rows in parts)
    return f'<form method="post">{lists}</form>'


def _row(each: Occurrence, account: Account) -> str:
    title = escape(each.of.summary)
    deeds = DEEDS if not each.of.weekdays else (*DEEDS, ("series", "Cancel all"))
    if each.span is not None and each.span.is_all_day:
        deeds = tuple(deed for deed in deeds if deed[0] != "hour")
    buttons = "".join(
        f'<button name="{name}" value="{escape(each.id)}" aria-label="{words}: {title}">{words}</button>'
        for name, words in deeds
    )
    facts = escape(_facts(each, account))
    return f'<li class="entry"><span>{title}<small>{facts}</small></span><span class="deeds">{buttons}</span></li>'


def _facts(each: Occurrence, account: Account) -> str:
    of, facts = each.of, [_when(each, account)]
    if of.weekdays:
        facts.append("repeats")
    if of.response:
        facts.append(of.response)
    elif of.is_tentative:
        facts.append("tentative")
    if of.event_type != "default":
        facts.append(of.event_type)
    if of.is_free:
        facts.append("free")
    return " · ".join(facts)


def _when(each: Occurrence, account: Account) -> str:
    span = each.span
    if span is None or span.is_all_day:
        return "all day"
    zone = ZoneInfo(account.zone)
    start, end = (moment(when, account.zone).astimezone(zone) for when in (span.start, span.end))
    return f"{start:%H:%M}–{end:%H:%M}"
