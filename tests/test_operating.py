"""The operator's verbs as they are typed: copies, restores, rotation, purge, and what the doctor finds."""

import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from oo_app import accounts
from oo_app.ops import RULES
from oo_app.runtime import Runtime
from tests.commands import Command, Ran, start
from tests.outside import snapshot
from tests.people import a_person, a_tip, decision
from tests.served import ROOT, served

pytestmark = pytest.mark.long

OURS = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210")  # as in conftest
KEYS = {"OO_SECRET_KEYS": OURS[0], "OO_ENCRYPTION_KEYS": OURS[1]}
NEW = "a-new-key-" * 5
OPERATIONS = ROOT / "docs" / "operations.md"


@pytest.fixture
async def folder(rt: Runtime, tmp_path: Path) -> Path:
    """A data folder with two people in it, nothing running on it."""
    await a_person(rt, "ada")
    await a_person(rt, "ben")
    made = await snapshot(rt, tmp_path / "operated")
    made.chmod(0o700)
    return made


def on(folder: Path, run: Command, *arguments: str, **variables: str) -> Ran:
    return run(*arguments, OO_DATA_DIR=str(folder), **(KEYS | variables))


def count(file: Path, table: str) -> int:
    with closing(sqlite3.connect(file)) as opened:
        return int(opened.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])


def test_a_backup_lands_where_one_says_or_in_the_data_folder(run: Command, folder: Path, tmp_path: Path):
    ran = on(folder, run, "backup", "copy.db")  # a name is meant from where one stands
    here = on(folder, run, "backup")

    assert (ran.code, here.code) == (0, 0)
    assert f"Wrote {tmp_path / 'copy.db'}: 2 people, " in ran.out
    assert "People's keys are not in it" in ran.out
    assert count(tmp_path / "copy.db", "user") == 2
    (made,) = (folder / "backups").iterdir()
    assert str(made) in here.out


def test_keys_are_backed_up_by_themselves_and_old_copies_go(run: Command, folder: Path):
    (folder / "backups").mkdir()
    (folder / "backups" / "keys-20200101T000000Z.db").touch()

    ran = on(folder, run, "backup", "--keys")

    assert "the keys of 2 people" in ran.out
    assert "Removed 1 of the earlier copies" in ran.out
    (made,) = (folder / "backups").iterdir()
    assert count(made, "person_key") == 2


def test_a_restore_says_what_came_of_it(run: Command, folder: Path, tmp_path: Path):
    on(folder, run, "backup", str(tmp_path / "copy.db"))
    on(folder, run, "backup", "--keys", str(tmp_path / "keys.db"))
    (folder / "oo.db").unlink()
    (folder / "keys.db").unlink()

    ran = on(folder, run, "restore", str(tmp_path / "copy.db"))
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "Restored. People: 2. Everybody has to sign in again.",
        "Deleted since the backup, and forgotten again: 0.",
        "Without a key, so that nothing of theirs can be read: 2 (`oo restore --keys FILE`).",
    ]
    assert on(folder, run, "run").complaint.startswith("OO_KEYS_URL: no key of anybody")

    again = on(folder, run, "restore", "--keys", str(tmp_path / "keys.db"))
    assert again.out == "Added 2 keys. Left out, because their people were deleted: 0.\n"
    assert on(folder, run, "doctor").code == 0


def test_a_bad_backup_is_one_line(run: Command, folder: Path, tmp_path: Path):
    (tmp_path / "letter.db").write_text("Dear diary")

    assert "is not a database" in on(folder, run, "restore", str(tmp_path / "letter.db")).complaint
    assert "there is no such file" in on(folder, run, "restore", "nothing.db").complaint


def test_rotation_says_how_many_and_is_done_at_once(run: Command, folder: Path):
    both = {"OO_SECRET_KEYS": f"{NEW},{OURS[0]}", "OO_ENCRYPTION_KEYS": f"{NEW},{OURS[1]}"}

    first, second = on(folder, run, "keys", "rotate", **both), on(folder, run, "keys", "rotate", **both)
    after = on(folder, run, "doctor", OO_SECRET_KEYS=NEW, OO_ENCRYPTION_KEYS=NEW)

    assert first.out.startswith("Now under the first of OO_ENCRYPTION_KEYS: 2 people's keys more than before.")
    assert second.out.startswith("Now under the first of OO_ENCRYPTION_KEYS: 0 people's keys more than before.")
    assert "2, all under the first of OO_ENCRYPTION_KEYS" in after.out


@pytest.fixture
async def decided(rt: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, str]:
    """A data folder with a decision in it, and that decision's id."""
    ada = await a_person(rt, "ada", tasks=5)
    made_by = await decision(rt, (await a_tip(rt, ada.id)).tip.impression_id)
    made = await snapshot(rt, tmp_path / "decided")
    made.chmod(0o700)
    capsys.readouterr()  # what was logged meanwhile is not what the command says
    return made, made_by.id


