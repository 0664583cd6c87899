"""`oo`: the operator's verbs. Each parses, makes one call, and prints what came of it."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TypeVar

import click
from alembic import command
from alembic.util.exc import CommandError

from oo_app import accounts, conformance, ops, sandbox, tips, wiring
from oo_app.kit import log
from oo_app.kit.clock import Clock
from oo_app.kit.config import Settings, SettingsError, explain
from oo_app.kit.errors import OoError
from oo_app.runtime import Runtime, build
from oo_app.serve import ROOT, alone, check_data_dir, check_keys
from oo_app.serve import run as serve

LEAST_PYTHON = (3, 11)
Result = TypeVar("Result")


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
        ops.migrate(settings)
        click.echo("The database is up to date.")
        return
    with _scratch_database(settings) as scratch:
        ops.migrate(scratch)
        try:
            command.check(ops.alembic_config(scratch))
        except CommandError as error:
            raise click.ClickException(str(error)) from error


@oo.command()
def doctor() -> None:
    """Explain each variable, examine the installation, and tell whether it can start (else the exit code is 1)."""
    settings = Settings.load()
    check_data_dir(settings)
    check_keys(settings)
    for name, default, meaning in explain():
        click.echo(f"{name:26} {meaning}{f' [{default}]' if default else ''}")
    click.echo()

    async def run(rt: Runtime) -> tuple[ops.Found, ...]:
        wiring.bind(rt)
        return await ops.examine(rt)

    found = _with_runtime(settings, run)
    for each in found:
        click.echo(f"{'ok' if each.is_ok else 'NOT OK':8} {each.name:12} {each.said}")
    if not all(each.is_ok for each in found):
        sys.exit(1)
    click.echo(f"\nReady to start: {settings.base_url}, {'with' if settings.has_sandbox else 'without'} the sandbox.")


@oo.command()
@click.argument("file", required=False)
@click.option("--keys", is_flag=True, help="Copy people's keys instead; our own copies older than 7 days are removed.")
@click.pass_obj
def backup(here: Path, *, file: str | None, keys: bool) -> None:
    """Copy the database to FILE (one in data/backups by default), also while oO runs. No key is in it."""
    settings, now = Settings.load(), Clock().now()
    target = here / file if file else None
    written = (ops.backup_keys if keys else ops.backup)(settings, target, now)
    people = f"{written.people} {'person' if written.people == 1 else 'people'}"
    click.echo(f"Wrote {written.file}: {'the keys of ' if keys else ''}{people}, {written.size} bytes.")
    if written.outdated:
        click.echo(f"Removed {written.outdated} of the earlier copies, older than 7 days.")
    click.echo(
        "Keep it apart from the database's backups, and for 7 days at most: with it, the deleted can be read again."
        if keys
        else "People's keys are not in it: back them up by themselves, with --keys."
    )


@oo.command()
@click.argument("file")
@click.option("--keys", is_flag=True, help="Add the keys of FILE that are missing, of nobody who was deleted.")
@click.pass_obj
def restore(here: Path, *, file: str, keys: bool) -> None:
    """Put the backup FILE in the place of the database. oO must not be running; what was there is kept."""
    settings = Settings.load()
    check_data_dir(settings)
    log.configure(as_json=settings.is_production)
    with alone(settings):
        if keys:
            ops.migrate(settings)
            came = asyncio.run(ops.restore_keys(settings, here / file, Clock()))
            click.echo(f"Added {came.added} keys. Left out, because their people were deleted: {came.forgotten}.")
            _say_kept(came.kept)
            return
        restored = asyncio.run(ops.restore(settings, here / file, Clock()))
    click.echo(f"Restored. People: {restored.people}. Everybody has to sign in again.")
    click.echo(f"Deleted since the backup, and forgotten again: {restored.forgotten}.")
    if restored.keyless:
        click.echo(
            f"Without a key, so that nothing of theirs can be read: {restored.keyless} (`oo restore --keys FILE`)."
        )
    if restored.dropped:
        click.echo(
            f"Completions of recurring tasks that may have been made already, and are not sent: {restored.dropped}."
        )
    _say_kept(restored.kept)


def _say_kept(kept: Path | None) -> None:
    if kept:
        click.echo(f"What was there is kept as {kept}; remove it when all is well.")


@oo.command()
def purge() -> None:
    """Drop what has had its time, as happens every hour while oO runs."""
    purged = _with_database(ops.purge)
    for name, count in purged.items():
        click.echo(f"{name.replace('_', ' ')}: {count}")


@oo.group()
def keys() -> None:
    """Look after the keys that everything private is sealed with."""


@keys.command()
def rotate() -> None:
    """Bring everything under the first of OO_ENCRYPTION_KEYS and OO_SECRET_KEYS, so that the others can go."""
    rotated = _with_database(ops.rotate)
    click.echo(f"Now under the first of OO_ENCRYPTION_KEYS: {rotated.keys} people's keys more than before.")
    click.echo(
        f"Now under the first of OO_SECRET_KEYS: {rotated.addresses} addresses, {rotated.owners} connections more."
    )
    if rotated.unread:
        click.echo(f"To be read again first: {rotated.unread}. Run this once more in some minutes, with oO running.")
        return
    click.echo("The other keys can be dropped once oO has run with the first ones for ten minutes.")


@oo.group()
def user() -> None:
    """Serve a person's wish to take along or to be forgotten."""


