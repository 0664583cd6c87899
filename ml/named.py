"""A few columns taken by their names, each brought to about one: the plain policies' view of a decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ml.design import PERIODS, Design, design, unscaled
from ml.types import Array, Schema, some

MOST_CROSSES = 64  # of a schema of other columns, for a head of its own
LARGEST = {"task_age_days": 365.0, "priority": 4.0, **PERIODS}


class View(Protocol):
    """What a plain policy weighs: columns (n, d), and what each candidate's column (m,) contributes to a score."""

    @property
    def width(self) -> int:
        """Return d."""
        ...

    def columns(self, context: Array, candidates: Array) -> Array:
        """Return the columns (n, d) of candidates (n, m) in a context (k,), or each in one of its own (n, k)."""
        ...

    def credited(self, parts: Array) -> Array:
        """Add up parts (d,) of a score by the candidate's column (m,) they come from."""
        ...


@dataclass(frozen=True, slots=True)
class Named:
    """Columns of candidates, then of the context: as they are, or as `waves`, the sine and cosine of a round."""

    schema: Schema
    candidate: tuple[str, ...]
    context: tuple[str, ...]
    waves: bool

    @property
    def width(self) -> int:
        """Return d."""
        return len(self.candidate) + len(self.context) * (2 if self.waves else 1)

    def columns(self, context: Array, candidates: Array) -> Array:
        """Return the columns (n, d)."""
        context, candidates = (np.nan_to_num(part, posinf=1.0, neginf=-1.0) for part in (context, some(candidates)))
        own = [candidates[:, self.schema.candidates.index(name)] / LARGEST.get(name, 1.0) for name in self.candidate]
        moment = [context[..., self.schema.context.index(name)] / LARGEST.get(name, 1.0) for name in self.context]
        if self.waves:
            moment = [wave(2 * np.pi * part) for part in moment for wave in (np.sin, np.cos)]
        parts = np.broadcast_arrays(*own, *moment)
        return np.clip(np.stack(parts, axis=1), -1.0, 1.0)

    def credited(self, parts: Array) -> Array:
        """Credit a candidate's column with its part; the context's parts are the same for all."""
        credit = np.zeros(len(self.schema.candidates))
        credit[[self.schema.candidates.index(name) for name in self.candidate]] = parts[: len(self.candidate)]
        return credit


@dataclass(frozen=True, slots=True)
class Whole:
    """All columns of a schema, crossed."""

    design: Design

    @property
    def width(self) -> int:
        """Return d."""
        return self.design.width

    def columns(self, context: Array, candidates: Array) -> Array:
        """Return the columns (n, d)."""
        return self.design.columns(context, self.design.seen(candidates))[0]

    def credited(self, parts: Array) -> Array:
        """Credit the columns of a candidate, crosses included."""
        return self.design.credited(parts)


def named(schema: Schema, candidate: Sequence[str], context: Sequence[str], *, waves: bool) -> View:
    """View a schema by the named columns; one that lacks any of them, by all it has."""
    if set(candidate) <= set(schema.candidates) and set(context) <= set(schema.context):
        return Named(schema, tuple(candidate), tuple(context), waves)
    return whole(schema)


def whole(schema: Schema) -> View:
    """View a schema by all its columns."""
    return Whole(design(schema, unscaled(schema), MOST_CROSSES))
