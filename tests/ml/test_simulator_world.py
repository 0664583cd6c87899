"""A world: the same for the same seed, the same luck for everybody, and what it says of rewards is true."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ml.reward import SILENCE, reaction_reward
from ml.simulator import ACTIONS, Plan, Scene, World, course_of_days, prepared
from ml.simulator.answers import SILENT, SNOOZE
from ml.simulator.columns import COLUMN, DAY
from ml.simulator.course import NOISES
from ml.simulator.items import NEVER, SLOTS, Items
from tests.ml.simulated import POPULATION, a_world, lived, only, without


def story(world: World) -> list[float]:
    """Everything that chance and choice made of a world, in numbers."""
    return [
        float(part.sum())
        for scene, picks in lived(world)
        for part in (scene.contexts, scene.candidates, scene.chances.mu, scene.answered.first, picks)
    ]


def test_the_same_seed_tells_the_same_story():
    assert story(a_world(seed=3)) == story(a_world(seed=3))


def test_another_seed_tells_another_story():
    assert story(a_world(seed=3)) != story(a_world(seed=4))


def test_two_choosers_begin_in_the_same_world_and_meet_the_same_luck():
    begin = prepared(Plan(20, rounds=5, population=POPULATION), 1)
    one, other = begin(), begin()
    first, same = one.look(), other.look()

    np.testing.assert_array_equal(first.candidates, same.candidates)
    np.testing.assert_array_equal(first.answered.action, same.answered.action)

    one.advance(first, np.zeros(20, dtype=np.intp))
    other.advance(same, np.ones(20, dtype=np.intp))
    then, there = one.look(), other.look()
    np.testing.assert_array_equal(then.moments.at, there.moments.at)
    shared = [
        len(
            np.intersect1d(
                *(
                    items.supply.luck[person, items.number[person, items.is_held[person]]]
                    for items in (one.items, other.items)
                )
            )
        )
        for person in range(20)
    ]
    assert min(shared) >= 8


def test_what_one_chooser_does_leaves_the_other_alone():
    begin = prepared(Plan(20, rounds=5, population=POPULATION), 1)
    before = story(begin())

    assert story(begin()) == before


def test_everybody_has_ten_to_thirty_items_at_plausible_times():
    sizes, hours, gaps = [], [], []
    for scene, _ in lived(a_world(rounds=40)):
        sizes.append(np.diff(scene.starts))
        hours.append(scene.contexts[:, 0])
        gaps.append(scene.moments.at)

    assert np.min(sizes) >= 10
    assert np.max(sizes) <= 30
    assert np.mean([(each >= 6) & (each < 24) for each in hours]) > 0.9
    assert (np.diff(gaps, axis=0) >= POPULATION.days.minutes_between_looks).all()


def test_people_look_several_times_a_day():
    course = course_of_days(POPULATION, POPULATION.draw(100, 1), 1, 28)

    a_day = np.isfinite(course.at).sum(axis=1) / 28

    assert 3 < a_day.mean() < 6
    assert np.nanmax(np.where(np.isfinite(course.at), course.at, np.nan)) < 30 * DAY


def test_arrays_given_to_a_policy_cannot_be_changed():
    scene = a_world().look()

    with pytest.raises(ValueError, match="read-only"):
        scene.sets[0][0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        scene.contexts[0, 0] = 1.0


def settled(scene: Scene) -> np.ndarray:
    """The reward that each candidate comes to in the end."""
    return np.where(np.isnan(scene.answered.later), scene.answered.reward, scene.answered.later)


def test_mu_is_the_mean_of_many_drawn_rewards():
    world = a_world(people=12, rounds=14, seed=5)
    *_, (scene, _) = lived(world)
    world.number -= 1
    taste = world._drifted(scene.people, scene.moments.at)
    facing, rng, draws = world._facing(scene.sight, taste, scene.moments), np.random.default_rng(6), 4000

    total, squares = np.zeros(len(scene.owner)), np.zeros(len(scene.owner))
    for _ in range(draws):
        noise = {name: rng.random(len(scene.owner)) for name in NOISES}
        drawn = settled(replace(scene, answered=world._reactions.answered(facing, scene.chances, noise)))
        total, squares = total + drawn, squares + drawn**2

    mean = total / draws
    error = np.sqrt((squares / draws - mean**2) / draws)
    off = (mean - scene.chances.mu) / error
    assert np.abs(off).max() < 4.5
    assert abs(off.mean()) < 0.2
    assert 0.8 < off.std() < 1.2


def test_a_reward_is_that_of_its_reaction_and_dwell():
    seen = set[int]()
    for scene, _ in lived(a_world()):
        answered = scene.answered
        for action, dwell, reward in zip(answered.action, answered.dwell_ms, answered.reward, strict=True):
            seen.add(int(action))
            worth = SILENCE if action == SILENT else reaction_reward(ACTIONS[action], int(dwell))
            assert reward == worth

    assert seen == {0, 1, 2, 3}


def test_what_is_completed_elsewhere_was_not_done_here_and_comes_within_a_day():
    for scene, _ in lived(a_world(people=200, rounds=4)):
        is_later = np.isfinite(scene.answered.later)
        assert is_later.any()
        assert set(scene.answered.action[is_later]) <= {SNOOZE, SILENT}
        assert (scene.answered.wait[is_later] <= DAY).all()
        assert ((scene.answered.later[is_later] >= 0.3) & (scene.answered.later[is_later] <= 0.7)).all()


def test_what_was_done_snoozed_or_dismissed_is_not_there_an_hour_later():
    gone = 0
    world = a_world(people=100, rounds=8)
    for (scene, picks), (then, _) in pairwise(lived(world)):
        for row in np.flatnonzero(then.moments.at - scene.moments.at < 60):
            chosen = scene.starts[row] + picks[row]
            if scene.answered.action[chosen] != SILENT:
                gone += 1
                again = then.split(then.slots)[row] == scene.slots[chosen]
                assert not (then.sets[row][again, COLUMN["times_shown"]] > 0).any()

    assert gone > 20


def test_the_knob_does_not_make_taste_louder():
    def loudness(knob: float) -> float:
        world = a_world(replace(POPULATION, nonlinearity=knob), people=200, rounds=2)
        scene = world.look()
        facing = world._facing(scene.sight, world.people.taste, scene.moments)
        return float(np.mean([liking.std() for liking in scene.split(facing.liking)]))

    assert [loudness(knob) for knob in (0.0, 3.0)] == pytest.approx([loudness(1.0)] * 2, rel=0.25)


@pytest.mark.parametrize(("knob", "is_linear"), [(0.0, True), (0.01, False)])
def test_without_the_knob_liking_is_linear_in_the_products_columns(knob: float, *, is_linear: bool):
    """More rows than columns, so that a line through all of them is no accident."""
    world = a_world(replace(without("drift", "odd_days"), nonlinearity=knob), people=5, rounds=12)
    rows: list[list[np.ndarray]] = [[] for _ in range(5)]
    for scene, _ in lived(world):
        facing = world._facing(scene.sight, world.people.taste, scene.moments)
        for person, (liking, candidates) in enumerate(zip(scene.split(facing.liking), scene.sets, strict=True)):
            context = np.broadcast_to(scene.contexts[person], (len(liking), scene.contexts.shape[1]))
            rows[person].append(np.column_stack([candidates, context, np.ones(len(liking)), liking]))

    for of_person in rows:
        table = np.concatenate(of_person)
        design, liking = table[:, :-1], table[:, -1]
        solved, *_ = np.linalg.lstsq(design, liking, rcond=None)
        assert len(design) > 3 * design.shape[1]
        assert np.allclose(design @ solved, liking, atol=1e-8) == is_linear


def nights(world: World, count: int = 20) -> Items:
    """A world's items after so many nights in which nothing was suggested and nothing arrived."""
    people, scene = np.arange(len(world.people)), world.look()
    for night in range(1, count + 1):
        world.items.overnight(people, scene.moments.at + night * DAY, scene.moments.offset)
    return world.items


