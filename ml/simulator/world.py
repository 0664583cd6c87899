"""The world that a policy meets: one look of everybody at a time, and what comes of what was chosen."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ml.simulator.answers import DISMISS, DONE, SNOOZE, Answered, Chances, Facing, Reactions
from ml.simulator.columns import DAY, HOUR, Agendas, Moments, agendas, candidates, contexts
from ml.simulator.course import Course
from ml.simulator.items import Items, Supply, snoozed_until, week_hour
from ml.simulator.liking import Sight, energy, liking
from ml.simulator.population import Index, People, Population, Taste
from ml.types import Array

Scalar = TypeVar("Scalar", bound=np.generic)
_LOOKED_BACK = 30  # tips; features count no further
_DISMISSED = 7 * DAY


@dataclass(frozen=True)
class Scene:
    """One look of u people with N candidates in all: those of row i are `starts[i]` up to `starts[i + 1]`.

    A policy is given `contexts` and `sets`; all else is the truth behind them.
    """

    people: Index  # (u,)
    moments: Moments
    contexts: Array  # (u, k), read-only
    candidates: Array  # (N, m), read-only
    starts: Index  # (u + 1,)
    slots: Index  # (N,) the place among the person's items
    sight: Sight
    energy: Array  # (u,) what the hour gives
    chances: Chances
    answered: Answered

    @property
    def owner(self) -> Index:
        """Return each candidate's row (N,)."""
        return self.sight.owner

    @cached_property
    def sets(self) -> list[Array]:
        """Return each person's candidates (n_i, m)."""
        return self.split(self.candidates)

    def split(self, values: NDArray[Scalar]) -> list[NDArray[Scalar]]:
        """Return each person's part of what belongs to candidates (N, …)."""
        return [values[start:end] for start, end in pairwise(self.starts.tolist())]

    @cached_property
    def best(self) -> Array:
        """Return the most reward that each person's candidates promise (u,)."""
        return np.maximum.reduceat(self.chances.mu, self.starts[:-1])

    @cached_property
    def mean(self) -> Array:
        """Return the reward that choosing blindly promises (u,)."""
        return np.add.reduceat(self.chances.mu, self.starts[:-1]) / np.diff(self.starts)


