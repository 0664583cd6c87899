"""Checks of what is read: all of it, once, as it is there, however much and in whatever script."""

from contextlib import suppress
from datetime import datetime, timedelta
from time import perf_counter
from uuid import UUID

import httpx

from oo_app import connections
from oo_app.conformance import faults
from oo_app.conformance.line import Pass
from oo_app.conformance.trial import DoesNotApply, Failed, Trial
from oo_app.connections import Held
from oo_app.events import CalendarSynced, TasksSynced
from oo_app.kit.errors import SourceDown
from oo_app.kit.ids import new_id
from oo_app.sources import Door, Pull

MANY = 10_000
LONGEST_NAME, LONGEST_URL = 255, 500
MARKER = "quokka-marker"
SCRIPTS = (
    "quokka é ü ß ñ å",
    "quokka e\u0301 (in two parts)",
    "quokka 買い物 쇼핑 खरीदारी",
    "quokka \u05e7\u05e0\u05d9\u05d5\u05ea \u0634\u0631\u0627\u0621",
    "quokka 👩‍👩‍👧‍👦 🏳️‍🌈 🂡",
    "quokka \u202eright to left\u202c",
    'quokka & <b>"quoted"</b> \\ ; , : %00 \'',
)
SKEWS = (timedelta(hours=1), timedelta(hours=-1))


async def everything(trial: Trial) -> None:
    """The first reading holds all that is there, and reading again changes and tells nothing."""
    await trial.stand.add_many([f"quokka {number}" for number in range(25)])
    await trial.connect()
    await trial.read_well("the first reading")
    told = await _synced(trial)
    await trial.read_well("the second reading")
    if (again := await _synced(trial)) != told:
        raise Failed(f"reading again with nothing new: expected no news, saw {again - told} more events")


async def changes(trial: Trial) -> None:
    """What is added, changed and removed there is so here after the next reading."""
    changed = await trial.stand.add("quokka old words")
    removed = await trial.stand.add("quokka soon gone")
    await trial.connect()
    await trial.read_well("the first reading")
    trial.clock.advance(timedelta(minutes=10))
    await trial.stand.add("quokka new")
    await trial.stand.change(changed, "quokka new words")
    await trial.stand.remove(removed)
    await trial.read_well("after something was added, changed and removed")
    if told := await trial.completions():
        raise Failed(f"something removed: expected no completion, saw {told}")


async def nothing(trial: Trial) -> None:
    """An empty account is read as such, and the first thing in it is found."""
    await trial.connect()
    await trial.read_well("an empty account")
    await trial.stand.add("quokka first")
    await trial.read_well("the first thing in an empty account")


async def paging(trial: Trial) -> None:
    """Pages that end exactly, one short and one beyond: no row is lost at the seams."""
    page, count = trial.stand.page, 0
    await trial.connect()
    for more in (page - 1, 1, 1, page - 1, page + 1):
        await trial.stand.add_many([f"quokka row {number}" for number in range(count, count + more)])
        count += more
        await trial.read_well(f"{count} rows with pages of {page}")
        await trial.reads_anew(f"{count} rows with pages of {page}, from the start")


async def many(trial: Trial) -> str:
    """10,000 things are read in full, and read again with one more."""
    await trial.stand.add_many([f"quokka row {number}" for number in range(MANY)])
    await trial.connect()
    began = perf_counter()
    if not await trial.read():
        raise Failed(f"{MANY} things: expected a reading, but it failed ({await trial.trouble()})")
    took = perf_counter() - began
    held, there = await trial.held(), await trial.truth()
    expected = min(len(there), trial.stand.most or MANY)
    if len(held) != expected or len(set(held)) != expected or not set(held) <= set(there):
        raise Failed(f"{MANY} things: expected {expected} of them, saw {len(held)} ({len(set(held))} different ones)")
    if trial.stand.most is None:
        await trial.stand.add("quokka one more")
        await trial.read_well(f"one more than {MANY}")
    return f"{len(held)} in {took:.1f} s, {len(held) / took:,.0f}/s"


