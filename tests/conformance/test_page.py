"""docs/write-a-source.md, followed in a copy of the checkout: its files saved, its commands run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.page import commands, files
from tests.house.tree import ROOT

NEEDED = ("oo_app", "ml", "alembic", "alembic.ini", "state", "pages", "pyproject.toml")
SET_UP = "make check"  # installs, and looks at the whole checkout: what this suite does anyway


def followed(folder: Path) -> list[subprocess.CompletedProcess[str]]:
    """Do what the page says; return how each `oo` command ended."""
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    for place, text in files().items():
        (folder / place).write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OO_")}
    ran: list[subprocess.CompletedProcess[str]] = []
    for command in filter(SET_UP.__ne__, commands()):
        told = command.replace(".venv/bin/oo", f"{sys.executable} -m oo_app")
        done = subprocess.run(told, shell=True, cwd=folder, env=kept, capture_output=True, text=True, check=False)
        if told != command:
            ran.append(done)
        else:
            assert done.returncode == 0, done.stderr
    return ran


@pytest.mark.server
@pytest.mark.timeout(300)
def test_a_stranger_ends_with_a_source_that_passes(tmp_path: Path):
    listed, checked = followed(tmp_path)

    assert (listed.returncode, checked.returncode) == (0, 0), checked.stdout + checked.stderr
    assert "FAILED" not in checked.stdout
    assert checked.stdout.splitlines()[-1].startswith("tidy: ")
    # What the page breaks, it mends.
    assert (tmp_path / "oo_app/sources/tidy.py").read_text() == files()["oo_app/sources/tidy.py"]
