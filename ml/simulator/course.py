"""What happens to people whatever is suggested to them: when they look, where they are, meetings, silence, chance."""

from dataclasses import dataclass, replace

import numpy as np

from ml.simulator.columns import DAY, HOUR, WEEK_HOURS, Flags
from ml.simulator.population import Index, People, Population
from ml.types import Array

_STREAM = 2  # of chance
_MARGIN = 2  # days before the first and after the last of which meetings are known
_ZONES = (-11, 13)  # hours from UTC between which people live and travel
NOISES = ("action", "band", "dwell", "elsewhere", "soon", "slip", "snooze")


@dataclass(frozen=True, slots=True)
class Course:
    """The course of p people's days; times in minutes since the epoch, a Monday's midnight, in UTC.

    Looks are in order, (p, r) each; `at` is infinite where somebody does not look any more. `noise` holds a uniform
    number for everything that is left to chance about an answer, so that every policy meets the same luck.
    """

    at: Array
    offset: Array  # hours from UTC
    lag: Array  # hours by which the body's clock is behind the wall's
    is_odd: Flags
    is_silent: Flags
    arrivals: Array
    source_at: Array  # when the source of the tasks was read
    calendar_at: Array  # and the calendar; infinite without one
    noise: dict[str, Array]
    has_calendar: Flags  # (p,)
    starts: Array  # (p, days, meetings) from _MARGIN days before the first; infinite where there is none
    ends: Array
    first_done: Array  # (p, 168) completions before the start, by hour of the week in UTC

    @property
    def rounds(self) -> int:
        """Return r."""
        return self.at.shape[1]

    def first(self, rounds: int) -> "Course":
        """Return the course as far as everybody's first looks."""
        looks = ("at", "offset", "lag", "is_odd", "is_silent", "arrivals", "source_at", "calendar_at")
        noise = {name: values[:, :rounds] for name, values in self.noise.items()}
        return replace(self, noise=noise, **{name: getattr(self, name)[:, :rounds] for name in looks})

    def meetings(self, people: Index, number: int) -> tuple[Array, Array]:
        """Return begin and end (u, e) of the meetings around the given people's look of that number, in order."""
        day = np.floor((self.at[people, number] + HOUR * self.offset[people, number]) / DAY).astype(np.intp) + _MARGIN
        rows, window = people[:, None], day[:, None] + np.arange(-1, 3)
        return self.starts[rows, window].reshape(len(people), -1), self.ends[rows, window].reshape(len(people), -1)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where people are, (p, days): hours from UTC, and by how many the body is behind."""

    offset: Array
    lag: Array


@dataclass(frozen=True, slots=True)
class _Looks:
    """When people look, (p, looks), in order; the day it is then where they are, and how far that is from UTC."""

    at: Array
    day: Index
    offset: Array


class _Fate:
    """Draws the course of so many days; one stream of chance, whatever is switched off."""

    def __init__(self, population: Population, people: People, seed: int, days: int) -> None:
        self.population, self.numbers, self.traits, self.days = population, population.days, people.traits, days
        self.rng = np.random.default_rng([seed, _STREAM])
        self.shape = (len(people), days)

    def course(self) -> Course:
        places = self._places()
        looks = self._looks(places)
        rows = np.arange(self.shape[0])[:, None]
        has_calendar = self.rng.random(self.shape[0]) < self.numbers.calendars
        starts, ends = (np.where(has_calendar[:, None, None], each, np.inf) for each in self._meetings())
        return Course(
            at=looks.at,
            offset=looks.offset,
            lag=places.lag[rows, looks.day],
            is_odd=self._chance(self.traits.odd_days * self.population.heard("odd_days"))[rows, looks.day],
            is_silent=self._is_silent(looks),
            arrivals=self._arrivals(looks),
            source_at=looks.at - self._minutes_since_read(looks.at.shape),
            calendar_at=np.where(has_calendar[:, None], looks.at - self._minutes_since_read(looks.at.shape), np.inf),
            noise={name: self.rng.random(looks.at.shape) for name in NOISES},
            has_calendar=has_calendar,
            starts=starts,
            ends=ends,
            first_done=self._first_done(),
        )

    def _chance(self, share: Array) -> Flags:
        """Draw what happens on a day with a chance (p,): (p, days)."""
        return self.rng.random(self.shape) < share[:, None]

    def _places(self) -> _Places:
        numbers, home = self.numbers, np.rint(self.traits.home_offset)
        begins = self._chance(self.traits.trips_per_month / 30 * self.population.heard("travel"))
        lengths = self.rng.integers(numbers.trip_days[0], numbers.trip_days[1], self.shape, endpoint=True)
        shifts = self.rng.integers(1, numbers.trip_hours, self.shape, endpoint=True)
        shifts *= self.rng.choice([-1, 1], self.shape)
        offset, lag = np.empty(self.shape), np.empty(self.shape)
        left, shift, body = np.zeros(len(home)), np.zeros(len(home)), np.zeros(len(home))
        for day in range(self.days):
            is_home = left <= 0
            shift = np.where(is_home, np.where(begins[:, day], shifts[:, day], 0), shift)
            left = np.where(is_home & begins[:, day], lengths[:, day], left) - 1
            offset[:, day] = np.clip(home + shift, *_ZONES)
            lag[:, day] = offset[:, day] - home - body
            body += np.clip(lag[:, day], -numbers.body_hours_a_day, numbers.body_hours_a_day)
        return _Places(offset, lag)

    def _looks(self, places: _Places) -> _Looks:
        """Draw looks from each day's waking hours; none comes sooner after another than people look away."""
        traits, numbers, (people, days) = self.traits, self.numbers, self.shape
        is_weekend = np.arange(days) % 7 >= 5
        expected = traits.looks_per_day[:, None] * np.where(is_weekend, traits.weekend_share[:, None], 1.0)
        count = np.minimum(self.rng.poisson(expected), numbers.most_looks)
        gathered = traits.gathered * self.population.heard("rhythm")
        angle = self.rng.vonmises(0.0, gathered[:, None, None], (people, days, numbers.most_looks))
        hour = traits.middle_hour[:, None, None] + angle / np.pi * numbers.waking_hours / 2
        at = np.arange(days)[:, None] * DAY + np.floor(hour * HOUR) - HOUR * places.offset[:, :, None]
        at[np.arange(numbers.most_looks) >= count[:, :, None]] = np.inf
        at = at.reshape(people, -1)
        order = np.argsort(at, axis=1, kind="stable")[:, : int(np.isfinite(at).sum(axis=1).max())]
        day = order // numbers.most_looks
        apart = numbers.minutes_between_looks * np.arange(order.shape[1], dtype=np.float64)
        at = np.maximum.accumulate(np.take_along_axis(at, order, axis=1) - apart, axis=1) + apart
        return _Looks(at, day, np.take_along_axis(places.offset, day, axis=1))

    def _is_silent(self, looks: _Looks) -> Flags:
        """Tell which looks fall into a silent spell; one begins at some hour of its day, and may last for days."""
        traits = self.traits
        is_spell = self._chance(traits.spells_per_month / 30 * self.population.heard("silence"))
        begins = (np.arange(self.days) + self.rng.random(self.shape)) * DAY
        lasts = HOUR * traits.spell_hours[:, None] * self.rng.exponential(1.0, self.shape)
        begins = np.where(is_spell, begins, np.inf)
        ends = np.where(is_spell, begins + lasts, -np.inf)
        still = np.maximum.accumulate(np.pad(ends, ((0, 0), (1, 0)), constant_values=-np.inf), axis=1)
        local = looks.at + HOUR * looks.offset
        rows = np.arange(len(local))[:, None]
        began_today = (begins[rows, looks.day] <= local) & (local < ends[rows, looks.day])
        return np.isfinite(local) & (began_today | (local < still[rows, looks.day]))

    def _arrivals(self, looks: _Looks) -> Array:
        since = np.diff(np.where(np.isfinite(looks.at), looks.at, 0.0), axis=1, prepend=looks.at[:, :1])
        return self.rng.poisson(self.traits.arrivals_per_day[:, None] * np.maximum(since, 0.0) / DAY).astype(np.float64)

    def _minutes_since_read(self, shape: tuple[int, ...]) -> Array:
        numbers = self.numbers
        is_stale = self.rng.random(shape) < numbers.stale
        usual = np.where(is_stale, HOUR * numbers.stale_hours, numbers.read_minutes)
        return np.floor(usual * self.rng.exponential(1.0, shape))

    def _meetings(self) -> tuple[Array, Array]:
        """Draw meetings in the hours of home, on quarters of an hour: begins and ends (p, days, meetings), in order."""
        traits, numbers, most = self.traits, self.numbers, self.numbers.most_meetings
        days = np.arange(-_MARGIN, self.days + _MARGIN + 1)
        share = np.where(days % 7 >= 5, numbers.weekend_meetings, 1.0)
        count = np.minimum(self.rng.poisson(traits.meetings_per_day[:, None] * share), most)
        shape = (*count.shape, most)
        hours = self.rng.uniform(numbers.meetings_from, numbers.meetings_to, shape)
        lasts = self.rng.choice(np.array(numbers.meeting_minutes), shape)
        home = np.rint(traits.home_offset)[:, None, None]
        starts = days[:, None] * DAY + np.floor(hours * 4) * 15 - HOUR * home
        is_held = np.arange(most) < count[:, :, None]
        starts, ends = np.where(is_held, starts, np.inf), np.where(is_held, starts + lasts, np.inf)
        order = np.lexsort((ends, starts), axis=2)
        return np.take_along_axis(starts, order, axis=2), np.take_along_axis(ends, order, axis=2)

    def _first_done(self) -> Array:
        """Draw what was completed before the start, gathered as looks are; nothing where the app does not tell."""
        people, traits = self.shape[0], self.traits
        is_told = self.rng.random(people) < self.numbers.histories
        total = self.rng.poisson(self.numbers.completions, people) * is_told
        angle = (np.arange(24) - traits.middle_hour[:, None]) / 24 * 2 * np.pi
        by_hour = np.exp(traits.gathered[:, None] * self.population.heard("rhythm") * np.cos(angle))
        local = np.tile(by_hour, 7)
        local /= local.sum(axis=1, keepdims=True)
        done = self.rng.multinomial(total, local).astype(np.float64)
        shift = np.rint(traits.home_offset).astype(np.intp)[:, None]
        return np.take_along_axis(done, (np.arange(WEEK_HOURS) + shift) % WEEK_HOURS, axis=1)


def course_of_days(population: Population, people: People, seed: int, days: int) -> Course:
    """Settle so many days of people; who looks less often than others looks no more after the last."""
    return _Fate(population, people, seed, days).course()


def course_of_rounds(population: Population, people: People, seed: int, rounds: int) -> Course:
    """Settle as many days as it takes for everybody to look so many times."""
    traits = people.traits
    a_week = traits.looks_per_day * (5 + 2 * traits.weekend_share)
    days = int(np.ceil(7 * rounds / a_week.min() * 1.2)) + 7
    course = course_of_days(population, people, seed, days)
    while course.rounds < rounds or not np.isfinite(course.at[:, rounds - 1]).all():
        days += days // 2
        course = course_of_days(population, people, seed, days)
    return course.first(rounds)