class World:
    """A population living its course. One seed, one world: it answers every policy with the same luck.

    Simpler than life in three things: a tip without an answer ends at the next look, not after a day; what is done in
    another app is out of sight at once, though its reward comes later; and completions are not forgotten after three
    months.
    """

    def __init__(self, population: Population, people: People, course: Course, supply: Supply) -> None:
        self.population, self.people, self.course = population, people, course
        self.items = Items(people, population, supply)
        self.number = 0  # of the look
        self._taste = people.taste
        self._reactions = Reactions(population.answers, people.traits)
        count = len(people)
        self._done = course.first_done.copy()  # (p, 168)
        self._tips = np.full((count, _LOOKED_BACK), -np.inf)  # when the last ones were shown
        self._last_tip = np.full(count, -np.inf)
        self._refusals = np.zeros(count)
        self._day = np.floor((course.at[:, 0] + HOUR * course.offset[:, 0]) / DAY)
        self._began = course.at[:, 0]
        self._last_bits, self._last_done = np.zeros(count, dtype=np.int64), np.full(count, -np.inf)

    def change_taste(self) -> None:
        """Give everybody another taste from now on."""
        self._taste = self.people.another

    def look(self) -> Scene:
        """Let everybody look who looks once more: nights pass, items arrive, and this is what there is."""
        number = self.number
        people = np.flatnonzero(np.isfinite(self.course.at[:, number]))
        now, offset = self.course.at[people, number], self.course.offset[people, number]
        self._pass_nights(people, now, offset)
        self.items.take_in(people, now, offset, self.course.arrivals[people, number])
        owner, slots = np.nonzero(self.items.is_open(people, now))
        moments = self._moments(people, now, offset)
        return self._scene(people, moments, owner, slots)

    def advance(self, scene: Scene, picks: Index) -> None:
        """Let happen what comes of everybody's choice (u,), an index among their candidates."""
        chosen, people = scene.starts[:-1] + picks, scene.people
        now, offset = scene.moments.at, scene.moments.offset
        action, slots = scene.answered.action[chosen], scene.slots[chosen]
        is_elsewhere = np.isfinite(scene.answered.later[chosen])
        self._note_shown(people, slots, now, action)
        self._note_weary(scene, chosen, action)
        asleep = snoozed_until(now, offset, self._snooze(people))
        wakes = np.select(
            [action == SNOOZE, action == DISMISS], [asleep, now + _DISMISSED], self.items.wakes[people, slots]
        )
        self.items.wakes[people, slots] = wakes
        self.items.kept_until[people, slots] = now + DAY
        is_done = action == DONE
        self._last_bits[people[is_done]] = self.items.supply.bits[people, self.items.number[people, slots]][is_done]
        self._last_done[people[is_done]] = now[is_done]
        done_at = now + np.where(is_elsewhere, scene.answered.wait[chosen], 0.0)
        closes = is_done | is_elsewhere
        self.items.complete(people[closes], slots[closes], now[closes], offset[closes])
        self._done[people[closes], week_hour(done_at[closes])] += 1
        self.number += 1

    def _snooze(self, people: Index) -> Index:
        """Draw which snooze people would choose (u,), a place in `snoozes`."""
        edges = np.cumsum(np.array(self.population.answers.snoozes[:-1]))
        return (self.course.noise["snooze"][people, self.number, None] >= edges).sum(axis=1).astype(np.intp)

    def _pass_nights(self, people: Index, now: Array, offset: Array) -> None:
        day = np.floor((now + HOUR * offset) / DAY)
        is_new = day > self._day[people]
        slept = people[is_new]
        self._day[slept] = day[is_new]
        done = self.items.overnight(slept, now[is_new], offset[is_new])
        hour = self.people.traits.middle_hour[slept] + 24 * (self.course.noise["soon"][slept, self.number] - 0.5) / 2
        at = (day[is_new] - 1) * DAY + HOUR * (hour - offset[is_new])
        self._done[slept, week_hour(at)] += done

    def _moments(self, people: Index, now: Array, offset: Array) -> Moments:
        course, number = self.course, self.number
        begins = np.floor((now + HOUR * offset) / DAY) * DAY - HOUR * offset
        source_at = course.source_at[people, number]
        return Moments(
            at=now,
            offset=offset,
            agendas=self._agendas(people, now, offset),
            done=self._done[people],
            tips_today=(self._tips[people] >= begins[:, None]).sum(axis=1).astype(np.float64),
            last_tip_at=self._last_tip[people],
            refusals=self._refusals[people],
            read_at=source_at,
            stalest_at=np.minimum(source_at, course.calendar_at[people, number]),
        )

    def _agendas(self, people: Index, now: Array, offset: Array) -> Agendas:
        meetings = self.course.meetings(people, self.number)
        return agendas(now, offset, meetings, self.course.has_calendar[people])

    def _scene(self, people: Index, moments: Moments, owner: Index, slots: Index) -> Scene:
        starts = np.searchsorted(owner, np.arange(len(people) + 1)).astype(np.intp)
        seen = self.items.seen(people[owner], slots, owner, moments)
        context, matrix = contexts(moments, np.diff(starts).astype(np.float64)), candidates(seen, moments)
        for each in (context, matrix):
            each.setflags(write=False)
        is_recent = moments.at - self._last_done[people] <= HOUR * self.population.answers.batch_hours
        sight = Sight(
            people=people,
            contexts=context,
            body_hour=context[:, 0] - self.course.lag[people, self.number],
            is_odd=self.course.is_odd[people, self.number],
            owner=owner,
            candidates=matrix,
            minutes=seen.minutes,
            weary=self.population.heard("fatigue") * self.items.weariness(people[owner], slots, moments.at[owner]),
            is_like_last=is_recent[owner] & ((seen.bits & self._last_bits[people][owner]) > 0),
        )
        taste = self._drifted(people, moments.at)
        facing = self._facing(sight, taste, moments)
        chances = self._reactions.chances(facing)
        noise = {name: values[people, self.number][owner] for name, values in self.course.noise.items()}
        return Scene(
            people=people,
            moments=moments,
            contexts=context,
            candidates=matrix,
            starts=starts,
            slots=slots,
            sight=sight,
            energy=energy(taste, sight),
            chances=chances,
            answered=self._reactions.answered(facing, chances, noise),
        )

    def _drifted(self, people: Index, now: Array) -> Taste:
        share = np.zeros(len(self.people))
        days = (now - self._began[people]) / DAY
        share[people] = np.minimum(self.people.traits.drift[people] * days * self.population.heard("drift"), 1.0)
        return self._taste.towards(self.people.drifts_to, share) if share.any() else self._taste

    def _facing(self, sight: Sight, taste: Taste, moments: Moments) -> Facing:
        people, traits, answers, heard = (
            sight.people,
            self.people.traits,
            self.population.answers,
            self.population.heard,
        )
        silence = heard("silence") * traits.silent[people]
        silence += answers.spell_silence * self.course.is_silent[people, self.number]
        beyond = np.maximum(moments.tips_today - traits.bearable[people], 0.0)
        weeks = 1.0 - np.exp(-(moments.at - self._began[people]) / (answers.wear_days * DAY))
        silence += heard("habituation") * (answers.dose_silence * beyond + traits.wears_off[people] * weeks)
        return Facing(
            people=people[sight.owner],
            liking=liking(self.population, taste, sight),
            weary=sight.weary,
            silence=silence[sight.owner],
            is_due=sight.column("days_until_due") <= 1.0,
            elsewhere=heard("elsewhere"),
            slips=heard("undo"),
        )

    def _note_shown(self, people: Index, slots: Index, now: Array, action: Index) -> None:
        self._tips[people, self.number % _LOOKED_BACK] = now
        self._last_tip[people] = now
        self.items.shown[people, slots] += 1
        refused = (action == SNOOZE) | (action == DISMISS)
        self._refusals[people] = np.where(
            refused, self._refusals[people] + 1, np.where(action == DONE, 0, self._refusals[people])
        )

    def _note_weary(self, scene: Scene, chosen: Index, action: Index) -> None:
        answers, items = self.population.answers, self.items
        at, now = (scene.people, scene.slots[chosen]), scene.moments.at
        left = np.array([0.0, answers.snooze_weary, answers.dismiss_weary, answers.silence_weary])
        items.weary[at] = items.weariness(*at, now) + left[action]
        items.shown_at[at] = now
        is_refused = (action == SNOOZE) | (action == DISMISS)
        items.refused[at] = np.where(is_refused, items.faded(*at, now) + 1.0, items.refused[at])
        items.refused_at[at] = np.where(is_refused, now, items.refused_at[at])