@user.command("export")
@click.argument("email")
def user_export(email: str) -> None:
    """Print everything held about the people with that address, as JSON."""

    async def run(rt: Runtime) -> None:
        people = await _people(rt, email)
        told = ["".join([piece async for piece in ops.export(rt, user_id)]).strip() for user_id in people]
        click.echo(told[0] if len(told) == 1 else "[\n" + ",\n".join(told) + "\n]")

    _with_database(run)


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

    _with_database(run)


@oo.group()
def decision() -> None:
    """Work out again what was decided."""


@decision.command("replay")
@click.argument("decision_id", metavar="ID")
def decision_replay(decision_id: str) -> None:
    """Work a decision of the last thirty days out again, from what it was made of."""

    async def run(rt: Runtime) -> tips.Replayed:
        return await tips.replay(rt, decision_id)

    told = _with_database(run)
    if not told.is_same:
        message = (
            f"It came out otherwise: candidate {told.chosen_again} instead of {told.chosen}, off by {told.largest:.1e}."
        )
        raise click.ClickException(message)
    click.echo(f"The same again: {told.policy} chose candidate {told.chosen}, with the same probabilities.")


@oo.group()
def source() -> None:
    """Help whoever writes a source."""


@source.command("check")
@click.argument("name", required=False)
@click.option("--list", "is_list", is_flag=True, help="Only tell what is checked, and of which sources.")
@click.option("--only", help="Make this check alone.")
@click.option("--recorded", metavar="FOLDER", help="Ask the recordings in FOLDER instead of the stand-in.")
@click.pass_obj
def source_check(here: Path, *, name: str | None, is_list: bool, only: str | None, recorded: str | None) -> None:
    """Run the source NAME through all that can happen to it (else than well, the exit code is 1).

    Nothing of yours is read or written, and nothing outside this machine is asked.
    """
    if is_list:
        for check in conformance.CHECKS:
            click.echo(f"{check.name:23} {check.meaning}")
        click.echo(f"\nSources: {', '.join(conformance.names())}")
        return
    if name is None:
        msg = f"NAME is missing; there are: {', '.join(conformance.names())}"
        raise click.UsageError(msg)
    found = conformance.find(name)
    make_stand = conformance.stand_for(name, here / recorded if recorded else None)
    began, came = perf_counter(), Counter[str]()
    for verdict in conformance.examine(found, make_stand, conformance.chosen(only)):
        click.echo(f"{verdict.came:14} {verdict.check:23} {verdict.said}".rstrip())
        came[verdict.came] += 1
    told = ", ".join(f"{count} {what}" for what, count in came.items())
    click.echo(f"\n{name}: {told}, in {perf_counter() - began:.0f} s")
    if came["FAILED"]:
        sys.exit(1)


def main() -> None:
    """Run the command line; a problem is one clear line each and an exit code that is not 0."""
    os.umask(0o077)  # what is written holds people's data: nobody else on this machine reads it
    if sys.version_info < LEAST_PYTHON:
        sys.exit("oO needs Python 3.11 or newer.")
    here = Path.cwd()
    os.chdir(ROOT)  # `.env`, `data/` and the built pages belong to the checkout, wherever one stands
    try:
        oo(standalone_mode=False, obj=here)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(130)
    except UnicodeDecodeError:
        sys.exit("A variable or the .env file is not text in UTF-8.")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (SettingsError, ops.CannotStart, OoError) as error:
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


def _with_database(call: Callable[[Runtime], Awaitable[Result]]) -> Result:
    """Call with a runtime whose database is up to date, and in which nobody is back who was deleted."""
    settings = Settings.load()
    log.configure(as_json=settings.is_production)
    if settings.has_sandbox:
        settings = settings.with_stand_ins(sandbox.apple_private_key(settings.oo_data_dir))

    async def ready(rt: Runtime) -> Result:
        if not await ops.is_ready(rt, ops.head()):
            msg = "The database is not up to date; `oo migrate` brings it there."
            raise click.ClickException(msg)
        await accounts.replay(rt)
        wiring.bind(rt)
        return await call(rt)

    return _with_runtime(settings, ready)


def _with_runtime(settings: Settings, call: Callable[[Runtime], Awaitable[Result]]) -> Result:
    async def opened() -> Result:
        rt = build(settings)
        await rt.start()
        try:
            return await call(rt)
        finally:
            await rt.stop()

    return asyncio.run(opened())
