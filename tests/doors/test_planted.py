"""The attacks are worth something: doors that are planted without a lock are found, by name."""

from pathlib import Path

import pytest

from tests.doors.attacks import Attacker, attack_handlers, attack_routes
from tests.doors.stage import CHANGING_ROUTE, LEAKY_ROUTE, Stage, staged

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]
PLANTED = "tests.doors.planted"


def only(stage: Stage, name: str) -> Stage:
    """Leave only the doors that bear a name, so that nothing is tried twice."""
    doors = stage.doors
    kept = {event: arguments for event, arguments in doors.handlers.items() if name in event}
    routes = tuple(path for path in doors.routes if name in path)
    return Stage(**{**vars(stage), "doors": type(doors)(routes, kept, (), doors.fields, doors.described)})


async def test_planted_doors_are_found(tmp_path: Path):
    with staged(tmp_path, PLANTED, command=("-c", f"from {PLANTED} import main; main()")) as stage:
        planted = only(stage, "planted")
        attacker = Attacker(planted, lambda: None)

        routes = attack_routes(planted, attacker)
        handlers = await attack_handlers(planted, attacker)

    assert {LEAKY_ROUTE, CHANGING_ROUTE} <= set(planted.doors.routes)
    assert any(each.startswith(f"GET {LEAKY_ROUTE} told mail") for each in routes.breaches)
    assert any(each.startswith(f"{CHANGING_ROUTE} changed preferences") for each in routes.breaches)
    assert any(each.endswith("look_up told mail") for each in handlers.breaches)
    assert any("planted_state.rest changed preferences" in each for each in handlers.breaches)
