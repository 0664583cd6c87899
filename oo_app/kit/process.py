"""The environment of this process, for libraries that can be told what to do in no other way."""

import os
from collections.abc import Mapping
from pathlib import Path


def set_environment(variables: Mapping[str, str]) -> None:
    """Set variables for this process and for those it starts."""
    os.environ.update(variables)


def put_first_on_path(folder: Path) -> None:
    """Let programs of that folder be found before others of the same name."""
    os.environ["PATH"] = os.pathsep.join((str(folder), os.environ.get("PATH", os.defpath)))
