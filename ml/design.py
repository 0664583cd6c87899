"""From raw columns to what a linear model weighs: scaled, bounded, crossed; each traced to where it came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ml.types import Array, Index, Scaling, Schema, some

# Columns whose ends meet, with their length: midnight is next to eleven in the evening.
PERIODS = {"hour_of_day": 24.0, "day_of_week": 7.0}
MOST_CROSSES = 1024
NO_PAIRS: Index = np.empty((0, 2), dtype=np.intp)
FLAT = 1e-6  # of its size; a column that spreads less does not vary
STEEP = 2.0  # of a bend: from one side to the other within a spread
QUANTILES = (0.25, 0.5, 0.75)  # of a column, where it may bend
WAVES = 4  # two sines and two cosines
BEYOND = 12.0  # asinh of a hundred thousand spreads; whatever lies further is not told apart


@dataclass(frozen=True, slots=True)
class Design:
    """How a context (k,) and candidates (n, m) become the columns X (n, d) of everybody and Z (n, e) of a person.

    X is [candidate, bends of it, candidate × candidate for each of `products` (q, 2), context × candidate for each of
    `pairs` (p, 2), context, 1]. Z is [`own_columns` of a candidate, context × candidate for each of `own_pairs` (o, 2),
    1]. The context is taken wide: a column of PERIODS becomes sine and cosine of its first two waves.
    """

    schema: Schema
    scaling: Scaling
    pairs: Index
    products: Index
    own_columns: Index
    own_pairs: Index

    @property
    def parts(self) -> tuple[int, ...]:
        """Return how many columns of X each of its six parts has."""
        context = len(wide_names(self.schema.context))
        bends, products, pairs = len(self.scaling.bent), len(self.products), len(self.pairs)
        return len(self.schema.candidates), bends, products, pairs, context, 1

    @property
    def width(self) -> int:
        """Return d."""
        return sum(self.parts)

    @property
    def own_width(self) -> int:
        """Return e, how many columns a person's head weighs."""
        return len(self.own_columns) + len(self.own_pairs) + 1

    def seen(self, candidates: Array) -> Array:
        """Scale candidates (n, m)."""
        return squashed(some(candidates), self.scaling.centre, self.scaling.spread)

    def columns(self, contexts: Array, seen: Array) -> tuple[Array, Array]:
        """Return X (n, d) and Z (n, e) of scaled candidates in one context (k,), or each in one of its own (n, k)."""
        wide = np.atleast_2d(self.wide(contexts))
        return self._all(wide, seen), self._own(wide, seen)

    def _own(self, wide: Array, seen: Array) -> Array:
        own = len(self.own_columns)
        z = np.empty((len(seen), self.own_width))
        z[:, :own] = seen[:, self.own_columns]
        np.multiply(seen[:, self.own_pairs[:, 1]], wide[:, self.own_pairs[:, 0]], out=z[:, own:-1])
        z[:, -1] = 1.0
        return z

    def _all(self, wide: Array, seen: Array) -> Array:
        m, b, q, p, _, _ = self.parts
        x = np.empty((len(seen), self.width))
        x[:, :m] = seen
        if b:
            knots = np.arcsinh((self.scaling.knots - self.scaling.centre[self.scaling.bent]) / self._bent_spread)
            np.tanh(STEEP * (seen[:, self.scaling.bent] - knots), out=x[:, m : m + b])
        if q:
            np.multiply(seen[:, self.products[:, 0]], seen[:, self.products[:, 1]], out=x[:, m + b : m + b + q])
        if p:
            np.multiply(seen[:, self.pairs[:, 1]], wide[:, self.pairs[:, 0]], out=x[:, m + b + q : m + b + q + p])
        x[:, m + b + q + p : -1] = wide
        x[:, -1] = 1.0
        return x

    @property
    def _bent_spread(self) -> Array:
        return self.scaling.spread[self.scaling.bent]

    def wide(self, contexts: Array) -> Array:
        """Return contexts (…, k) as X holds them: scaled, their periodic columns as waves."""
        scaled = squashed(contexts, self.scaling.context_centre, self.scaling.context_spread)
        places = _places(self.schema.context)
        if not len(places.round):
            return scaled
        raw = np.where(np.isfinite(turns := contexts[..., places.round]), turns, 0.0)
        angles = raw * places.turn
        wide = np.empty((*scaled.shape[:-1], places.width))
        wide[..., places.plain_to] = scaled[..., places.plain]
        for wave, values in enumerate((np.sin(angles), np.cos(angles), np.sin(2 * angles), np.cos(2 * angles))):
            wide[..., places.round_to + wave] = values
        return wide

    def credited(self, parts: Array) -> Array:
        """Add up parts of a score, by column of X (d,), by the candidate's column (m,) that they come from."""
        m, b, q, p, _, _ = self.parts
        credit = parts[:m].copy()
        np.add.at(credit, self.scaling.bent, parts[m : m + b])
        for side in range(2):  # of a product, each column gets half
            np.add.at(credit, self.products[:, side], parts[m + b : m + b + q] / 2)
        np.add.at(credit, self.pairs[:, 1], parts[m + b + q : m + b + q + p])
        return credit

    def own_credited(self, parts: Array) -> Array:
        """Add up parts of a score, by column of Z (e,), by the candidate's column (m,) that they come from."""
        own, credit = len(self.own_columns), np.zeros(len(self.schema.candidates))
        credit[self.own_columns] = parts[:own]
        np.add.at(credit, self.own_pairs[:, 1], parts[own:-1])
        return credit


