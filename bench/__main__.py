"""`python -m bench`: runs the application as people do, and prints each figure beside its target."""

import asyncio
import tempfile
from pathlib import Path

from bench import load, pages
from bench.table import Row, table
from tests.served import served


async def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as site:
        rows = [*await pages.measure(site), *await load.measure(site)]
    print(table(["figure", "measured", "target"], [Row(*row) for row in rows]))


if __name__ == "__main__":
    asyncio.run(main())
