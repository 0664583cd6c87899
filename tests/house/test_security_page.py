"""docs/security.md answers every requirement once, counts itself rightly, and names only what exists."""

import re
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.house.tree import ROOT, read

PAGE, RULES = "docs/security.md", "docs/security-rules.md"
STATUSES = ("met", "n/a", "not met")
ROW = re.compile(r"\| (?P<id>V[\d.]+) \| (?P<level>\d) \| (?P<asked>[^|]+) \| (?P<status>[^|]+) \| (?P<why>[^|]+) \|")
COUNT = re.compile(r"^\| (1|2|both) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", re.MULTILINE)
# A path of ours in backticks, with `::name` where it speaks of one thing in the file.
NAMED = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|js|css|md|toml|txt|json|html)|\.ci/run)(?:::(\w+))?`")


@dataclass(frozen=True)
class Row:
    """One requirement, as the page answers it."""

    id: str
    level: str
    status: str
    why: str


def rows(text: str) -> list[Row]:
    """Read the tables; a line that begins like a row and is none counts as one of no status."""
    lines = [line for line in text.splitlines() if line.startswith("| V")]
    matches = [(line, ROW.fullmatch(line)) for line in lines]
    return [
        Row(match["id"], match["level"], match["status"], match["why"]) if match else Row(line, "", "", "")
        for line, match in matches
    ]


def wanted() -> list[str]:
    """The ids of levels 1 and 2, each with its level."""
    return read(ROOT / "tests/house/asvs.txt").splitlines()


def misfits(found: list[Row], asked: list[str]) -> list[str]:
    """Name the ids that are missing, doubled, of another level or made up, and the statuses that are none."""
    answered = Counter(f"{row.id} {row.level}" for row in found)
    wrong = (answered - Counter(asked)) + (Counter(asked) - answered)
    return [*wrong, *(f"{row.id}: {row.status}" for row in found if row.status not in STATUSES)]


def miscounts(text: str) -> list[str]:
    """Name the lines on top that do not say what the tables hold."""
    found, told = rows(text), {line[0]: [int(number) for number in line[1:]] for line in COUNT.findall(text)}
    wrong: list[str] = []
    for name, levels in (("1", "1"), ("2", "2"), ("both", "12")):
        counted = Counter(row.status for row in found if row.level and row.level in levels)
        right = [*(counted[status] for status in STATUSES), sum(counted.values())]
        if told.get(name) != right:
            wrong.append(f"{name}: {right}, not {told.get(name)}")
    return wrong


def absent(text: str) -> list[str]:
    """Name the files that are not there, and the names that are not in their file."""
    return [
        f"{path}::{name}" if name else path
        for path, name in NAMED.findall(text)
        if not (ROOT / path).is_file() or (name and not re.search(rf"\b{name}\b", read(ROOT / path)))
    ]


def unproven(found: list[Row]) -> list[str]:
    """Name the requirements that are said to be met by nothing one could open."""
    return [row.id for row in found if row.status == "met" and not NAMED.search(row.why)]


def test_every_requirement_is_answered_once():
    assert len(wanted()) == 253
    assert misfits(rows(read(ROOT / PAGE)), wanted()) == []


def test_the_counts_are_those_of_the_tables():
    assert miscounts(read(ROOT / PAGE)) == []


@pytest.mark.parametrize("document", [PAGE, RULES])
def test_what_is_named_exists(document: str):
    assert absent(read(ROOT / document)) == []


def test_what_is_met_is_met_by_something():
    assert unproven(rows(read(ROOT / PAGE))) == []


GOOD = "| V1.1.1 | 2 | Once | met | by `oo_app/serve.py::run` |"


def test_a_good_row_passes():
    assert (misfits(rows(GOOD), ["V1.1.1 2"]), absent(GOOD), unproven(rows(GOOD))) == ([], [], [])


@pytest.mark.parametrize(
    "planted",
    [
        "",
        f"{GOOD}\n{GOOD}",
        GOOD.replace("| 2 |", "| 1 |"),
        GOOD.replace("V1.1.1", "V1.1.9"),
        GOOD.replace("| met |", "| nearly met |"),
        GOOD.removesuffix(" |"),
    ],
)
def test_a_planted_misfit_is_named(planted: str):
    assert misfits(rows(planted), ["V1.1.1 2"]) != []


@pytest.mark.parametrize("planted", ["oo_app/nothing.py", "oo_app/serve.py::no_such_name", "tests/nothing/test_x.py"])
def test_a_planted_reference_to_nothing_is_named(planted: str):
    assert absent(f"met by `oo_app/serve.py` and `{planted}`") == [planted]


def test_a_planted_claim_without_a_file_is_named():
    assert unproven(rows("| V1.1.1 | 2 | Once | met | we think so |")) == ["V1.1.1"]


@pytest.mark.parametrize("both", ["| both | 1 | 0 | 0 | 2 |", "| both | 0 | 1 | 0 | 1 |", ""])
def test_a_planted_count_is_named(both: str):
    counts = f"| 1 | 0 | 0 | 0 | 0 |\n| 2 | 1 | 0 | 0 | 1 |\n{both}\n{GOOD}"

    assert len(miscounts(counts)) == 1
