"""Every route and every handler, read from the running application, gives a stranger nothing to read or to change.

A route or a handler that is new is attacked without a line being written here.
"""

from collections.abc import Callable

import pytest

from tests.doors.attacks import Attacker, as_text, attack_handlers, attack_routes
from tests.doors.stage import Somebody, Stage
from tests.served import LOG

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

CALLERS: dict[str, Callable[[Stage], Somebody | str | None]] = {
    "nobody": lambda _: None,
    "a stranger": Stage.stranger,
    "an expired session of the victim": Stage.expired,
    "an ended session of the victim": Stage.signed_out,
}
PROGRAMS: dict[str, Callable[[Stage], Somebody]] = {
    "a stranger's program": Stage.program,
    "a program of the victim's whose token was withdrawn": Stage.ended_program,
}
FEWEST_ROUTES, FEWEST_HANDLERS = 20, 20


@pytest.fixture(params=CALLERS)
def attacker(stage: Stage, request: pytest.FixtureRequest) -> Attacker:
    """One of those who come."""
    arrive = CALLERS[request.param]
    return Attacker(stage, lambda: arrive(stage))


def test_no_route_gives_anything_away(stage: Stage, attacker: Attacker):
    report = attack_routes(stage, attacker)

    assert report.tried > len(stage.doors.routes)
    assert report.breaches == [], as_text(report)


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_route_gives_anything_away_to_a_program(stage: Stage, program: str):
    report = attack_routes(stage, Attacker(stage, lambda: PROGRAMS[program](stage)))

    assert report.tried > len(stage.doors.routes)
    assert report.breaches == [], as_text(report)


async def test_no_handler_gives_anything_away(stage: Stage, attacker: Attacker):
    report = await attack_handlers(stage, attacker)

    assert report.tried > len(stage.doors.handlers)
    assert report.breaches == [], as_text(report)


def test_the_doors_were_found(stage: Stage):
    assert set(stage.doors.described["paths"]) <= set(stage.doors.routes)
    assert len(stage.doors.routes) >= FEWEST_ROUTES
    assert len(stage.doors.handlers) >= FEWEST_HANDLERS


def test_the_log_holds_nothing_of_anybody(stage: Stage):
    log = (stage.site.folder / LOG).read_text()

    assert [name for name in ("words", "mail", "session", "cookie") if stage.marks[name] in log] == []
