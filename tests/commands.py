"""The command line as a test calls it: in this process, or as people do."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from oo_app.cli import main
from oo_app.kit.config import explain

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line a failed command says."""
        assert self.code != 0
        assert "Traceback" not in self.err
        (line,) = self.err.strip().splitlines()
        return line


Command = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Call the command line in this process, with nothing set but a data folder."""

    def called(*arguments: str, **variables: str) -> Ran:
        for name in os.environ:
            if name.startswith("OO_") or name in {known for known, *_ in explain()}:
                monkeypatch.delenv(name)
        for name, value in ({"OO_DATA_DIR": str(tmp_path)} | variables).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["oo", *arguments])
        monkeypatch.chdir(tmp_path)
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        out, err = capsys.readouterr()
        return Ran(code, out, err) if isinstance(code, int) else Ran(1, out, f"{err}{code}")

    return called


def start(*arguments: str, folder: Path, **variables: str) -> Ran:
    """Run the program as people do."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OO_") and name != "PORT"}
    environment = kept | {"OO_DATA_DIR": str(folder), **variables}
    done = subprocess.run(
        [sys.executable, "-m", "oo_app", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
