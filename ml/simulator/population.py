"""Who people are: drawn from clusters with a spread of their own. Every number stands in `population.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.simulator.columns import LABELS, SCHEMA
from ml.types import Array

FILE = Path(__file__).with_name("population.toml")
Index = NDArray[np.intp]
_STREAM = 1  # of chance: people, what happens to them and what they hold are drawn apart

# Which phenomenon a column's linear weight belongs to; the others belong to none and are never switched off.
_PHENOMENON = {
    **dict.fromkeys(("is_overdue", "has_due", "days_until_due", "has_due_time", "days_until_deadline"), "urgency"),
    **dict.fromkeys(("has_minutes", "estimated_minutes"), "energy"),
    **dict.fromkeys(("fits_gap", "busy_minutes"), "gaps"),
    **dict.fromkeys(("times_shown", "hours_since_shown", "refusal_fatigue", "refusals_in_a_row"), "fatigue"),
    **dict.fromkeys(("hour_of_day", "day_of_week", "done_this_hour"), "rhythm"),
    **dict.fromkeys(LABELS, "labels"),
    "priority": "priority",
    "is_recurring": "recurring",
    "tips_today": "habituation",
}


@dataclass(frozen=True, slots=True)
class Strength:
    """How loudly each phenomenon is heard."""

    rhythm: float
    energy: float
    urgency: float
    priority: float
    labels: float
    gaps: float
    fatigue: float
    novelty: float
    batches: float
    habituation: float
    travel: float
    odd_days: float
    silence: float
    recurring: float
    elsewhere: float
    undo: float
    drift: float


@dataclass(frozen=True, slots=True)
class Shapes:
    """The curves of taste."""

    energy_middle: float
    urgency_middle: float
    late_days: float
    usual_priority: float
    stakes_always: float
    other_days: float
    least_gap_minutes: float
    most_doublings: float


@dataclass(frozen=True, slots=True)
class Days:
    """How days pass."""

    waking_hours: float
    most_looks: int
    minutes_between_looks: float
    calendars: float
    most_meetings: int
    weekend_meetings: float
    meetings_from: float
    meetings_to: float
    meeting_minutes: Sequence[float]
    trip_days: Sequence[int]
    trip_hours: int
    body_hours_a_day: float
    read_minutes: float
    stale: float
    stale_hours: float
    histories: float
    completions: float


@dataclass(frozen=True, slots=True)
class Stock:
    """What lies open before people."""

    supply: int
    fewest: int
    most: int
    at_start: float
    age_days: float
    late_days: float
    priorities: Sequence[float]
    minutes: Sequence[float]
    minutes_shares: Sequence[float]
    labels: Sequence[float]
    dues: Sequence[float]
    due_days: float
    deadlines: float
    deadline_days: float
    recurring: float
    periods: Sequence[float]
    postponed: float
    dropped: float
    grace_days: float


@dataclass(frozen=True, slots=True)
class Answers:
    """What comes of a tip."""

    spell_silence: float
    dose_silence: float
    wear_days: float
    dull_silence: float
    least_silence: float
    most_silence: float
    odd_mood: float
    dismissal: float
    weary_dismissal: float
    snooze_weary: float
    dismiss_weary: float
    silence_weary: float
    batch_hours: float
    done_bands: Sequence[float]
    snooze_bands: Sequence[float]
    dismiss_bands: Sequence[float]
    weary_bands: Sequence[float]
    band_ends_ms: Sequence[float]
    elsewhere_shown: float
    elsewhere_due: float
    elsewhere_most: float
    elsewhere_soon: float
    snoozes: Sequence[float]


@dataclass(frozen=True, slots=True)
class Traits:
    """How p people live, (p,) each; what the numbers mean stands beside them in the file."""

    looks_per_day: Array
    weekend_share: Array
    middle_hour: Array
    gathered: Array
    home_offset: Array
    most_open: Array
    arrivals_per_day: Array
    meetings_per_day: Array
    minutes_told: Array
    grumpy: Array
    haste: Array
    silent: Array
    spells_per_month: Array
    spell_hours: Array
    bearable: Array
    wears_off: Array
    elsewhere: Array
    slips: Array
    trips_per_month: Array
    odd_days: Array
    postpones: Array
    recovery_hours: Array
    drift: Array


@dataclass(frozen=True, slots=True)
class Appetites:
    """How much p people make of what is not linear, (p,) each."""

    ready: Array
    peak_hour: Array
    energy: Array
    urgency: Array
    horizon_days: Array
    dread: Array
    stakes: Array
    hours: Array
    weekends: Array
    gaps: Array
    weariness: Array
    novelty: Array
    batches: Array


@dataclass(frozen=True, slots=True)
class Taste:
    """What p people like. Nobody but the simulator, its oracle and its judge may look into it.

    `weights` (p, m) and `moods` (p, k) are of raw columns, `offset` (p,) takes their centres out; each label group has
    its best hour and its kind of day, `label_hours` and `label_weekends` (p, 8).
    """

    appetites: Appetites
    weights: Array
    moods: Array
    offset: Array
    label_hours: Array
    label_weekends: Array

    def towards(self, other: "Taste", share: Array) -> "Taste":
        """Take so much (p,) of another's linear taste."""
        kept, taken = (1.0 - share)[:, None], share[:, None]
        return replace(
            self,
            weights=kept * self.weights + taken * other.weights,
            moods=kept * self.moods + taken * other.moods,
            offset=kept[:, 0] * self.offset + taken[:, 0] * other.offset,
        )


