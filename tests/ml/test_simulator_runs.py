"""Runs: the same world for every chooser, rewards that come when they should, and figures that mean what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
import pytest

from ml.simulator import (
    BASELINES,
    Pick,
    Plan,
    Run,
    done_share,
    judge,
    over_seeds,
    prepared,
    ratio,
    read_population,
    regret_scale,
    rounds_until_back,
    scales,
    simulate,
    told,
)
from ml.simulator.baselines import earliest_deadline, source_priority, urgency
from ml.simulator.columns import COLUMN, DAY
from ml.simulator.figures import t_975
from ml.simulator.population import FILE
from ml.types import Array
from tests.ml.simulated import POPULATION, a_world, blind, without

FIXED = "e38b38a8cbf3a5634b80dfc137cb410585d844aad4268d978531b80253b15cf5"
SMALL = Plan(people=20, rounds=12, population=POPULATION)


@dataclass(slots=True)
class Diary:
    """Chooses the first, and writes down everything it is told; a choice is (user, look)."""

    told: list[tuple[str, tuple[int, int], int, float]] = field(default_factory=list)
    looks: dict[int, int] = field(default_factory=dict)

    def choose(self, user: int, context: Array, candidates: Array) -> "Noted":
        self.looks[user] = self.looks.get(user, -1) + 1
        return Noted((user, self.looks[user]))

    def choose_many(self, users: Sequence[int], contexts: Array, candidates: Sequence[Array]) -> "list[Noted]":
        return [self.choose(*each) for each in zip(users, contexts, candidates, strict=True)]

    def learn(self, user: int, choice: "Noted", reward: float) -> None:
        self.told.append(("learn", choice.of, self.looks[user], reward))

    def revise(self, user: int, choice: "Noted", reward: float) -> None:
        self.told.append(("revise", choice.of, self.looks[user], reward))


@dataclass(frozen=True, slots=True)
class Noted:
    of: tuple[int, int]
    index: int = 0


def diary_of(plan: Plan) -> tuple[Diary, Run]:
    diary = Diary()
    [run] = simulate({"diary": lambda _seed: diary}, plan, [1])["diary"]
    return diary, run


@pytest.mark.parametrize("delay", [0, 3])
def test_every_reward_is_learnt_so_many_decisions_later(delay: int):
    diary, _ = diary_of(replace(SMALL, delay=delay))

    learnt = [(of, known_at) for verb, of, known_at, _ in diary.told if verb == "learn"]

    assert len(learnt) == 20 * (12 - 1 - delay)
    assert all(known_at == number + delay for (_, number), known_at in learnt)


def test_the_last_word_on_a_choice_is_what_it_came_to():
    diary, run = diary_of(replace(SMALL, people=60, rounds=40))
    last = {of: reward for _, of, _, reward in diary.told}
    revised = [of for verb, of, _, _ in diary.told if verb == "revise"]

    # Where the app tells of a completion a day later, and nobody looks after that, the last word is still to come.
    settled = [of for of in last if of[1] < 25]
    assert all(last[of] == run.reward[of] for of in settled)
    assert len(revised) > 50


def test_nothing_is_revised_where_nothing_is_taken_back_nor_done_elsewhere():
    diary, _ = diary_of(replace(SMALL, people=60, population=without("undo", "elsewhere")))

    assert {verb for verb, *_ in diary.told} == {"learn"}


def test_a_completion_elsewhere_is_told_at_the_first_look_after_it():
    plan = replace(SMALL, people=100, rounds=20, population=without("undo"))
    diary, _ = diary_of(plan)
    at = prepared(plan, 1)().course.at
    told = [(of, known_at, reward) for verb, of, known_at, reward in diary.told if verb == "revise"]

    for (user, number), known_at, reward in told:
        completed_at = at[user, number] + (0.7 - reward) / 0.4 * DAY
        # What a diary is told before it chooses is noted by the look before.
        assert at[user, known_at] < completed_at + 1e-6 < at[user, known_at + 1] + 2e-6
    assert len({of for of, _, _ in told}) == len(told) > 50


@pytest.mark.parametrize("name", ["earliest_deadline", "oracle", "diary"])
def test_choosing_by_turns_or_at_once_is_the_same_to_who_learns_nothing(name: str):
    choosers = {**BASELINES, "diary": lambda _seed: Diary()}

    [at_once], [by_turns] = (
        simulate({name: choosers[name]}, replace(SMALL, by_turns=by_turns), [1])[name] for by_turns in (False, True)
    )

    np.testing.assert_array_equal(at_once.regret, by_turns.regret)
    np.testing.assert_array_equal(at_once.reward, by_turns.reward)


def test_runs_are_the_same_whoever_else_runs():
    alone = simulate({"urgency": BASELINES["urgency"]}, SMALL, [1, 2])
    among = simulate(BASELINES, SMALL, [1, 2])

    for one, same in zip(alone["urgency"], among["urgency"], strict=True):
        np.testing.assert_array_equal(one.regret, same.regret)


def test_the_oracle_regrets_nothing_and_chance_regrets_everything():
    runs = simulate({name: BASELINES[name] for name in ("oracle", "random")}, Plan(100, rounds=40), [1])

    assert regret_scale(runs["oracle"][0]) == 0
    assert regret_scale(runs["random"][0]) == pytest.approx(100, abs=3)


def test_the_population_is_as_it_was_fixed():
    """Before any policy's regret was known. After a change, earlier figures no longer stand beside later ones."""
    assert sha256(FILE.read_bytes()).hexdigest() == FIXED