def test_without_oo_items_are_completed_put_off_and_dropped():
    plain, kept = (nights(a_world(population, people=100)) for population in (POPULATION, without("elsewhere")))
    begun = a_world(people=100)
    begun.look()

    assert plain.is_held.sum() < kept.is_held.sum() < begun.items.is_held.sum()
    assert kept.postponed[kept.is_held].mean() > begun.items.postponed[begun.items.is_held].mean() + 0.3
    assert (kept.postponed[kept.due_kind == NEVER] == begun.items.postponed[kept.due_kind == NEVER]).all()


def test_an_item_put_off_is_due_on_one_of_the_next_days_at_its_time():
    world = a_world(people=100)
    scene = world.look()
    items, before = world.items, (world.items.due.copy(), world.items.postponed.copy())

    world.items.overnight(scene.people, scene.moments.at + DAY, scene.moments.offset)

    moved = items.is_held & (items.postponed > before[1])
    today = np.floor((scene.moments.at + DAY + 60 * scene.moments.offset) / DAY)
    ahead = np.floor(items.due / DAY) - today[:, None]
    assert moved.sum() > 50
    assert set(ahead[moved]) == {1, 2, 3}
    np.testing.assert_allclose(items.due[moved] % DAY, before[0][moved] % DAY)


def test_an_item_is_gone_some_days_after_its_deadline():
    items = nights(a_world(only(), people=200), 10)
    world = a_world(only(), people=200)
    scene = world.look()

    days_late = (scene.moments.at + 10 * DAY + 60 * scene.moments.offset)[:, None] - items.deadline

    assert (days_late[items.is_held] < POPULATION.stock.grace_days * DAY).all()
    assert (days_late[world.items.is_held] > POPULATION.stock.grace_days * DAY).sum() > 20


def test_nobody_chooses_among_more_than_thirty():
    world = a_world(people=5)
    scene = world.look()
    world.items.take_in(scene.people, scene.moments.at, scene.moments.offset, np.zeros(5))
    world.items.is_held[:] = True

    world.items.take_in(scene.people, scene.moments.at, scene.moments.offset, np.full(5, 9.0))

    assert (world.items.is_open(scene.people, scene.moments.at).sum(axis=1) == 30).all()


def test_what_sleeps_longest_is_forgotten_where_there_is_no_place_left():
    world = a_world(people=5)
    scene = world.look()
    items = world.items
    items.is_held[:] = True
    items.wakes[:] = scene.moments.at[:, None] + np.arange(1, SLOTS + 1)

    items.take_in(scene.people, scene.moments.at, scene.moments.offset, np.zeros(5))

    assert (items.is_open(scene.people, scene.moments.at).sum(axis=1) == 10).all()
    assert (items.wakes[:, : SLOTS - 10] > scene.moments.at[:, None]).all()


def test_a_body_that_lags_has_another_energy_at_the_same_hour():
    at_home, abroad = (a_world(people=30) for _ in range(2))
    abroad.course.lag[:] += 6.0

    here, there = at_home.look(), abroad.look()

    np.testing.assert_array_equal(here.contexts, there.contexts)
    assert np.abs(here.energy - there.energy).mean() > 0.3
    assert (here.chances.mu != there.chances.mu).mean() > 0.9
