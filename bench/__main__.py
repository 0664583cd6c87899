"""`python -m bench [PART…]`: runs the application as people do, and prints each figure beside its target.

Without a name all but the kills is measured; `python -m bench kills [COUNT [SEED]]` takes twenty minutes and more.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import crowd, events, features, fuzz, kills, load, pages, polls, sync, webhooks
from bench.table import Row, table
from tests.served import Served, served

Figures = list[tuple[str, str, str]]
# By one application, one after the other; those with one of their own; and what is measured only when named.
SHARING: dict[str, Callable[[Served], Awaitable[Figures]]] = {
    "pages": pages.measure,
    "load": load.measure,
    "fuzz": fuzz.measure,
}
ALONE: dict[str, Callable[[], Awaitable[Figures]]] = {
    "sync": sync.measure,
    "polls": polls.measure,
    "webhooks": webhooks.measure,
    "features": features.measure,
    "crowd": crowd.measure,
    "events": events.measure,
}


async def main() -> None:
    """Measure what is named and print it."""
    named = sys.argv[1:] or [*SHARING, *ALONE]
    if named[0] == "kills":
        count, seed = [*map(int, named[1:]), *(kills.KILLS, kills.SEED)[len(named) - 1 :]]
        show("kills", await kills.measure(count, seed))
        return
    for name in named:
        if name in ALONE:
            show(name, await ALONE[name]())
    if sharing := [name for name in named if name in SHARING]:
        with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as site:
            for name in sharing:
                show(name, await SHARING[name](site))


def show(part: str, rows: Figures) -> None:
    """Print the figures of a part and how to have them again."""
    print(f"\n`python -m bench {part}`\n")
    print(table(["figure", "measured", "target"], [Row(*row) for row in rows]), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
