"""Running a source through the checks, each in a world of its own; what it raises is what is looked for."""

import asyncio
import traceback
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from oo_app import connections, ops
from oo_app.conformance.checks import CHECKS, Check
from oo_app.conformance.recorded import recorded
from oo_app.conformance.stand import Lacking
from oo_app.conformance.stands import STANDS
from oo_app.conformance.trial import DoesNotApply, Failed, MakeStand, Trial, settings_in, trial
from oo_app.kit import log
from oo_app.kit.errors import NotFound
from oo_app.sources import Source

Came = Literal["ok", "FAILED", "does not apply"]
MARK = "quokka"  # in all that stand-ins are told to hold: where it turns up in the log, words were logged


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a check, and what there is to say of it."""

    check: str
    came: Came
    said: str = ""


def names() -> Sequence[str]:
    """Return the names of all sources."""
    return sorted(connections.sources_by_name())


def find(name: str) -> Source:
    """Return a source by name; NotFound says which there are."""
    if name not in names():
        msg = f"There is no source {name!r}; there are: {', '.join(names())}"
        raise NotFound(msg)
    return connections.sources_by_name()[name]


def stand_for(name: str, recordings: Path | None) -> MakeStand:
    """Return how to make the stand-in for a source, from recordings where there are some; NotFound where none is."""
    if recordings is not None:
        return recorded(recordings)
    for stand in STANDS:
        if stand.source == name:
            return stand
    msg = f"There is no stand-in for {name!r}; write oo_app/conformance/stands/{name}.py and list it in STANDS"
    raise NotFound(msg)


def chosen(name: str | None) -> Sequence[Check]:
    """Return the check of that name, or all; NotFound where there is none."""
    found = [check for check in CHECKS if name in {None, check.name}]
    if not found:
        msg = f"There is no check {name!r}; `oo source check --list` tells which there are"
        raise NotFound(msg)
    return found


def examine(source: Source, make_stand: MakeStand, checks: Sequence[Check] = CHECKS) -> Generator[Verdict]:
    """Make the checks one after the other, telling of each as it is done."""
    with TemporaryDirectory(prefix="oo-check-") as name:
        template = prepare(Path(name))
        for check in checks:
            yield asyncio.run(tried(check, source, make_stand, template))


def prepare(folder: Path) -> Path:
    """Make a migrated database in a folder, for checks to begin with a copy of."""
    with log.collected():
        ops.migrate(settings_in(folder))
    return folder


async def tried(check: Check, source: Source, make_stand: MakeStand, template: Path) -> Verdict:
    """Make one check on a copy of a migrated database."""
    with log.collected() as lines:
        try:
            async with trial(source, make_stand, template) as made:
                said = await check.run(made)
                _log_holds_nothing_private(made, lines)
        except DoesNotApply as reason:
            return Verdict(check.name, "does not apply", str(reason))
        except Lacking as lacking:
            return _lacking(check, lacking)
        except Failed as problem:
            return Verdict(check.name, "FAILED", str(problem))
        except Exception as error:  # noqa: BLE001 -- a source may raise anything: that is what is looked for
            return Verdict(check.name, "FAILED", _crashed(error))
    return Verdict(check.name, "ok", said or "")


def _lacking(check: Check, lacking: Lacking) -> Verdict:
    if lacking.reason is not None:
        return Verdict(check.name, "does not apply", lacking.reason)
    said = f"expected the stand-in to have the verb `{lacking.verb}`, or to say in `lacks` why there is none"
    return Verdict(check.name, "FAILED", said)


def _log_holds_nothing_private(made: Trial, lines: Sequence[object]) -> None:
    tokens = {each.headers["authorization"].split()[-1] for each in made.line.asked if "authorization" in each.headers}
    if any(private in str(line) for line in lines for private in (MARK, *tokens)):
        msg = "the log: expected ids and numbers only, saw words or a token in it"
        raise Failed(msg)


def _crashed(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    said = str(error).partition("\n")[0]
    return f"expected no crash, saw {type(error).__name__} ({said}) at {Path(frame.filename).name}:{frame.lineno}"
