"""Each phenomenon shows when it alone is switched on, and is gone when it is off."""

from collections.abc import Callable
from dataclasses import fields
from functools import cache

import numpy as np
import pytest

from ml.simulator import Population, Scene, World
from ml.simulator.answers import SILENT
from ml.simulator.columns import COLUMN, CONTEXT_COLUMN, DAY
from ml.simulator.liking import effort
from ml.simulator.population import Strength
from ml.types import Array
from tests.ml.simulated import POPULATION, a_world, lived, only, without

PEOPLE = 300


def correlation(x: Array, y: Array) -> float:
    """How far two things go together; not at all where one of them does not vary."""
    return 0.0 if np.ptp(x) == 0 or np.ptp(y) == 0 else float(np.corrcoef(x, y)[0, 1])


def within(scene: Scene, values: Array) -> Array:
    """Values (N,) against the average of the same person's candidates: only what differs between them counts."""
    means = np.add.reduceat(values, scene.starts[:-1]) / np.diff(scene.starts)
    return values - means[scene.owner]


def liked(scene: Scene, values: Array) -> float:
    """How far what has more of something is worth more."""
    return correlation(within(scene, values), within(scene, scene.chances.mu))


def column(scene: Scene, name: str) -> Array:
    return scene.candidates[:, COLUMN[name]]


def fit_of_effort(world: World, scene: Scene) -> float:
    return liked(scene, -((effort(scene.sight.minutes) - scene.energy[scene.owner]) ** 2))


def nearness_of_due(world: World, scene: Scene) -> float:
    return liked(scene, -column(scene, "days_until_due"))


def importance(world: World, scene: Scene) -> float:
    return liked(scene, column(scene, "priority"))


def importance_when_due(world: World, scene: Scene) -> float:
    is_due = np.abs(column(scene, "days_until_due")) < 1
    return liked(scene, within(scene, column(scene, "priority")) * is_due)


def own_labels(world: World, scene: Scene) -> float:
    """By the weights that the very same people have with every phenomenon on."""
    first = COLUMN["label_bit_0"]
    weights = POPULATION.draw(PEOPLE, 1).taste.weights[scene.people, first : first + 8]
    return liked(scene, (scene.candidates[:, first : first + 8] * weights[scene.owner]).sum(axis=1))


def labels_at_their_hour(world: World, scene: Scene) -> float:
    first, taste = COLUMN["label_bit_0"], world.people.taste
    turn = (scene.contexts[:, :1] - taste.label_hours[scene.people]) * 2 * np.pi / 24
    return liked(scene, (scene.candidates[:, first : first + 8] * np.cos(turn)[scene.owner]).sum(axis=1))


def fit_into_the_gap(world: World, scene: Scene) -> float:
    free = np.where(scene.moments.agendas.has_calendar, scene.moments.agendas.free_minutes, np.inf)
    return liked(scene, (scene.sight.minutes <= free[scene.owner]).astype(float))


def what_comes_again(world: World, scene: Scene) -> float:
    return float(column(scene, "is_recurring").mean())


def freshness(world: World, scene: Scene) -> float:
    return liked(scene, -column(scene, "refusal_fatigue"))


def novelty(world: World, scene: Scene) -> float:
    return liked(scene, (column(scene, "times_shown") == 0).astype(float))


def likeness_to_the_last(world: World, scene: Scene) -> float:
    return liked(scene, scene.sight.is_like_last.astype(float))


def silence_after_many(world: World, scene: Scene) -> float:
    return correlation(scene.contexts[scene.owner, CONTEXT_COLUMN["tips_today"]], scene.chances.silent)


def silent_looks(world: World, scene: Scene) -> float:
    return float(world.course.is_silent.mean())


def looks_abroad(world: World, scene: Scene) -> float:
    return float((world.course.offset != np.rint(world.people.traits.home_offset)[:, None]).mean())


def lag_of_the_body(world: World, scene: Scene) -> float:
    return float(np.abs(world.course.lag).mean())


def odd_looks(world: World, scene: Scene) -> float:
    return float(world.course.is_odd.mean())


def middling_looks(world: World, scene: Scene) -> float:
    """How many more looks fall near the middle of the waking day than if any waking hour were like another."""
    local = (world.course.at / 60 + world.course.offset) % 24
    off = (local - world.people.traits.middle_hour[:, None] + 12) % 24 - 12
    return float((np.abs(off) < 3).mean()) - 6 / POPULATION.days.waking_hours


def completions_elsewhere(world: World, scene: Scene) -> float:
    return float(np.isfinite(scene.answered.later).mean())


def slips(world: World, scene: Scene) -> float:
    return float((scene.answered.first != scene.answered.reward).mean())


def change_of_taste(world: World, scene: Scene) -> float:
    later = world._drifted(scene.people, scene.moments.at + 60 * DAY)
    return float(np.abs(later.weights - world.people.taste.weights).mean())


