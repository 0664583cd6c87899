"""The command line: each problem is one clear line and an exit code that is not 0, never a traceback."""

import asyncio
import json
import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Column, Integer, Table
from sqlmodel import SQLModel

from oo_app import accounts
from oo_app.accounts import Person
from oo_app.accounts.models import User
from oo_app.cli import oo
from oo_app.kit.config import explain
from oo_app.runtime import Runtime
from tests.commands import Command, Ran, start
from tests.conftest import KEY
from tests.people import rows

VERBS = [
    ["run"],
    ["migrate"],
    ["doctor"],
    ["backup"],
    ["restore"],
    ["purge"],
    ["decision"],
    ["decision", "replay"],
    ["keys"],
    ["keys", "rotate"],
    ["source"],
    ["source", "check"],
    ["user"],
    ["user", "export"],
    ["user", "delete"],
]


def test_help_names_every_verb(run: Command):
    ran = run("--help")

    assert ran.code == 0
    assert [verb for verb, *_ in VERBS if f"  {verb} " not in ran.out] == []


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_explains_itself(verb: list[str]):
    result = CliRunner().invoke(oo, [*verb, "--help"])

    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 3


def test_an_unknown_verb_is_a_problem(run: Command):
    ran = run("fly")

    assert ran.code == 2
    assert "No such command 'fly'" in ran.err


@pytest.mark.parametrize("verb", ["run", "migrate", "doctor"])
@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"OO_TYPO": "1"}, "OO_TYPO: no such variable"),
        ({"PORT": "eighty"}, "PORT: Input should be a valid integer, unable to parse string as an integer"),
        ({"OO_ENV": "staging"}, "OO_ENV: Input should be 'development' or 'production'"),
        ({"GOOGLE_CLIENT_ID": "id"}, "GOOGLE_CLIENT_SECRET: missing, while GOOGLE_CLIENT_ID is set"),
        (
            {"DATABASE_URL": "mysql://x"},
            "DATABASE_URL: only SQLite addresses (sqlite+aiosqlite:///…) are served by this version",
        ),
    ],
)
def test_a_wrong_variable_is_one_line(run: Command, verb: str, variables: dict[str, str], complaint: str):
    assert run(verb, **variables).complaint == complaint


def test_several_problems_are_a_line_each(run: Command):
    ran = run("run", OO_ENV="production", OO_TYPO="1")

    assert [line.partition(":")[0] for line in ran.err.splitlines()] == [
        "OO_TYPO",
        "OO_SECRET_KEYS",
        "OO_ENCRYPTION_KEYS",
        "OO_BASE_URL",
    ]


@pytest.mark.parametrize("verb", ["run", "migrate", "doctor"])
def test_a_folder_that_cannot_be_written_is_one_line(run: Command, tmp_path: Path, verb: str):
    (tmp_path / "taken").write_text("a file stands in the way")

    assert run(verb, OO_DATA_DIR=str(tmp_path / "taken")).complaint.startswith("OO_DATA_DIR: cannot write ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else_is_one_line(run: Command, tmp_path: Path):
    (tmp_path / "closed").mkdir(mode=0o500)

    assert run("run", OO_DATA_DIR=str(tmp_path / "closed")).complaint.startswith("OO_DATA_DIR: cannot write ")


def test_migrating_brings_the_database_up_to_date_and_twice_does_no_harm(run: Command, tmp_path: Path):
    for _ in range(2):
        assert run("migrate").out == "The database is up to date.\n"

    assert (tmp_path / "oo.db").stat().st_size > 0


def test_models_and_migrations_are_in_step(run: Command, tmp_path: Path):
    assert run("migrate", "--check").code == 0
    assert not (tmp_path / "oo.db").exists()


def test_a_model_without_its_migration_is_a_problem(run: Command):
    planted = Table("planted", SQLModel.metadata, Column("id", Integer, primary_key=True))
    try:
        ran = run("migrate", "--check")
    finally:
        SQLModel.metadata.remove(planted)

    assert ran.code == 1
    assert "planted" in ran.err
    assert "Traceback" not in ran.err


def test_a_database_that_is_none_is_one_line(run: Command, tmp_path: Path):
    (tmp_path / "oo.db").write_bytes(b"not a database, but long enough to be looked at" * 100)

    assert run("migrate").complaint.startswith("DATABASE_URL: ")


def test_a_database_in_a_folder_that_is_not_there_is_one_line(run: Command, tmp_path: Path):
    url = f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/oo.db"

    assert run("migrate", DATABASE_URL=url).complaint.startswith("DATABASE_URL: ")


def test_the_doctor_explains_every_variable_and_shows_no_secret(run: Command, tmp_path: Path):
    ran = run("doctor", PORT="9000")

    assert [name for name, *_ in explain() if name not in ran.out] == []
    assert "http://localhost:9000, with the sandbox" in ran.out
    assert (tmp_path / "secret.key").read_text() not in ran.out


def test_the_doctor_finds_keys_that_open_nothing(run: Command, tmp_path: Path):
    (tmp_path / "keys.db").write_bytes(b"not a database, but long enough to be looked at" * 100)

    assert run("doctor").complaint.startswith("OO_KEYS_URL: ")


def test_an_operator_needs_an_address(run: Command):
    ran = run("user", "export")

    assert ran.code == 2
    assert "Missing argument 'EMAIL'" in ran.err


@pytest.mark.server
def test_a_port_that_is_taken_is_one_line(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        ran = start("run", folder=tmp_path, PORT=port)

    assert ran.complaint.startswith(f"PORT: cannot listen on 127.0.0.1:{port} (Address already in use)")
    assert ran.out == ""


@pytest.mark.server
def test_without_a_migrated_database_nobody_is_found(tmp_path: Path):
    ran = start("user", "export", "ada@example.org", folder=tmp_path)

    assert ran.complaint == "Error: The database is not up to date; `oo migrate` brings it there."


async def a_person_of(rt: Runtime, issuer: str, email: str) -> str:
    user_id, _ = await accounts.sign_in(rt, Person(issuer, email, email, None), replacing=None)
    return user_id


async def operate(tmp_path: Path, *arguments: str) -> Ran:
    """Run the program on the database of the test's runtime, beside it."""
    keys = {"OO_SECRET_KEYS": KEY, "OO_ENCRYPTION_KEYS": KEY[::-1]}
    return await asyncio.to_thread(start, *arguments, folder=tmp_path, **keys)


@pytest.mark.server
async def test_an_operator_hands_out_and_deletes_everybody_with_an_address(rt: Runtime, tmp_path: Path):
    issuers = ("https://accounts.google.com", "https://appleid.apple.com")
    people = {await a_person_of(rt, issuer, "Ada@example.org") for issuer in issuers}
    ben = await a_person_of(rt, issuers[0], "ben@example.org")

    exported = await operate(tmp_path, "user", "export", "ada@EXAMPLE.org")
    deleted = await operate(tmp_path, "user", "delete", "ada@example.org")
    again = await operate(tmp_path, "user", "delete", "ada@example.org")
    one = await operate(tmp_path, "user", "export", "ben@example.org")

    assert {held["account"]["id"] for held in json.loads(exported.out)} == people
    assert (deleted.code, deleted.out) == (0, "Deleted.\nDeleted.\n")
    assert again.complaint == "Error: Nobody here has that address."
    assert json.loads(one.out)["account"]["id"] == ben
    assert [row.id for row in await rows(rt, User)] == [ben]