def design(schema: Schema, scaling: Scaling, most_crosses: int = MOST_CROSSES) -> Design:
    """Cross every column of the context with every column of a candidate, or so many of them, evenly spread."""
    wide, m = len(wide_names(schema.context)), len(schema.candidates)
    every = np.stack(np.meshgrid(np.arange(wide), np.arange(m), indexing="ij"), axis=-1).reshape(-1, 2)
    if len(every) > most_crosses:
        every = every[np.linspace(0, len(every) - 1, most_crosses).astype(np.intp)]
    return Design(schema, scaling, every.astype(np.intp), NO_PAIRS, np.arange(m), NO_PAIRS)


def wide_names(context: Sequence[str]) -> list[str]:
    """Name the columns of the context taken wide."""
    waves = ("sin", "cos", "sin2", "cos2")
    return [part for name in context for part in ([f"{name}_{w}" for w in waves] if name in PERIODS else [name])]


def unscaled(schema: Schema) -> Scaling:
    """Take the columns as they are."""
    k, m = len(schema.context), len(schema.candidates)
    return Scaling(np.zeros(k), np.ones(k), np.zeros(m), np.ones(m), np.empty(0, np.intp), np.empty(0))


def scaled(contexts: Array, candidates: Array) -> Scaling:
    """Take the scale of columns from rows that were seen: (r, k) and (s, m)."""
    context, own = (np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0) for rows in (contexts, candidates))
    bends = [(column, knot) for column, values in enumerate(own.T) for knot in _knots(values)]
    bent, knots = np.array([column for column, _ in bends], dtype=np.intp), np.array([knot for _, knot in bends])
    return Scaling(*_scale(context), *_scale(own), bent, knots)


def _scale(rows: Array) -> tuple[Array, Array]:
    """Return centre and spread of each column; one that does not vary is taken as it is."""
    if not len(rows):
        width = int(rows.shape[1])
        return np.zeros(width), np.ones(width)
    centre: Array = rows.mean(axis=0)
    spread: Array = rows.std(axis=0)
    is_still = spread <= FLAT * (1.0 + np.abs(centre))
    centre[is_still], spread[is_still] = 0.0, 1.0
    return centre, spread


def _knots(values: Array) -> Array:
    """Return the quantiles of a column that lie within it; none where it has two values at most."""
    if len(distinct := np.unique(values)) <= len(QUANTILES):
        return np.empty(0)
    found = np.unique(np.quantile(values, QUANTILES))
    return found[(found > distinct[0]) & (found < distinct[-1])]


def squashed(values: Array, centre: Array, spread: Array) -> Array:
    """Scale, and let what lies far out count by its magnitude only; what is no number lies at the centre."""
    scaled = (values - centre) / spread
    if not np.isfinite(scaled.sum()):
        scaled = np.nan_to_num(scaled, nan=0.0, posinf=np.sinh(BEYOND), neginf=-np.sinh(BEYOND))
    return np.clip(np.arcsinh(scaled), -BEYOND, BEYOND)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a context's columns stand when it is taken wide: plain ones, and round ones with four waves each."""

    plain: Index
    plain_to: Index
    round: Index
    round_to: Index
    turn: Array
    width: int


@lru_cache(maxsize=64)
def _places(context: tuple[str, ...]) -> _Places:
    plain: list[tuple[int, int]] = []
    round_: list[tuple[int, int]] = []
    width = 0
    for column, name in enumerate(context):
        (round_ if name in PERIODS else plain).append((column, width))
        width += WAVES if name in PERIODS else 1
    turn = np.array([2 * np.pi / PERIODS[context[column]] for column, _ in round_])
    (come, to), (round_come, round_to) = (np.array(each, dtype=np.intp).reshape(-1, 2).T for each in (plain, round_))
    return _Places(come, to, round_come, round_to, turn, width)