async def unicode(trial: Trial) -> None:
    """Every script comes through unchanged; half characters and NUL spoil nothing but themselves."""
    await trial.stand.add_many([*SCRIPTS, f"quokka {MARKER} one"])
    await trial.connect()
    await trial.read_well("words in many scripts")
    for in_json, elsewhere in ((rb"\ud83d", b"\xff\xfe"), (rb"\u0000", b"\x00")):
        await trial.connect()
        trial.line.fault = faults.editing(faults.replacing(MARKER, in_json, elsewhere))
        if not await trial.read():
            raise Failed(f"{in_json!r} in one word: expected a reading, but it failed ({await trial.trouble()})")
        trial.line.fault = None
        if missing := {*SCRIPTS} - {*await trial.held()}:
            raise Failed(f"{in_json!r} in one word: expected the others as they are, saw {len(missing)} missing")
    await trial.reads_anew("after half characters")


async def facts(trial: Trial) -> None:
    """A reading is told as the contract writes it: names and addresses that fit, aware times, a cursor, kinds kept."""
    await trial.stand.add_many(["quokka one", "quokka two"])
    await trial.connect()
    pulls: list[Pull] = []

    async def pull(door: Door, connection: Held) -> None:
        first = await trial.source.pull(door, None)
        pulls.extend((first, await trial.source.pull(door, first.cursor)))

    await connections.with_access(trial.rt, trial.connection_id, pull)
    problems = [problem for pull in pulls for problem in _problems(trial, pull)]
    if not pulls[0].is_full:
        problems.append("a reading without a cursor is full, this one was not")
    if problems:
        raise Failed(f"the contract: {'; '.join(sorted(set(problems)))}")


def _problems(trial: Trial, pull: Pull) -> list[str]:
    names = [each.external_id for each in (*pull.items, *pull.events, *pull.completions, *pull.history)]
    moments: list[datetime | None] = [each.at for each in (*pull.completions, *pull.history)]
    for item in pull.items:
        moments += [item.due.at, item.created_at, item.changed_at, item.completed_at]
    for event in pull.events:
        moments += [event.starts_at, event.ends_at]
    urls = [item.url for item in pull.items if item.url is not None]
    told = {
        "every name has 1 to 255 characters": all(0 < len(name) <= LONGEST_NAME for name in names),
        "every time has an offset": all(at is None or at.tzinfo is not None for at in moments),
        "an address begins with http and has at most 500 characters": all(
            url.startswith(("http://", "https://")) and len(url) <= LONGEST_URL for url in urls
        ),
        "the cursor is a text": isinstance(pull.cursor, str),  # pyright: ignore[reportUnnecessaryIsInstance]
        "tasks come from a source of tasks": not pull.items or "task" in trial.source.kinds,
        "events come from a source of events": not pull.events or "event" in trial.source.kinds,
        "who receives webhooks says whose account it is": not (
            trial.source.has_webhooks and not trial.source.has_channels and pull.is_full and pull.owner is None
        ),
    }
    return [problem for problem, holds in told.items() if not holds]


async def completion(trial: Trial) -> None:
    """Something completed there is closed here and told once, however often it is read."""
    trial.only_with("task")
    done = await trial.stand.add("quokka done there")
    await trial.stand.add("quokka still open")
    await trial.connect()
    await trial.read_well("the first reading")
    trial.clock.advance(timedelta(minutes=10))
    await trial.stand.complete(done)
    for _ in range(2):
        await trial.read_well("after something was completed there")
    await trial.reads_anew("after something was completed there")
    await _told_once(trial, 1, "something completed there")


async def recurrence(trial: Trial) -> None:
    """What repeats stays open when it is done, and each time counts once."""
    trial.only_with("task")
    name = await trial.stand.add("quokka every day", repeats=True)
    await trial.connect()
    await trial.read_well("the first reading")
    for count in (1, 2):
        trial.clock.advance(timedelta(days=1))
        await trial.stand.complete(name)
        await trial.read_well("after a time of what repeats was done")
        await trial.read_well("after a time of what repeats was done, read again")
        await _told_once(trial, count, "a time of what repeats done there")


