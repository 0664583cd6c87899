"""What the documents name exists: commands, variables, dependencies, links."""

import re
import tomllib

import pytest

from oo_app.kit.config import RESERVED, explain
from tests.house.tree import ROOT, read

DOCUMENTS = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]
SETTINGS = {name for name, *_ in explain()}


def code(text: str) -> str:
    """What stands between backticks or in fenced blocks."""
    return "\n".join(re.findall(r"`+([^`]+)`+", text))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_exist(document: str):
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    named = {
        word for line in re.findall(r"\bmake((?: [a-z-]+)+)", code(read(ROOT / document))) for word in line.split()
    }

    assert named - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", read(ROOT / document))

    assert [link for link in links if not (ROOT / document).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("document", [".env.example", "README.md", "docs/operations.md"])
def test_variables_exist(document: str):
    named = set(re.findall(r"\b(?:OO|GOOGLE|APPLE|TODOIST|ADMIN)_[A-Z_]*[A-Z]\b", read(ROOT / document)))

    assert named - SETTINGS - set(RESERVED) == set()


def test_every_variable_is_documented():
    documented = set(re.findall(r"`([A-Z_]+)`", read(ROOT / "docs/operations.md")))

    assert SETTINGS - documented == set()


def dependencies() -> list[str]:
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return sorted(re.split(r"[^a-z0-9-]", line)[0] for line in wanted)


def test_every_dependency_has_its_reason():
    explained = re.findall(r"^- `([a-z0-9-]+)`: ", read(ROOT / "docs/dependencies.md"), re.MULTILINE)

    assert dependencies() == sorted(explained)


def test_every_dependency_is_pinned():
    pinned = re.findall(r"^([a-z0-9-]+)==", read(ROOT / "constraints.txt"), re.MULTILINE)

    assert set(dependencies()) - set(pinned) == set()
