"""A plain table for a terminal or a closing note."""

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One figure: what, how much, what was aimed at."""

    figure: str
    measured: str
    target: str


def table(head: Sequence[str], rows: Sequence[Row]) -> str:
    """Return rows as Markdown, columns aligned."""
    cells = [list(head), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
