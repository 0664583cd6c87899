"""From raw columns to what a linear model weighs: scaled, bounded, crossed; each traced to where it came from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.types import Array, Index, Scaling, Schema, some

# Columns whose ends meet, with their length: midnight is next to eleven in the evening.
PERIODS = {"hour_of_day": 24.0, "day_of_week": 7.0}
MOST_CROSSES = 1024
BEYOND = 12.0  # asinh of a hundred thousand spreads; whatever lies further is not told apart


@dataclass(frozen=True, slots=True)
class Design:
    """How a context (k,) and candidates (n, m) become the columns X (n, d) of everybody and Z (n, m + 1) of a person.

    X is [candidate, context × candidate for each of `pairs` (p, 2), context, 1], Z is [candidate, 1]. The context is
    taken wide: a column of PERIODS becomes sine and cosine of its first two waves.
    """

    schema: Schema
    scaling: Scaling
    pairs: Index

    @property
    def width(self) -> int:
        """Return d."""
        return len(self.schema.candidates) + len(self.pairs) + len(wide_names(self.schema.context)) + 1

    @property
    def own_width(self) -> int:
        """Return how many columns a person's head weighs."""
        return len(self.schema.candidates) + 1

    def seen(self, candidates: Array) -> Array:
        """Scale candidates (n, m)."""
        return squashed(some(candidates), self.scaling.centre, self.scaling.spread)

    def own(self, seen: Array) -> Array:
        """Return Z (n, m + 1) of scaled candidates."""
        return np.concatenate([seen, np.ones((len(seen), 1))], axis=1)

    def all(self, contexts: Array, seen: Array) -> Array:
        """Return X (n, d) of scaled candidates in one context (k,), or each in one of its own (n, k)."""
        wide = np.atleast_2d(self.wide(contexts))
        (n, m), p = seen.shape, len(self.pairs)
        x = np.empty((n, m + p + wide.shape[1] + 1))
        x[:, :m] = seen
        np.multiply(seen[:, self.pairs[:, 1]], wide[:, self.pairs[:, 0]], out=x[:, m : m + p])
        x[:, m + p : -1] = wide
        x[:, -1] = 1.0
        return x

    def wide(self, contexts: Array) -> Array:
        """Return contexts (…, k) as X holds them: scaled, their periodic columns as waves."""
        scaled = squashed(contexts, self.scaling.context_centre, self.scaling.context_spread)
        parts = [
            part
            for column, name in enumerate(self.schema.context)
            for part in (_waves(contexts[..., column], PERIODS[name]) if name in PERIODS else [scaled[..., column]])
        ]
        return np.stack(parts, axis=-1) if parts else scaled

    def credited(self, parts: Array) -> Array:
        """Add up parts of a score, by column of X (d,), by the candidate's column (m,) that they come from."""
        m, p = len(self.schema.candidates), len(self.pairs)
        credit = parts[:m].copy()
        np.add.at(credit, self.pairs[:, 1], parts[m : m + p])
        return credit


def design(schema: Schema, scaling: Scaling, most_crosses: int = MOST_CROSSES) -> Design:
    """Cross every column of the context with every column of a candidate, or so many of them, evenly spread."""
    wide, m = len(wide_names(schema.context)), len(schema.candidates)
    every = np.stack(np.meshgrid(np.arange(wide), np.arange(m), indexing="ij"), axis=-1).reshape(-1, 2)
    if len(every) > most_crosses:
        every = every[np.linspace(0, len(every) - 1, most_crosses).astype(np.intp)]
    return Design(schema, scaling, every.astype(np.intp))


def wide_names(context: Sequence[str]) -> list[str]:
    """Name the columns of the context taken wide."""
    waves = ("sin", "cos", "sin2", "cos2")
    return [part for name in context for part in ([f"{name}_{w}" for w in waves] if name in PERIODS else [name])]


def unscaled(schema: Schema) -> Scaling:
    """Take the columns as they are."""
    k, m = len(schema.context), len(schema.candidates)
    return Scaling(np.zeros(k), np.ones(k), np.zeros(m), np.ones(m))


def squashed(values: Array, centre: Array, spread: Array) -> Array:
    """Scale, and let what lies far out count by its magnitude only; what is no number lies at the centre."""
    scaled = (values - centre) / spread
    if not np.isfinite(scaled).all():
        scaled = np.nan_to_num(scaled, nan=0.0, posinf=np.sinh(BEYOND), neginf=-np.sinh(BEYOND))
    return np.clip(np.arcsinh(scaled), -BEYOND, BEYOND)


def _waves(values: Array, period: float) -> list[Array]:
    turn = np.where(np.isfinite(values), values, 0.0) * (2 * np.pi / period)
    return [np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)]
