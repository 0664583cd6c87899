"""Writes docs/features.md from the registry; a test holds the two together."""

from pathlib import Path
from typing import Any

from oo_app.features import CANDIDATE_FEATURES, CONTEXT_FEATURES, SCHEMA, Feature
from oo_app.kit.config import Settings

PAGE = Path(__file__).parents[1] / "docs" / "features.md"
HEAD = f"""# Features

What a tip is chosen by: numbers about each candidate and about the moment, computed at one instant, stored with the
decision for thirty days, and part of everybody's download. `python -m scripts.features_page` writes this page from
`oo_app/features/registry.py`; it is schema version {SCHEMA}.

- **Missing**: where a value cannot be known the default stands in for it, and it is counted as missing. No calendar
  connected, or one that was never read, is missing; an empty day is not; a calendar that can no longer be read is late.
- **Late after**: the age from which what a feature rests on is late, twice the interval at which its source is read and
  at least 15 minutes (of several sources the longest is given here). A decision made from something late says so.
- **Privacy**: what a feature tells of a person: `nothing`, a `task`'s numbers, their `schedule`, their `behaviour`, or
  a trace of their `words`.
"""
COLUMNS = ("name", "meaning", "type", "from", "range", "default", "late after", "privacy", "version")


def page() -> str:
    """Return the page."""
    settings = Settings.model_construct()  # the defaults, whatever this machine sets
    tables = [
        f"\n## Of each candidate\n\n{_table([_row(each, settings) for each in CANDIDATE_FEATURES])}",
        f"\n## Of the moment\n\n{_table([_row(each, settings) for each in CONTEXT_FEATURES])}",
    ]
    return HEAD + "".join(tables)


def _row(feature: Feature[Any], settings: Settings) -> tuple[str, ...]:
    late_after = feature.late_after(settings)
    return (
        f"`{feature.name}`",
        feature.meaning,
        f"{feature.type}{f' ({feature.unit})' if feature.unit else ''}",
        feature.origin,
        f"{feature.low:g} to {feature.high:g}",
        f"{feature.default:g}",
        f"{late_after.total_seconds() / 60:g} min" if late_after else "-",
        feature.privacy,
        str(feature.version),
    )


def _table(rows: list[tuple[str, ...]]) -> str:
    lines = [COLUMNS, ("---",) * len(COLUMNS), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page())