def test_a_decision_is_worked_out_again(run: Command, decided: tuple[Path, str]):
    folder, decision_id = decided

    ran = on(folder, run, "decision", "replay", decision_id)

    assert ran.code == 0
    assert ran.out.startswith("The same again: random chose candidate ")


def test_a_decision_that_comes_out_otherwise_is_told(run: Command, decided: tuple[Path, str]):
    folder, decision_id = decided
    with closing(sqlite3.connect(folder / "oo.db")) as opened, opened:
        opened.execute("UPDATE decision SET chosen = (chosen + 1) % 5")

    ran = on(folder, run, "decision", "replay", decision_id)

    assert ran.code != 0
    assert "It came out otherwise" in ran.complaint


def test_an_unknown_decision_is_told(run: Command, decided: tuple[Path, str]):
    ran = on(decided[0], run, "decision", "replay", "nothing-such")

    assert ran.code != 0
    assert "There is no such decision" in ran.complaint


def test_the_purge_counts(run: Command, folder: Path):
    ran = on(folder, run, "purge")

    assert ran.out.splitlines() == [f"{rule.name.replace('_', ' ')}: 0" for rule in RULES]


def test_what_is_kept_for_a_time_only_is_in_the_docs():
    told = re.findall(r"^\| ([a-z ]+) \| ([^|]+) \| ([^|]+) \|$", OPERATIONS.read_text(), re.MULTILINE)

    assert [row for row in told if row[0] in {rule.name.replace("_", " ") for rule in RULES}] == [
        (rule.name.replace("_", " "), rule.kept, rule.why) for rule in RULES
    ]


def findings(ran: Ran) -> dict[str, bool]:
    """Return what the doctor found: name → whether that is in order."""
    lines = [line for line in ran.out.splitlines() if line.startswith(("ok ", "NOT OK "))]
    return {line[9:21].strip(): line.startswith("ok ") for line in lines}


def test_the_doctor_finds_nothing_wrong_with_a_new_installation(run: Command, tmp_path: Path):
    tmp_path.chmod(0o700)

    ran = run("doctor")

    assert ran.code == 0
    assert set(findings(ran).values()) == {True}
    assert len(findings(ran)) == 11
    assert not (tmp_path / "oo.db").exists()


def without_a_key(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "keys.db")) as opened:
        opened.execute("DELETE FROM person_key WHERE user_id = (SELECT min(user_id) FROM person_key)")
        opened.commit()


def old_keys(folder: Path) -> None:
    (folder / "backups").mkdir()
    (folder / "backups" / "keys-20200101T000000Z.db").touch()


def open_to_all(folder: Path) -> None:
    folder.chmod(0o755)


def of_another_version(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "oo.db")) as opened:
        opened.execute("UPDATE alembic_version SET version_num = '0001'")
        opened.commit()


def damaged(folder: Path) -> None:
    with (folder / "oo.db").open("r+b") as file:
        file.seek(8192)
        file.write(b"\x00\xff" * 20_000)


def from_the_future(folder: Path) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=1)).timestamp()
    os.utime(folder / "oo.db", (ahead, ahead))


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (without_a_key, "people"),
        (old_keys, "key backups"),
        (open_to_all, "data folder"),
        (of_another_version, "database"),
        (damaged, "database"),
        (from_the_future, "clock"),
    ],
)
def test_the_doctor_finds_what_is_wrong(
    run: Command,
    folder: Path,
    spoil: Callable[[Path], None],
    name: str,
):
    spoil(folder)

    ran = on(folder, run, "doctor")

    assert ran.code == 1
    assert findings(ran)[name] is False
    assert "Traceback" not in ran.err
    assert "Ready to start" not in ran.out


@pytest.mark.server
async def test_the_doctor_finds_the_deleted_who_are_back(rt: Runtime, tmp_path: Path):
    ada = await a_person(rt, "ada")
    folder = await snapshot(rt, tmp_path / "operated")
    folder.chmod(0o700)
    await accounts.erase(rt, ada.id)
    shutil.copy(tmp_path / "keys.db", folder / "keys.db")

    ran = start("doctor", folder=folder, **KEYS)

    assert ran.code == 1
    assert {name for name, is_ok in findings(ran).items() if not is_ok} == {"people", "deletions"}
    assert start("purge", folder=folder, **KEYS).code == 0
    assert set(findings(start("doctor", folder=folder, **KEYS)).values()) == {True}


@pytest.mark.browser
def test_while_oo_runs_copies_are_made_and_nothing_is_restored(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    with served(folder) as site:
        copy = start("backup", str(tmp_path / "copy.db"), folder=folder)
        keys = start("backup", "--keys", folder=folder)
        rotated = start("keys", "rotate", folder=folder)
        refused = start("restore", str(tmp_path / "copy.db"), folder=folder)
        assert httpx.get(f"{site.url}/readyz").status_code == 200

    assert (copy.code, keys.code, rotated.code) == (0, 0, 0)
    assert refused.complaint == f"OO_DATA_DIR: another oO is running on {folder}"
    assert start("restore", str(tmp_path / "copy.db"), folder=folder).code == 0
