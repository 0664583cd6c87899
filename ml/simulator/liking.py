"""How much people like what could be suggested: a linear part, in the product's columns, and one that is not linear."""

from dataclasses import dataclass

import numpy as np

from ml.simulator.columns import COLUMN, CONTEXT_COLUMN, Flags
from ml.simulator.population import Index, Population, Taste
from ml.types import Array

_LABEL_0 = COLUMN["label_bit_0"]


@dataclass(frozen=True, slots=True)
class Sight:
    """What u people have before them, and what they know of themselves; N items in all, `owner` is a row of the u."""

    people: Index  # (u,)
    contexts: Array  # (u, k)
    body_hour: Array  # (u,) the hour that the body has
    is_odd: Flags  # (u,)
    owner: Index  # (N,)
    candidates: Array  # (N, m)
    minutes: Array  # (N,) it takes, whether the source tells or not
    weary: Array  # (N,)
    is_like_last: Flags  # (N,) shares a label with what was just done

    def column(self, name: str) -> Array:
        """Return a column of the candidates (N,)."""
        return self.candidates[:, COLUMN[name]]

    def context(self, name: str) -> Array:
        """Return a column of the contexts (u,)."""
        return self.contexts[:, CONTEXT_COLUMN[name]]


def liking(population: Population, taste: Taste, sight: Sight) -> Array:
    """Return liking (N,), in logits.

    The knob moves weight from one part to the other and keeps the sum of squares, so that taste is never just louder.
    """
    knob, people = population.nonlinearity, sight.people
    linear, crooked = (weight * np.sqrt(2 / (1 + knob**2)) for weight in (1.0, knob))
    mood = np.einsum("uk,uk->u", sight.contexts, taste.moods[people]) + taste.offset[people]
    of_person = taste.appetites.ready[people] + population.answers.odd_mood * sight.is_odd + linear * mood
    straight = np.einsum("nm,nm->n", sight.candidates, taste.weights[people][sight.owner])
    return of_person[sight.owner] + linear * straight + crooked * _Crooked(population, taste, sight).total()


def energy(taste: Taste, sight: Sight) -> Array:
    """Return what the hour gives (u,): 1 at the best hour of the day, -1 half a day later."""
    return np.cos((sight.body_hour - taste.appetites.peak_hour[sight.people]) * (2 * np.pi / 24))


def effort(minutes: Array) -> Array:
    """Return what tasks ask for (N,), on the scale of energy: 0 for half an hour, 1 for two."""
    return np.log2(minutes / 30) / 2


def fullness(weary: Array) -> Array:
    """Return weariness as a share (N,): 0 of what is new, near 1 after several refusals."""
    return 1.0 - np.exp(-weary)


class _Crooked:
    """The part that is not linear: a curve for each phenomenon, (N,) each."""

    def __init__(self, population: Population, taste: Taste, sight: Sight) -> None:
        self.population, self.shapes, self.taste, self.sight = population, population.shapes, taste, sight
        self.appetites = taste.appetites
        self.pressure = self._pressure()

    def total(self) -> Array:
        heard = self.population.strength
        return (
            heard.energy * self._energy()
            + heard.urgency * self._urgency()
            + heard.priority * self._stakes()
            + heard.rhythm * self._hours()
            + heard.gaps * self._gaps()
            + heard.fatigue * self._weariness()
            + heard.novelty * self._novelty()
            + heard.batches * self._batches()
        )

    def _of(self, appetite: Array) -> Array:
        return appetite[self.sight.people][self.sight.owner]

    def _pressure(self) -> Array:
        """Rise to 1 as the due time comes, and fall again, for some below zero, after it; 0 when it is due never."""
        days, horizon = self.sight.column("days_until_due"), self._of(self.appetites.horizon_days)
        faded = np.exp(np.minimum(days, 0.0) / self.shapes.late_days)
        after = faded - self._of(self.appetites.dread) * (1.0 - faded)
        before = np.exp(-np.maximum(days, 0.0) / horizon)
        return self.sight.column("has_due") * np.where(days >= 0, before, after)

    def _energy(self) -> Array:
        off = effort(self.sight.minutes) - energy(self.taste, self.sight)[self.sight.owner]
        return self._of(self.appetites.energy) * np.maximum(self.shapes.energy_middle - off**2, -1.0)

    def _urgency(self) -> Array:
        return self._of(self.appetites.urgency) * (self.pressure - self.shapes.urgency_middle)

    def _stakes(self) -> Array:
        above = self.sight.column("priority") - self.shapes.usual_priority
        return self._of(self.appetites.stakes) * above * (self.pressure + self.shapes.stakes_always)

    def _hours(self) -> Array:
        people, is_weekend = self.sight.people, self.sight.context("day_of_week") >= 5
        turn = (self.sight.context("hour_of_day")[:, None] - self.taste.label_hours[people]) * (2 * np.pi / 24)
        day = self.taste.label_weekends[people] * np.where(is_weekend, 1.0, self.shapes.other_days)[:, None]
        groups = self.appetites.hours[people, None] * np.cos(turn) + self.appetites.weekends[people, None] * day
        bits = self.sight.candidates[:, _LABEL_0 : _LABEL_0 + groups.shape[1]]
        return np.einsum("ng,ng->n", bits, groups[self.sight.owner])

    def _gaps(self) -> Array:
        owner = self.sight.owner
        free = np.maximum(self.sight.context("free_minutes"), self.shapes.least_gap_minutes)[owner]
        over = np.clip(np.log2(self.sight.minutes / free), 0.0, self.shapes.most_doublings)
        return -self._of(self.appetites.gaps) * over * self.sight.context("has_calendar")[owner]

    def _weariness(self) -> Array:
        return -self._of(self.appetites.weariness) * fullness(self.sight.weary)

    def _novelty(self) -> Array:
        return self._of(self.appetites.novelty) * (self.sight.column("times_shown") == 0)

    def _batches(self) -> Array:
        return self._of(self.appetites.batches) * self.sight.is_like_last
