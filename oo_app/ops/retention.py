"""What is kept for a time only: the one list of it. What learning rests on is not here: it stays with the account."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from oo_app import accounts, features, signals, tips
from oo_app.events import MirrorSkipped
from oo_app.kit import log
from oo_app.kit.errors import OoError, Unavailable
from oo_app.ops.backup import purge_key_backups
from oo_app.ops.upkeep import strike_all
from oo_app.runtime import Runtime

MOST_A_RUN = 10_000  # rows of a kind; what is left has its turn an hour later

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is dropped, after how long, and why no later; `purge` drops up to so many, in batches, and counts them."""

    name: str
    kept: str
    why: str
    purge: Callable[[Runtime, int], Awaitable[int]]


async def _facts(rt: Runtime, _most: int) -> int:
    purged = await rt.bus.purge(has_mirror=rt.mirror is not None)
    if purged.unmirrored:
        _log.warning("mirror.skipped", events=purged.unmirrored)
        rt.metrics.mirror_skipped.inc(purged.unmirrored)
        async with rt.db.begin() as tx:
            tx.emit(MirrorSkipped(purged.unmirrored))
    return purged.facts


async def _key_backups(rt: Runtime, _most: int) -> int:
    return purge_key_backups(rt.settings, rt.clock.now())


RULES: tuple[Rule, ...] = (
    Rule("sessions", "30 days unused, 90 in all", "who left a device is signed out there", accounts.purge_sessions),
    Rule("tokens", "90 days", "a program's access ends by itself", accounts.purge_tokens),
    Rule("round_trips", "10 minutes", "a sign-in that was not finished is none", accounts.purge_flows),
    Rule("facts", "30 days once handled and mirrored", "events can be looked at again for that long", _facts),
    Rule("runs", "30 days", "how the jobs went", lambda rt, most: rt.jobs.purge(most)),
    Rule("decision_details", "30 days", "a decision can be replayed for that long", tips.purge_details),
    Rule("deliveries", "7 days", "a webhook's body says no more than its reading", signals.purge_deliveries),
    Rule("past_events", "7 days", "what is over says nothing of free time", signals.purge_past_events),
    Rule("completions", "100 days", "habits are read from three months", signals.purge_completions),
    Rule("freshness", "90 days", "how fresh features were is compared over a quarter", features.purge_freshness),
    Rule("key_backups", "7 days", "with an older copy the deleted could be read", _key_backups),
)


async def purge(rt: Runtime) -> Mapping[str, int]:
    """Drop what has had its time; return how many of each. Runs every hour, and while others read and write.

    A rule that fails keeps no other from its turn; Unavailable, naming it, when all had theirs.
    """
    counts: dict[str, int] = {}
    failed: list[str] = []
    for rule in RULES:
        try:
            counts[rule.name] = await rule.purge(rt, MOST_A_RUN)
        except (OSError, SQLAlchemyError, OoError) as error:
            _log.warning("purge.failed", rule=rule.name, cause=type(error).__name__)
            failed.append(rule.name.replace("_", " "))
    await strike_all(rt)
    rt.vault.forget()
    if any(counts.values()):
        await rt.db.truncate_wal()
    if failed:
        msg = f"Not dropped, and tried again in an hour: {', '.join(failed)}. The rest was."
        raise Unavailable(msg)
    return counts
