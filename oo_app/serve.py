"""`oo run`: build the front end when its inputs changed, migrate, serve pages, API and websocket from one port."""

import asyncio
import fcntl
import gc
import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from oo_app import accounts
from oo_app.kit import log
from oo_app.kit.config import Settings, SettingsError
from oo_app.kit.crypto import Vault
from oo_app.kit.process import put_first_on_path, set_environment
from oo_app.ops import CannotStart, migrate, strike_all
from oo_app.runtime import build

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / ".web"
STAMP = WEB / "build" / "oo-inputs.sha256"
INPUTS = ("pages", "state", "assets", "rxconfig.py", "oo_app/oo_app.py", "reflex.lock", "constraints.txt")
# What Reflex and npm read from the environment only.
ENVIRONMENT = {
    "REFLEX_USE_NPM": "1",
    "REFLEX_TELEMETRY_ENABLED": "false",
    "NPM_CONFIG_OMIT_LOCKFILE_REGISTRY_RESOLVED": "true",
    "NPM_CONFIG_FUND": "false",
    "NPM_CONFIG_AUDIT": "false",
}
# The pages are exported; compiling them again at import would cost seconds. Reflex writes its internal names so.
ENVIRONMENT_OF_SERVER = {
    "__REFLEX_SKIP_COMPILE": "true",
    "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
    "REFLEX_ENV_MODE": "prod",
}
STOP_WITHIN_S = 3
BACKLOG = 2048
BODY_LIMIT = 64 * 1024


def run(settings: Settings) -> None:
    """Serve until told to stop."""
    log.configure(as_json=settings.is_production)
    check_data_dir(settings)
    check_keys(settings)
    put_first_on_path(Path(sys.executable).parent)  # Node comes as a Python package, beside our interpreter
    set_environment(ENVIRONMENT)
    with alone(settings), _listening(settings) as listener:
        build_front_end()
        migrate(settings)
        heal(settings)
        _serve(settings, listener)


def heal(settings: Settings) -> None:
    """Forget again whoever came back by a restore or a crash; CannotStart when people are there and no key is."""

    async def replayed() -> None:
        rt = build(settings)
        await rt.start()
        try:
            await accounts.replay(rt)
            await strike_all(rt)
            missing, people = await accounts.keyless(rt)
        finally:
            await rt.stop()
        if people and missing == people:
            msg = "OO_KEYS_URL: no key of anybody in the database is there; `oo restore --keys FILE` brings them back"
            raise CannotStart(msg)

    asyncio.run(replayed())


def build_front_end() -> None:
    """Export the pages, unless nothing they are made of has changed."""
    inputs = _hash_inputs()
    if STAMP.exists() and STAMP.read_text() == inputs:
        return
    print("Building the front end; this takes about a minute the first time.", flush=True)  # noqa: T201 -- for a person
    # Without it Reflex asks several registries for the fastest and takes that one, whatever npm is set up to use.
    npm = str(Path(sys.executable).parent / "npm")
    asked = [npm, "config", "get", "registry"]
    registry = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 -- our own npm
    if registry.returncode == 0:
        set_environment({"NPM_CONFIG_REGISTRY": registry.stdout.strip()})
    packages = ROOT / "reflex.lock" / "package.json"
    before = packages.read_text() if packages.exists() else ""
    exported = subprocess.run(
        [sys.executable, "-m", "reflex", "export", "--no-zip", "--frontend-only"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if exported.returncode != 0 or not (WEB / "build" / "client" / "index.html").exists():
        said = (exported.stdout + exported.stderr).strip().splitlines()[-15:]
        raise CannotStart("The front end could not be built:\n" + "\n".join(said))
    # Reflex writes the same packages in another order each time; a checkout is not to look changed by that.
    if before and json.loads(before) == json.loads(packages.read_text()):
        packages.write_text(before)
    # Hashed again: the first build writes the lock file that is one of the inputs.
    STAMP.write_text(_hash_inputs())


def check_data_dir(settings: Settings) -> None:
    """Make the data folder; CannotStart when it cannot be written."""
    folder = settings.oo_data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        msg = f"OO_DATA_DIR: cannot write to {folder} ({error.strerror})"
        raise SettingsError(msg) from error


def check_keys(settings: Settings) -> None:
    """Open the store of people's keys; SettingsError when that fails, or when our keys do not open them."""

    async def opened() -> None:
        vault = Vault(settings)
        await vault.start()
        await vault.stop()

    asyncio.run(opened())


def _hash_inputs() -> str:
    digest = hashlib.sha256()
    for path in sorted(_files()):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    for name in INPUTS:
        path = ROOT / name
        if path.is_dir():
            yield from (p for p in path.rglob("*") if p.is_file() and p.suffix != ".pyc")
        elif path.exists():
            yield path


@contextmanager
def alone(settings: Settings) -> Generator[None]:
    """Hold the data folder: a second process on it would run the same jobs and spend the same tokens."""
    with (settings.oo_data_dir / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = f"OO_DATA_DIR: another oO is running on {settings.oo_data_dir}"
            raise CannotStart(msg) from error
        yield


@contextmanager
def _listening(settings: Settings) -> Generator[socket.socket]:
    """Take the port first: a taken one is told before anything slow begins."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)  # until then another process could bind the same port
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        msg = f"PORT: cannot listen on {where} ({error.strerror}); PORT=9000 make run takes another"
        raise CannotStart(msg) from error
    try:
        yield listener
    finally:
        listener.close()


class _Server(uvicorn.Server):
    """Says in one line when it is ready."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # what is loaded now stays, so that collections look at what requests leave alone
            print(f"oO is ready at {self._address}", flush=True)  # noqa: T201 -- for a person


def _serve(settings: Settings, listener: socket.socket) -> None:
    set_environment(ENVIRONMENT_OF_SERVER)
    sys.path.insert(0, str(ROOT))
    config = uvicorn.Config(
        "oo_app.oo_app:serving",
        factory=True,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=BODY_LIMIT,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        backlog=BACKLOG,
    )
    server = _Server(config, settings.base_url)
    with suppress(KeyboardInterrupt):  # uvicorn stops first and raises it afterwards; Ctrl-C is how one ends oO
        server.run(sockets=[listener])
    if not server.started:
        msg = "The server did not start; the lines above say why."
        raise CannotStart(msg)