@dataclass(frozen=True, slots=True)
class People:
    """So many people: their cluster (p,), how they live, what they like, where taste drifts, and what it may become."""

    cluster: Index
    traits: Traits
    taste: Taste
    drifts_to: Taste
    another: Taste

    def __len__(self) -> int:
        return len(self.cluster)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A kind of people: how many of all, and what differs from the usual, by name."""

    name: str
    share: float
    usual: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Population:
    """From whom people are drawn. `spreads` and `weights` are the file's rows by name."""

    nonlinearity: float
    strength: Strength
    spreads: Mapping[str, Sequence[float]]
    weights: Mapping[str, Sequence[float]]
    clusters: Sequence[Cluster]
    shapes: Shapes
    days: Days
    stock: Stock
    answers: Answers

    def draw(self, people: int, seed: int) -> People:
        """Draw so many people; the same seed draws the same."""
        rng = np.random.default_rng([seed, _STREAM])
        shares = np.array([cluster.share for cluster in self.clusters])
        cluster = rng.choice(len(shares), size=people, p=shares / shares.sum()).astype(np.intp)
        return People(
            cluster=cluster,
            traits=Traits(**{each.name: self._trait(each.name, cluster, rng) for each in fields(Traits)}),
            taste=self._taste(cluster, rng),
            drifts_to=self._taste(cluster, rng),
            another=self._taste(rng.permutation(cluster), rng),
        )

    def heard(self, phenomenon: str) -> float:
        """Return how loudly a phenomenon is heard."""
        return float(getattr(self.strength, phenomenon))

    def _trait(self, name: str, cluster: Index, rng: np.random.Generator) -> Array:
        usual, spread, least, most = self.spreads[name]
        middle = self._usual(name, usual)[cluster]
        return np.clip(middle + spread * rng.standard_normal(len(cluster)), least, most)

    def _usual(self, name: str, usual: float) -> Array:
        return np.array([each.usual.get(name, usual) for each in self.clusters])

    def _taste(self, cluster: Index, rng: np.random.Generator) -> Taste:
        appetites = Appetites(**{each.name: self._trait(each.name, cluster, rng) for each in fields(Appetites)})
        weights, centred = self._linear(SCHEMA.candidates, cluster, rng)
        moods, centred_moods = self._linear(SCHEMA.context, cluster, rng)
        return Taste(
            appetites=appetites,
            weights=weights,
            moods=moods,
            offset=centred + centred_moods,
            label_hours=rng.uniform(7.0, 22.0, (len(cluster), len(LABELS))),
            label_weekends=rng.choice([-1.0, 1.0], (len(cluster), len(LABELS))),
        )

    def _linear(self, columns: Sequence[str], cluster: Index, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return weights (p, columns) of raw values, and what their centres come to (p,)."""
        weights, offset = np.zeros((len(cluster), len(columns))), np.zeros(len(cluster))
        for place, column in enumerate(columns):
            centre, unit, usual, spread = self.weights.get(column, (0.0, 1.0, 0.0, 0.0))
            drawn = self._usual(column, usual)[cluster] + spread * rng.standard_normal(len(cluster))
            if phenomenon := _PHENOMENON.get(column):
                drawn *= self.heard(phenomenon)
            weights[:, place] = drawn / unit
            offset -= centre * weights[:, place]
        return weights, offset


def read_population(text: str | None = None) -> Population:
    """Read the population that is shipped, or another one; names that mean nothing are refused."""
    table = tomllib.loads(FILE.read_text() if text is None else text)
    weights: dict[str, Sequence[float]] = {**table["weights"], **table["moods"]}
    of_labels = weights.pop("label_bits")
    weights |= dict.fromkeys(LABELS, of_labels)
    spreads: dict[str, Sequence[float]] = {**table["traits"], **table["tastes"]}
    _check("traits", table["traits"], [each.name for each in fields(Traits)])
    _check("tastes", table["tastes"], [each.name for each in fields(Appetites)])
    _check("weights", dict.fromkeys(weights), [*SCHEMA.candidates, *SCHEMA.context], all_of_them=False)
    return Population(
        nonlinearity=table["nonlinearity"],
        strength=Strength(**table["strength"]),
        spreads=spreads,
        weights=weights,
        clusters=[_cluster(name, of_it, {*spreads, *weights}) for name, of_it in table["cluster"].items()],
        shapes=Shapes(**table["shapes"]),
        days=Days(**table["days"]),
        stock=Stock(**table["items"]),
        answers=Answers(**table["answers"]),
    )


def _cluster(name: str, table: Mapping[str, Any], known: set[str]) -> Cluster:
    usual = {key: float(value) for key, value in table.items() if key != "share"}
    _check(name, usual, known, all_of_them=False)
    return Cluster(name, table["share"], usual)


def _check(
    section: str, names: Mapping[str, Any], known: Sequence[str] | set[str], *, all_of_them: bool = True
) -> None:
    if (unknown := set(names) - set(known)) or (all_of_them and set(known) - set(names)):
        msg = f"{section} of the population: {', '.join(sorted(unknown or set(known) - set(names)))}"
        raise ValueError(msg)
