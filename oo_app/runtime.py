"""Runtime: everything that is handed in from outside, made once a process."""

from dataclasses import dataclass
from typing import Any

import httpx

from ml.policies import POLICIES
from ml.types import Policy
from oo_app.kit.addresses import Addresses
from oo_app.kit.bus import Bus
from oo_app.kit.clock import Clock
from oo_app.kit.config import Settings
from oo_app.kit.crypto import Vault
from oo_app.kit.db import Database
from oo_app.kit.http import Http
from oo_app.kit.jobs import Jobs
from oo_app.kit.limits import Limits
from oo_app.kit.metrics import Metrics
from oo_app.kit.mirror import Mirror


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the code below the edge gets as its first argument."""

    settings: Settings
    clock: Clock
    vault: Vault
    http: Http
    db: Database
    bus: Bus
    jobs: Jobs
    policy: Policy[Any]
    limits: Limits
    metrics: Metrics
    mirror: Mirror | None

    async def start(self) -> None:
        """Open what needs opening."""
        await self.vault.start()
        await self.db.start()

    async def stop(self) -> None:
        """Close in the opposite order."""
        await self.jobs.stop()
        if self.mirror:
            await self.mirror.stop()
        await self.bus.stop()
        await self.http.stop()
        await self.db.stop()
        await self.vault.stop()


def build(
    settings: Settings, *, clock: Clock | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> Runtime:
    """Construct without any I/O: the front-end export imports the application too."""
    clock = clock or Clock()
    db = Database(settings.db_url, clock)
    metrics = Metrics()
    nats_url = settings.nats_url.get_secret_value()
    return Runtime(
        settings=settings,
        clock=clock,
        vault=Vault(settings),
        http=Http(clock, transport, addresses(settings)),
        db=db,
        bus=Bus(db, clock, metrics),
        jobs=Jobs(db, clock, metrics),
        policy=POLICIES["random"],
        limits=Limits(clock, settings.oo_rate_factor),
        metrics=metrics,
        mirror=Mirror(db, clock, metrics, nats_url) if nats_url else None,
    )


def addresses(settings: Settings) -> Addresses:
    """Return the check of addresses that people type; what the sandbox serves for that is let through."""
    prefixes = [f"{settings.sandbox_url}/sandbox/calendar/"] if settings.has_sandbox else []
    return Addresses(settings.private_hosts, is_strict=settings.is_production, prefixes=prefixes)


_slot: list[Runtime] = []


def use(rt: Runtime) -> None:
    """Make this the process's runtime."""
    _slot[:] = [rt]


def current() -> Runtime:
    """Return the process's runtime; only the edge calls this."""
    if not _slot:
        msg = "no runtime is in use"
        raise RuntimeError(msg)
    return _slot[0]