# phenomenon, what shows it, and how much of it there is at least
SHOWN: list[tuple[str, Callable[[World, Scene], float], float]] = [
    ("energy", fit_of_effort, 0.4),
    ("urgency", nearness_of_due, 0.3),
    ("priority", importance, 0.3),
    ("priority", importance_when_due, 0.1),
    ("labels", own_labels, 0.4),
    ("rhythm", labels_at_their_hour, 0.2),
    ("rhythm", middling_looks, 0.05),
    ("gaps", fit_into_the_gap, 0.1),
    ("recurring", what_comes_again, 0.03),
    ("fatigue", freshness, 0.3),
    ("novelty", novelty, 0.1),
    ("batches", likeness_to_the_last, 0.1),
    ("habituation", silence_after_many, 0.2),
    ("silence", silent_looks, 0.01),
    ("travel", looks_abroad, 0.02),
    ("travel", lag_of_the_body, 0.05),
    ("odd_days", odd_looks, 0.02),
    ("elsewhere", completions_elsewhere, 0.02),
    ("undo", slips, 0.01),
    ("drift", change_of_taste, 0.002),
]


@cache
def after_some_tips(*phenomena: str) -> tuple[World, Scene]:
    """A world with these phenomena, and a scene in which people were shown some tips already."""
    world = a_world(only(*phenomena), people=PEOPLE, rounds=9)
    *_, (scene, _) = lived(world)
    return world, scene


def test_every_phenomenon_is_shown():
    assert {phenomenon for phenomenon, _, _ in SHOWN} == {each.name for each in fields(Strength)}


@pytest.mark.parametrize(("phenomenon", "show", "least"), SHOWN, ids=[f"{name}-{of.__name__}" for name, of, _ in SHOWN])
def test_a_phenomenon_shows_when_it_is_on_and_only_then(
    phenomenon: str, show: Callable[[World, Scene], float], least: float
):
    on, off = show(*after_some_tips(phenomenon)), show(*after_some_tips())

    assert on > least
    assert abs(off) < least / 3


@pytest.mark.parametrize("phenomenon", [each.name for each in fields(Strength)])
def test_each_phenomenon_makes_a_difference_to_the_whole(phenomenon: str):
    def told(population: Population) -> list[float]:
        scenes = [scene for scene, _ in lived(a_world(population, people=30, rounds=8))]
        return [float(scene.chances.mu.sum() + scene.answered.first.sum()) for scene in scenes]

    assert told(without(phenomenon)) != told(POPULATION)


def test_people_are_silent_in_a_silent_spell():
    world = a_world(people=PEOPLE, rounds=6)
    spells, answered = 0, 0

    for scene, picks in lived(world):
        is_spell = world.course.is_silent[scene.people, world.number]
        action = scene.answered.action[scene.starts[:-1] + picks]
        spells, answered = spells + is_spell.sum(), answered + (is_spell & (action != SILENT)).sum()

    assert spells > 30
    assert answered / spells < 0.2


def test_weariness_fades_with_the_persons_own_time():
    world = a_world(people=2)
    items, recovery = world.items, world.people.traits.recovery_hours
    items.weary[:, 0], items.shown_at[:, 0] = 1.0, 0.0
    people, slots = np.arange(2), np.zeros(2, dtype=np.intp)

    left = items.weariness(people, slots, 60 * recovery)

    np.testing.assert_allclose(left, np.exp(-1))


def test_oo_becomes_usual_over_the_weeks():
    population = only("habituation")
    early, late = (
        np.mean([scene.chances.silent.mean() for scene, _ in lived(a_world(population, people=20, rounds=120))][part])
        for part in (slice(10), slice(-10, None))
    )

    assert late > early + 0.02


def test_a_task_that_comes_again_is_gone_until_its_next_day():
    world = a_world(people=60, rounds=10)
    items, again = world.items, 0

    for scene, picks in lived(world):
        chosen = scene.starts[:-1] + picks
        is_done = (scene.answered.action[chosen] == 0) & (scene.candidates[chosen, COLUMN["is_recurring"]] == 1)
        for row in np.flatnonzero(is_done):
            person, slot = int(scene.people[row]), int(scene.slots[chosen[row]])
            due, offset = items.due[person, slot], scene.moments.offset[row]
            world.items.complete(*(np.array([each]) for each in (person, slot, scene.moments.at[row], offset)))
            today = np.floor((scene.moments.at[row] + 60 * offset) / DAY)
            assert items.is_held[person, slot]
            assert np.floor(items.due[person, slot] / DAY) > max(today, np.floor(due / DAY)) - 1e-9
            assert items.wakes[person, slot] > scene.moments.at[row]
            items.due[person, slot] = due  # as if nothing had happened yet
            again += 1

    assert again > 10
