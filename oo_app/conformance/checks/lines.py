"""Checks of bad lines: whatever happens on the way, nothing is lost, and the next reading mends it."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import product

import httpx

from oo_app import connections
from oo_app.conformance import faults
from oo_app.conformance.line import Fault, Pass, edited
from oo_app.conformance.stand import Lacking
from oo_app.conformance.trial import DoesNotApply, Failed, Trial

MOST_PLACES = 6  # requests of one reading at which a fault is put
MOST_ASKED = 60  # requests of one reading that meets nothing but refusals
ELSEWHERE = "http://elsewhere.test/"
WISH_S = 1000
HTML = b"<!doctype html><title>Sign in to the network</title><p>Please pay for the wireless network."
PATIENCE_S = 0.05
ODD = (None, 0, -1, 1e300, "", "x", True)


async def server_errors(trial: Trial) -> None:
    """5xx: nothing is lost, and the next reading mends it."""
    await _survives(trial, lambda: faults.answering(503, b"upstream is away"))
    await _survives(trial, lambda: faults.answering(500, b"{}", content_type="application/json"))


async def time_outs(trial: Trial) -> None:
    """Time-outs, before the other side heard anything or after it answered."""
    await _survives(trial, lambda: faults.raising(httpx.ReadTimeout))
    await _survives(trial, lambda: faults.raising(httpx.ReadTimeout, after=True))
    await _survives(trial, lambda: faults.raising(httpx.ConnectTimeout))


async def cut_connections(trial: Trial) -> None:
    """Connections that cannot be made, or break."""
    await _survives(trial, lambda: faults.raising(httpx.ConnectError))
    await _survives(trial, lambda: faults.raising(httpx.RemoteProtocolError, after=True))


async def silence(trial: Trial) -> None:
    """A server that takes the request and never answers holds nobody up for ever."""
    await _prepared(trial)
    trial.clock.patience_s = PATIENCE_S
    await _meets(trial, faults.hanging, "never an answer")
    trial.clock.patience_s = None
    await trial.read_well("after it answered again")


async def torn_answers(trial: Trial) -> None:
    """Answers that end in the middle are never taken for whole ones."""
    await _survives(trial, lambda: faults.editing(faults.half))


async def other_answers(trial: Trial) -> None:
    """200 with a page of HTML, as hotels and proxies send it, or with nothing at all."""
    await _survives(trial, lambda: faults.answering(200, HTML, content_type="text/html"))
    await _survives(trial, lambda: faults.answering(200))
    await _survives(trial, lambda: faults.answering(204))


async def endless_answers(trial: Trial) -> None:
    """Answers beyond 10 MB are not read to their end."""
    await _prepared(trial)
    await _meets(trial, faults.editing(faults.swollen), "an answer of 11 MB")
    await trial.read_well("after the answers were of their size again")


async def refusals(trial: Trial) -> None:
    """403, 404 and 410 for everything: refused is not empty, and nobody asks in circles."""
    for status in (403, 404, 410, 400):
        await _prepared(trial)
        await _meets(trial, faults.answering(status), f"{status} for everything")
        await trial.reads_anew(f"after {status} for everything")


async def redirects(trial: Trial) -> None:
    """A redirect to somebody else: the token, or the password, does not go along."""
    await _prepared(trial)
    before = len(trial.line.asked)
    await _meets(trial, faults.answering(302, location=ELSEWHERE), "a redirect to somebody else")
    for request in trial.line.asked[before:]:
        if request.url.host == httpx.URL(ELSEWHERE).host and "authorization" in request.headers:
            raise Failed("a redirect to somebody else: expected no Authorization there, saw one")
    await trial.reads_anew("after a redirect to somebody else")


async def rate_limit(trial: Trial) -> None:
    """429 with Retry-After: left alone for as long as it asked, and read again after that."""
    await _prepared(trial)
    asked = await trial.requests(faults.answering(429, retry_after=str(WISH_S)))
    if asked > MOST_PLACES:
        raise Failed(f"429 for everything: expected the reading to stop, saw {asked} requests")
    trial.clock.advance(timedelta(seconds=WISH_S - 10))
    early = await connections.claim_due(trial.rt, trial.source.name, 1)
    trial.clock.advance(timedelta(seconds=20))
    late = await connections.claim_due(trial.rt, trial.source.name, 1)
    if early or not late:
        when = "too early" if early else "never"
        raise Failed(f"429 with Retry-After: {WISH_S}: expected the next reading after that, saw it {when}")
    await trial.read_well("after the pause that was asked for")


async def unknown_fields(trial: Trial) -> None:
    """Fields, properties and elements that nobody has heard of change nothing."""
    await _makes_no_difference(trial, faults.with_unknown, "unknown fields")


async def doubled_rows(trial: Trial) -> None:
    """Rows that are sent twice are there once."""
    await _makes_no_difference(trial, faults.doubled, "each row twice")


async def any_order(trial: Trial) -> None:
    """Rows in another order are the same rows."""
    await _makes_no_difference(trial, faults.turned_round, "the rows in the opposite order")


async def odd_values(trial: Trial) -> None:
    """Values of the wrong type in every field: no crash, and right again with the next good answer."""
    seen = _Seen()
    for value in ODD:
        await _prepared(trial)
        await trial.requests(faults.editing(seen.by(faults.odd(value))))
        await trial.reads_anew(f"after {value!r} in every field")
    seen.must_have_edited("its answers are not JSON")


async def _prepared(trial: Trial) -> None:
    """Have something read, and something changed there since, so that there is news to lose."""
    if not trial.connection_id:
        try:
            if not await trial.stand.there():
                await trial.stand.add_many([f"quokka row {number}" for number in range(2 * trial.stand.page + 1)])
        except Lacking as lacking:
            if lacking.reason is None:
                raise
        await trial.connect()
        await trial.read_well("before anything went wrong")
    await _change_something(trial)


async def _change_something(trial: Trial) -> None:
    try:
        await trial.stand.add(f"quokka news {len(trial.line.asked)}")
    except Lacking as lacking:
        if lacking.reason is None:
            raise


async def _survives(trial: Trial, make: Callable[[], Fault]) -> None:
    """Put a fault on every request of a reading, from each on, and on each one alone; of changes, and of everything."""
    await _prepared(trial)
    for is_anew in (False, True):
        if is_anew:
            await trial.connect()
        places = min(await trial.requests(), MOST_PLACES)
        for place, is_alone in product(range(places), (False, True)):
            await _change_something(trial)
            if is_anew:
                await trial.connect()
            fault = faults.at(place, make()) if is_alone else faults.since(place, make())
            await _meets(trial, fault, f"request {place + 1} of {places} failing")
            await trial.read_well(f"after request {place + 1} of {places} had failed")


async def _meets(trial: Trial, fault: Fault, what: str) -> None:
    """Read through a fault: a reading that counts is whole, one that does not leaves what was held."""
    before, asked = Counter(await trial.held()), len(trial.line.asked)
    trial.line.fault = fault
    try:
        is_read = await trial.read()
    finally:
        trial.line.fault = None
    if len(trial.line.asked) - asked > MOST_ASKED:
        raise Failed(f"{what}: expected the reading to stop, saw {len(trial.line.asked) - asked} requests")
    if is_read:
        await trial.holds_the_truth(f"{what}, in a reading that counted as good")
    elif lost := before - Counter(await trial.held()):
        raise Failed(f"{what}: expected all that was held before to stay, saw {lost.total()} gone")


class _Seen:
    """Notes whether an edit found anything to change."""

    def __init__(self) -> None:
        self.has_edited = False

    def by(self, edit: faults.Edit) -> faults.Edit:
        def noting(body: bytes, kind: str) -> bytes:
            changed = edit(body, kind)
            self.has_edited |= changed != body
            return changed

        return noting

    def must_have_edited(self, otherwise: str) -> None:
        if not self.has_edited:
            raise DoesNotApply(otherwise)


async def _makes_no_difference(trial: Trial, edit: faults.Edit, what: str) -> None:
    seen = _Seen()
    await _prepared(trial)
    for is_anew in (False, True):
        if is_anew:
            await trial.connect()
        await _change_something(trial)
        trial.line.fault = faults.editing(seen.by(edit))
        await trial.read_well(what)
        trial.line.fault = None
        await trial.read_well(f"after {what}")
    seen.must_have_edited("its answers hold nothing of the kind")


async def older_answers(trial: Trial) -> None:
    """An older answer after a newer one, as from a copy that lags behind: right again with the next good answer."""
    await _prepared(trial)
    name = await trial.stand.add("quokka before")
    kept: list[httpx.Response] = []

    async def keeping(request: httpx.Request, passed: Pass) -> httpx.Response:
        kept.append(await passed())
        return kept[-1]

    await trial.requests(keeping)
    trial.clock.advance(timedelta(minutes=5))
    await trial.stand.change(name, "quokka after")
    await trial.read_well("a change")
    replayed = iter(kept)

    async def replaying(request: httpx.Request, passed: Pass) -> httpx.Response:
        old = next(replayed, None)
        return await passed() if old is None else edited(old, old.content)

    await trial.requests(replaying)
    if "quokka before" in await trial.held() and _tells_changes(await trial.rows("item")):
        raise Failed("an older answer after a newer one: expected the newer words to stay, saw the older ones")
    await trial.read_well("after an older answer")


def _tells_changes(items: list[dict[str, object]]) -> bool:
    """Whether the source tells when each item last changed, so that older news can be told from newer."""
    return bool(items) and all(row["changed_at"] for row in items)