@pytest.mark.long
def test_who_knows_nothing_does_as_the_population_was_made_for():
    runs = simulate(BASELINES, Plan(60, rounds=60, population=POPULATION), [0, 1, 2])
    done = {name: np.mean([done_share(run) for run in of_it]) for name, of_it in runs.items()}
    regret = {name: np.mean([regret_scale(run) for run in of_it]) for name, of_it in runs.items()}

    assert 0.15 < done["random"] < 0.25
    assert 0.50 < done["oracle"] < 0.65
    assert all(45 < regret[name] < 80 for name in ("earliest_deadline", "source_priority", "urgency"))


def test_days_end_for_each_person_on_their_own():
    [run] = simulate({"random": BASELINES["random"]}, Plan(30, days=5, population=POPULATION), [1])["random"]

    looks = np.isfinite(run.regret).sum(axis=1)
    assert len(set(looks.tolist())) > 3
    assert ((run.action >= 0) == np.isfinite(run.regret)).all()
    assert 0 < done_share(run) < 1


@pytest.mark.parametrize(("rounds", "days"), [(None, None), (3, 3)])
def test_a_plan_is_of_rounds_or_of_days(rounds: int | None, days: int | None):
    with pytest.raises(ValueError, match="either"):
        Plan(1, rounds=rounds, days=days)


@dataclass(slots=True)
class Fan:
    """Knows everybody's linear taste as it was in the beginning, and never learns."""

    weights: Array

    def choose(self, user: int, context: Array, candidates: Array) -> Pick:
        return Pick(int((candidates @ self.weights[user]).argmax()))

    def choose_many(self, users: Sequence[int], contexts: Array, candidates: Sequence[Array]) -> list[Pick]:
        return [self.choose(*each) for each in zip(users, contexts, candidates, strict=True)]

    def learn(self, user: int, choice: Pick, reward: float) -> None: ...

    def revise(self, user: int, choice: Pick, reward: float) -> None: ...


def test_who_knew_the_taste_knows_it_no_more_after_it_changed():
    plan = Plan(60, rounds=60, switch_at=30, population=replace(POPULATION, nonlinearity=0.0))
    weights = plan.population.draw(60, 1).taste.weights

    [run] = simulate({"fan": lambda _seed: Fan(weights)}, plan, [1])["fan"]

    assert regret_scale(run, slice(0, 30)) < 10
    assert regret_scale(run, slice(30, 60)) > 30


def made_up(regret: Sequence[float], seed: int = 0) -> Run:
    """A run of one person with this regret, where chance would have missed 1 each time."""
    values = np.array([regret])
    return Run("x", seed, values, np.ones_like(values), values, np.zeros(values.shape, dtype=np.int8))


def test_regret_is_counted_against_chance():
    assert regret_scale(made_up([0.5, 0.0, 0.1])) == pytest.approx(20)
    assert regret_scale(made_up([0.5, 0.0, 0.1]), slice(1, None)) == pytest.approx(5)


@pytest.mark.parametrize(("freedom", "quantile"), [(4, 2.7764), (9, 2.2622), (19, 2.0930), (99, 1.9842)])
def test_students_t_is_that_of_the_tables(freedom: int, quantile: float):
    assert t_975(freedom) == pytest.approx(quantile, rel=1e-3)


