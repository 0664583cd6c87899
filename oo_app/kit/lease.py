"""Who owns what runs by itself: one process at a time, by a row that it renews and that ends by itself (ADR 10).

The row is written and read by the wall clocks of those who ask; an owner trusts it for less long than it says, by a
clock that nobody sets. So machines that share a database may differ by some seconds, and there are never two owners.
"""

import asyncio
import os
import secrets
import socket
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Field, SQLModel, col

from oo_app.kit import log
from oo_app.kit.clock import Clock
from oo_app.kit.db import Database, Tx, UtcDateTime

LIVES_FOR = timedelta(seconds=15)
TRUSTED_FOR_S = 12.0  # the rest is for clocks that differ
RENEWED_EVERY_S = 4.0
NAME = "jobs"
IS_ALIVE = 0  # the signal that only asks
BOOT = Path("/proc/sys/kernel/random/boot_id")
PROCESSES = Path("/proc/self/ns/pid")

_log = log.get(__name__)


class LeaseRow(SQLModel, table=True):
    """The lease. Machine and process tell those beside it whether its holder still lives."""

    __tablename__ = "lease"  # pyright: ignore[reportAssignmentType] -- SQLModel declares it for methods only

    name: str = Field(primary_key=True, max_length=20)
    holder: str = Field(max_length=40)
    machine: str = Field(max_length=120)
    pid: int
    expires_at: datetime = Field(sa_type=UtcDateTime)


class Lease:
    """A process's claim. It holds only as long as the row does, by a clock that goes on while the process sleeps."""

    def __init__(self, db: Database, clock: Clock, *, machine: str | None = None) -> None:
        """Hold nothing yet."""
        self.holder = secrets.token_hex(8)
        self._db = db
        self._clock = clock
        self._machine = machine or this_machine()
        self._until: float | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process is the owner, as far as it can know by itself."""
        return self._until is not None and self._clock.elapsed() < self._until

    async def start(self) -> None:
        """Take the lease, if it is to be had, and go on trying and renewing in the background."""
        await self.take()
        self._task = asyncio.create_task(self._keep(), name="oo-lease")

    async def stop(self) -> None:
        """Give the lease up, so that another process takes over at once."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._until is not None:
            self._until = None
            with suppress(SQLAlchemyError):  # it ends by itself as well
                async with self._db.begin() as tx:
                    await tx.session.execute(delete(LeaseRow).where(col(LeaseRow.holder) == self.holder))

    async def take(self) -> bool:
        """Take or renew the lease in one statement; it cannot be taken from a holder that lives."""
        asked_at = self._clock.elapsed()
        dead = await self._dead_holder()
        was_held = self.is_held
        async with self._db.begin() as tx:
            mine = {
                "name": NAME,
                "holder": self.holder,
                "machine": self._machine,
                "pid": os.getpid(),
                "expires_at": tx.now + LIVES_FOR,
            }
            free = or_(
                col(LeaseRow.holder).in_([self.holder, *([dead] if dead else [])]), col(LeaseRow.expires_at) <= tx.now
            )
            take = upsert(LeaseRow).values(mine).on_conflict_do_update(index_elements=["name"], set_=mine, where=free)
            taken = (await tx.session.execute(take.returning(col(LeaseRow.holder)))).scalar_one_or_none()
        # From before it was asked for, so that it ends here no later than in the row.
        self._until = asked_at + TRUSTED_FOR_S if taken == self.holder else None
        if self.is_held != was_held:
            _log.info("lease.taken" if self.is_held else "lease.lost", holder=self.holder)
        return self.is_held

    async def is_mine(self, tx: Tx) -> bool:
        """Tell, within a transaction, whether the row says so: what an owner that overslept writes is refused."""
        mine = (col(LeaseRow.holder) == self.holder, col(LeaseRow.expires_at) > tx.now)
        return (await tx.session.execute(select(col(LeaseRow.name)).where(*mine))).scalar_one_or_none() is not None

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY_S)
            try:
                await self.take()
            except SQLAlchemyError as error:  # the database is gone for a moment; what is held ends by itself
                _log.warning("lease.not_renewed", cause=type(error).__name__)

    async def _dead_holder(self) -> str | None:
        """Return the holder if it ran on this machine and does not live any more: nobody has to wait for it."""
        async with self._db.read() as session:
            row = (await session.execute(select(LeaseRow).where(col(LeaseRow.name) == NAME))).scalar_one_or_none()
        if row is None or row.machine != self._machine or row.holder == self.holder:
            return None
        # The same number in another life of the machine, or of a container, is another process; ours is not dead.
        return row.holder if row.pid == os.getpid() or not lives(row.pid) else None


def this_machine() -> str:
    """Name this machine in its present life, as far as process numbers reach: each container counts its own."""
    with suppress(OSError):
        return f"{socket.gethostname()[:40]}:{BOOT.read_text().strip()}:{PROCESSES.readlink()}"
    return socket.gethostname()


def lives(pid: int) -> bool:
    """Tell whether a process lives on this machine. One that only waits for its parent to take note does not."""
    try:
        os.kill(pid, IS_ALIVE)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True
