"""Each event of a page: counted against the limits, timed, and told in one line. Ids and names only."""

import asyncio
from contextvars import ContextVar
from time import perf_counter

import structlog
from reflex.event import Event
from reflex_base.event.context import EventContext

from oo_app.kit import log
from oo_app.kit.errors import Refused, TooMany, Unavailable
from oo_app.kit.ids import new_id
from oo_app.runtime import current

# What the pages' own machinery sends when one is opened or left; it changes nothing that is kept.
READS = frozenset({"hydrate", "hydrate_and_load", "on_load_internal", "set_is_hydrated", "update_vars_internal"})

logger = log.get(__name__)
_facts: ContextVar[dict[str, str] | None] = ContextVar("facts of the event", default=None)


def limit(event: Event, *, address: str, session: str) -> None:
    """Count what a client sent: a request of its address, and mostly a change by its session. TooMany at the end.

    A page's own loading is no change, and what a handler sets off by itself was counted with what set it off.
    A session that is none is held by its address, under which every event counts.
    """
    if not is_sent_by_client():
        return
    rt = current()
    try:
        rt.limits.request(address)
        if session and event.name.rpartition(".")[2] not in READS:
            rt.limits.write(session)
    except TooMany:
        rt.metrics.limited.labels("event").inc()
        raise


def watch(event: Event) -> None:
    """Have the event that this task handles counted and told of once the task ends."""
    handler, began, facts = handler_name(event), perf_counter(), dict[str, str]()
    event_id = new_id(current().clock.now())
    structlog.contextvars.bind_contextvars(event_id=event_id)
    _facts.set(facts)

    def tell(task: "asyncio.Task[object]") -> None:
        seconds, outcome = perf_counter() - began, outcome_of(task)
        current().metrics.socket_events.labels(handler, outcome).observe(seconds)
        logger.info("event", handler=handler, outcome=outcome, duration_ms=round(seconds * 1000, 1), **facts)

    if (task := asyncio.current_task()) is not None:
        task.add_done_callback(tell)


def note_user(user_id: str) -> None:
    """Name the person whose event this is, by id, in the line that tells of it."""
    facts = _facts.get()
    if facts is not None:
        facts["user_id"] = user_id


def handler_name(event: Event) -> str:
    """Return `tip_state.react` for Reflex's longer name of it; only names of real handlers come this far."""
    state, _, name = event.name.rpartition(".")
    return f"{state.rpartition('.')[2].rpartition('____')[2]}.{name}"


def outcome_of(task: "asyncio.Task[object]") -> str:
    """Return how a handler ended, in one word."""
    if task.cancelled():
        return "cancelled"
    match task.exception():
        case None:
            return "done"
        case Refused():
            return "refused"
        case Unavailable():
            return "unavailable"
        case _:
            return "failed"


def is_sent_by_client() -> bool:
    """Whether nothing here set the event off."""
    try:
        return EventContext.get().parent_txid is None
    except LookupError:
        return True
