"""`oo`: the operator's verbs. Each parses, makes one call, and prints what came of it."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from alembic import command
from alembic.util.exc import CommandError

from oo_app import accounts, ops, sandbox, wiring
from oo_app.kit import log
from oo_app.kit.config import Settings, SettingsError, explain
from oo_app.kit.errors import OoError
from oo_app.runtime import Runtime, build
from oo_app.serve import ROOT, CannotStart, alembic_config, check_data_dir, check_keys
from oo_app.serve import migrate as migrate_database
from oo_app.serve import run as serve
from oo_app.web.security import as_json

LEAST_PYTHON = (3, 11)


@click.group()
def oo() -> None:
    """One well-chosen tip at the right moment."""


@oo.command()
def run() -> None:
    """Serve pages, API and websocket until stopped (Ctrl-C)."""
    serve(Settings.load())


@oo.command()
@click.option("--check", is_flag=True, help="Only tell whether tables and migrations are in step.")
def migrate(*, check: bool) -> None:
    """Bring the database to the newest version."""
    settings = Settings.load()
    check_data_dir(settings)
    if not check:
        migrate_database(settings)
        click.echo("The database is up to date.")
        return
    with _scratch_database(settings) as scratch:
        migrate_database(scratch)
        try:
            command.check(alembic_config(scratch))
        except CommandError as error:
            raise click.ClickException(str(error)) from error


@oo.command()
def doctor() -> None:
    """Explain each variable and tell whether the installation can start."""
    settings = Settings.load()
    check_data_dir(settings)
    check_keys(settings)
    for name, default, meaning in explain():
        click.echo(f"{name:26} {meaning}{f' [{default}]' if default else ''}")
    click.echo(f"\nReady to start: {settings.base_url}, {'with' if settings.has_sandbox else 'without'} the sandbox.")


@oo.group()
def user() -> None:
    """Serve a person's wish to take along or to be forgotten."""


@user.command("export")
@click.argument("email")
def user_export(email: str) -> None:
    """Print everything held about the people with that address, as JSON."""

    async def run(rt: Runtime) -> None:
        held = [await ops.export(rt, user_id) for user_id in await _people(rt, email)]
        click.echo(as_json(held[0] if len(held) == 1 else held))

    _with_runtime(run)


@user.command("delete")
@click.argument("email")
def user_delete(email: str) -> None:
    """Delete everything about the people with that address."""

    async def run(rt: Runtime) -> None:
        for user_id in await _people(rt, email):
            deleted = await ops.delete_everything(rt, user_id)
            for name in deleted.not_told:
                click.echo(f"{name} was not told; remove oO there.")
            if deleted.unsent:
                click.echo(f"Done in oO, but not completed at the source: {deleted.unsent}.")
            click.echo("Deleted.")

    _with_runtime(run)


def main() -> None:
    """Run the command line; a problem is one clear line each and an exit code that is not 0."""
    os.umask(0o077)  # what is written holds people's data: nobody else on this machine reads it
    if sys.version_info < LEAST_PYTHON:
        sys.exit("oO needs Python 3.11 or newer.")
    os.chdir(ROOT)  # `.env`, `data/` and the built pages belong to the checkout, wherever one stands
    try:
        oo(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(130)
    except UnicodeDecodeError:
        sys.exit("A variable or the .env file is not text in UTF-8.")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (SettingsError, CannotStart, OoError) as error:
        sys.exit(str(error))


async def _people(rt: Runtime, email: str) -> list[str]:
    found = await accounts.find_by_email(rt, email)
    if not found:
        msg = "Nobody here has that address."
        raise click.ClickException(msg)
    return found


@contextmanager
def _scratch_database(settings: Settings) -> Generator[Settings]:
    """Give an empty database, so that the check does not depend on the state of the real one."""
    with TemporaryDirectory() as folder:
        yield settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{Path(folder) / 'check.db'}"})


def _with_runtime(call: Callable[[Runtime], Awaitable[None]]) -> None:
    async def opened() -> None:
        settings = Settings.load()
        log.configure(as_json=settings.is_production)
        if settings.has_sandbox:
            settings = settings.with_stand_ins(sandbox.apple_private_key(settings.oo_data_dir))
        rt = build(settings)
        await rt.start()
        try:
            if not await ops.is_ready(rt, ops.head()):
                msg = "The database is not up to date; `oo migrate` brings it there."
                raise click.ClickException(msg)
            wiring.bind(rt)
            await call(rt)
        finally:
            await rt.stop()

    asyncio.run(opened())