def test_an_interval_over_seeds_is_students():
    estimate = over_seeds([1.0, 2.0, 3.0, 4.0, 5.0])

    assert estimate.value == 3.0
    assert (estimate.low, estimate.high) == pytest.approx((3 - 1.9634, 3 + 1.9634), abs=2e-3)
    with pytest.raises(ValueError, match="5 seeds"):
        over_seeds([1.0, 2.0, 3.0, 4.0])


def test_a_ratio_is_paired_by_seed():
    theirs = [made_up([level / 10]) for level in (1, 2, 3, 4, 5)]
    ours = [made_up([level / 20]) for level in (1, 2, 3, 4, 5)]

    paired = ratio(ours, theirs)
    assert (paired.value, paired.low, paired.high) == pytest.approx((0.5, 0.5, 0.5))
    assert scales(theirs).value == pytest.approx(30)


def test_recovery_is_the_first_window_that_is_as_good_as_before():
    run = made_up([0.2] * 60 + [0.8] * 15 + [0.2] * 40)

    assert rounds_until_back([run], 60) == 15
    assert rounds_until_back([made_up([0.2] * 60 + [0.8] * 55)], 60) is None


def rows(**columns: Sequence[float]) -> Array:
    """Candidates of which only these columns are told."""
    matrix = np.zeros((len(next(iter(columns.values()))), len(COLUMN)))
    for name, values in columns.items():
        matrix[:, COLUMN[name]] = values
    return matrix


def test_orders_prefer_what_they_say():
    candidates = rows(
        days_until_due=[3.0, -1.0, 30.0, -1.0],
        has_due=[1.0, 1.0, 0.0, 1.0],
        priority=[1.0, 1.0, 4.0, 1.0],
        task_age_days=[0.0, 5.0, 0.0, 9.0],
    )

    chosen = [BASELINES[name](0).choose(0, np.zeros(1), candidates).index for name in BASELINES if name[0] in "es"]

    assert chosen == [3, 2]
    assert earliest_deadline(candidates).argmax() == 1
    assert source_priority(candidates).argmax() == 2


def test_urgency_is_taskwarriors():
    candidates = rows(
        days_until_due=[-10.0, 0.0, 14.0, 30.0, 30.0],
        has_due=[1.0, 1.0, 1.0, 1.0, 0.0],
        priority=[1.0, 2.0, 3.0, 4.0, 1.0],
        label_count=[0.0, 1.0, 2.0, 5.0, 0.0],
        task_age_days=[0.0, 0.0, 0.0, 365.0, 73.0],
    )

    expected = [12.0, 12 * (14 * 0.8 / 21 + 0.2) + 1.8 + 0.8, 2.4 + 3.9 + 0.9, 2.4 + 6.0 + 1.0 + 2.0, 0.4]
    np.testing.assert_allclose(urgency(candidates), expected)


def test_the_judge_likes_what_the_oracle_chooses_and_little_else():
    world, rng = a_world(people=200, rounds=6), np.random.default_rng(3)
    good, blindly, total = 0, 0, 0

    for _ in range(6):
        scene = world.look()
        picks = blind(scene, rng)
        for row, values in enumerate(scene.split(scene.chances.mu)):
            good += judge(*told(world, scene, row, int(values.argmax()))).is_good
            blindly += judge(*told(world, scene, row, int(picks[row]))).is_good
            total += 1
        world.advance(scene, picks)

    assert good / total > 0.8
    assert blindly / total < 0.35


def test_the_judge_says_why():
    world, reasons = a_world(people=200, rounds=6), set[str]()
    for number in range(6):
        scene = world.look()
        for row in range(len(scene.people)):
            reasons |= {judge(*told(world, scene, row, index)).reason for index in range(len(scene.sets[row]))}
        world.advance(scene, np.full(len(scene.people), number, dtype=np.intp))

    assert len(reasons) == 6


def test_every_number_of_the_file_says_what_it_means():
    silent = [line for line in FILE.read_text().splitlines() if " = " in line and "  # " not in line]

    assert silent == []


@pytest.mark.parametrize(
    ("was", "put"),
    [
        ("drift = 1.0", "drifting = 1.0"),
        ("looks_per_day = [", "looks_a_day = ["),
        ("ready = [", "willing = ["),
        ("is_overdue = [", "is_late = ["),
        ("peak_hour = 8.0", "best_hour = 8.0"),
        ("trip_hours = 8", "trip_hour = 8"),
    ],
)
def test_a_name_that_means_nothing_is_refused(was: str, put: str):
    text = FILE.read_text()
    assert was in text

    with pytest.raises((ValueError, TypeError, KeyError)):
        read_population(text.replace(was, put, 1))
