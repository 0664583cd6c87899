"""`python -m bench`: runs the application as people do, and prints each figure beside its target."""

import asyncio
import sys
import tempfile
from pathlib import Path

from bench import load, pages
from bench.table import Row, table
from tests.served import served


async def main() -> None:
    """Measure and print; `python -m bench load` or `pages` measures that part only."""
    named = {"pages": pages, "load": load}
    parts = [named[name] for name in sys.argv[1:]] or list(named.values())
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as site:
        rows = [row for part in parts for row in await part.measure(site)]
    print(table(["figure", "measured", "target"], [Row(*row) for row in rows]))


if __name__ == "__main__":
    asyncio.run(main())
