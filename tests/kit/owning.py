"""A process of its own that runs jobs on a folder's database until it is ended: `python tests/kit/owning.py`.

It says when its one job begins and ends, by a clock that all processes share.
"""

import asyncio
import signal
import sys

from oo_app.kit.config import Settings
from oo_app.kit.jobs import Job
from oo_app.runtime import build


async def main() -> None:
    rt = build(Settings.load())
    await rt.start()

    async def beat() -> None:
        sys.stdout.write(f"beat {rt.clock.elapsed()}\n")
        sys.stdout.flush()

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await rt.jobs.start([Job("beat", 0.1, beat)])
    await ended.wait()
    await rt.stop()


asyncio.run(main())
