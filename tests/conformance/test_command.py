"""`oo source check`: what it says, and how it ends."""

import json
from pathlib import Path

import pytest

from oo_app.conformance import CHECKS
from oo_app.sources import SOURCES
from tests.commands import Command
from tests.conformance.page import planted, recordings, tidy

pytestmark = pytest.mark.long

PAGE_OF_TWO = {
    "todos": [{"id": "1", "title": "quokka one", "done_at": None}, {"id": "2", "title": "quokka two", "done_at": None}],
    "seq": 2,
    "more": False,
}


def test_a_check_says_what_came_of_it(run: Command, tmp_path: Path):
    ran = run("source", "check", "ical", "--only", "torn")

    assert ran.code == 0
    assert ran.out.splitlines()[0] == "ok             torn"
    assert "ical: 1 ok, in " in ran.out
    assert [file.name for file in tmp_path.iterdir()] == []


def test_a_source_without_a_stand_in_is_told_where_one_belongs(run: Command):
    source, _ = tidy(('name = "tidy"', 'name = "untidy"'))
    with planted(source):
        ran = run("source", "check", "untidy", "--only", "torn")

    assert "There is no stand-in for 'untidy'" in ran.complaint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "There is no source 'nothing'; there are: "),
        ([], "NAME is missing; there are: "),
        (["ical", "--only", "nothing-such"], "There is no check 'nothing-such'"),
        (["ical", "--recorded", "nowhere"], "stand.json"),
    ],
    ids=["no such source", "no name", "no such check", "no recordings"],
)
def test_what_cannot_be_checked_is_said(arguments: list[str], said: str, run: Command):
    ran = run("source", "check", *arguments)

    assert ran.code != 0
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_the_list_names_every_check_and_source(run: Command):
    ran = run("source", "check", "--list")

    assert [check.name for check in CHECKS if f"{check.name} " not in ran.out] == []
    assert ran.out.splitlines()[-1] == f"Sources: {', '.join(sorted(source.name for source in SOURCES))}"


def test_every_check_says_what_it_is_for():
    assert [check.name for check in CHECKS if len(check.meaning) < 20] == []
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_recordings_stand_in_for_a_server(run: Command, tmp_path: Path):
    exchange, set_up = map(json.loads, recordings())
    folder = tmp_path / "recorded"
    folder.mkdir()
    (folder / "stand.json").write_text(json.dumps(set_up))
    (folder / "1.json").write_text(json.dumps(exchange | {"response": {"json": PAGE_OF_TWO}}))
    source, _ = tidy()

    with planted(source):
        torn = run("source", "check", "tidy", "--recorded", "recorded", "--only", "torn")
        changes = run("source", "check", "tidy", "--recorded", "recorded", "--only", "changes")

    assert (torn.code, torn.out.split()[0]) == (0, "ok")
    assert "recordings cannot be told anything" in changes.out


def test_a_source_that_takes_half_for_whole_fails_on_recordings_too(run: Command, tmp_path: Path):
    exchange, set_up = map(json.loads, recordings())
    (tmp_path / "stand.json").write_text(json.dumps(set_up))
    (tmp_path / "1.json").write_text(json.dumps(exchange | {"response": {"json": PAGE_OF_TWO}}))
    lax = '{"todos": [], "seq": 1} if answer.body[-1:] != b"}" else answer.json()'
    source, _ = tidy(("mapping(_good(answer).json())", lax))

    with planted(source):
        ran = run("source", "check", "tidy", "--recorded", ".", "--only", "torn")

    assert ran.code == 1
    assert ran.out.startswith("FAILED         torn")