async def completing(trial: Trial) -> None:
    """Done in oO is done there, once a command, also when the answer is lost; what is gone counts as done."""
    trial.only_with("task")
    await trial.stand.add("quokka to be done")
    await trial.connect()
    await trial.read_well("the first reading")
    (row,) = await trial.rows("item")
    if not row["is_completable"]:
        raise DoesNotApply("what it has cannot be completed from here")
    await _complete_twice(trial, row["external_id"])
    if left := await trial.truth():
        raise Failed(f"done in oO: expected it done there, saw it open: {left}")
    await trial.read_well("after it was done in oO")
    gone = await trial.stand.add("quokka gone meanwhile")
    await trial.read_well("with something else")
    (row,) = [row for row in await trial.rows("item") if row["is_open"]]
    await trial.stand.remove(gone)
    await _complete_twice(trial, row["external_id"])
    await trial.read_well("after something that was gone was done in oO")


async def completing_once(trial: Trial) -> None:
    """Done in oO for what repeats is one time of it, also when the answer is lost and the command sent again."""
    trial.only_with("task")
    await trial.stand.add("quokka every day", repeats=True)
    await trial.connect()
    await trial.read_well("the first reading")
    (row,) = await trial.rows("item")
    if not row["is_completable"]:
        raise DoesNotApply("what it has cannot be completed from here")
    trial.clock.advance(timedelta(minutes=10))
    await _complete_twice(trial, row["external_id"])
    await trial.read_well("after a time of what repeats was done in oO")
    await _told_once(trial, 1, "one command for what repeats, sent twice")


async def changes_meanwhile(trial: Trial) -> None:
    """What changes while the pages are turned is there with the next reading."""
    names = [await trial.stand.add(f"quokka row {number}") for number in range(2 * trial.stand.page)]
    await trial.connect()
    answered = 0

    async def meanwhile(request: httpx.Request, passed: Pass) -> httpx.Response:
        nonlocal answered
        answer = await passed()
        answered += 1
        if answered == 1:
            await trial.stand.change(names[0], "quokka changed meanwhile")
            await trial.stand.add("quokka added meanwhile")
        return answer

    await trial.requests(meanwhile)
    await trial.read_well("after something changed while its pages were turned")


async def _complete_twice(trial: Trial, external_id: str) -> None:
    """Complete by one command, whose first answer is lost on the way."""
    command_id = str(UUID(new_id(trial.clock.now())))

    async def complete(door: Door, connection: Held) -> None:
        await trial.source.complete(door, external_id, command_id)

    trial.line.fault = faults.at(0, faults.raising(httpx.ReadTimeout, after=True))
    with suppress(SourceDown):
        await connections.with_access(trial.rt, trial.connection_id, complete)
    trial.line.fault = None
    await connections.with_access(trial.rt, trial.connection_id, complete)


async def clock_skew(trial: Trial) -> None:
    """A server whose clock is an hour off: changes are found, and nothing was done in our future."""
    for skew in SKEWS:
        trial.their_clock.skew = skew
        name = await trial.stand.add(f"quokka there by another clock {skew}")
        await trial.connect()
        await trial.read_well(f"a server's clock {skew} off")
        trial.clock.advance(timedelta(minutes=10))
        await trial.stand.change(name, f"quokka changed by another clock {skew}")
        await trial.read_well(f"a change by a clock {skew} off")
        if "task" in trial.source.kinds:
            await trial.stand.complete(name)
            await trial.read_well(f"a completion by a clock {skew} off")
    late = [row["at"] for row in await trial.rows("completion") if row["at"] > trial.clock.now()]
    if late:
        raise Failed(f"a server's clock ahead of ours: expected no completion in our future, saw {late[0]}")
    if "task" in trial.source.kinds:
        await _told_once(trial, len(SKEWS), "one completed there for each of two clocks")


async def lost_cursor(trial: Trial) -> None:
    """A cursor that is no longer known: everything is read, and what went meanwhile is gone."""
    removed = await trial.stand.add("quokka gone meanwhile")
    await trial.stand.add("quokka still there")
    await trial.connect()
    await trial.read_well("the first reading")
    await trial.stand.remove(removed)
    await trial.stand.add("quokka added meanwhile")
    await trial.stand.forget_cursors()
    await trial.read_well("after the cursor was lost")
    await trial.read_well("after the cursor was lost, read again")


async def _synced(trial: Trial) -> int:
    return await trial.news(TasksSynced.subject) + await trial.news(CalendarSynced.subject)


async def _told_once(trial: Trial, expected: int, what: str) -> None:
    if (told := await trial.completions()) != expected:
        raise Failed(f"{what}: expected {expected} completions told, saw {told}")
