"""Running choosers through the same world, and what they missed by it."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ml.simulator.course import course_of_days, course_of_rounds
from ml.simulator.items import draw_supply
from ml.simulator.population import Index, Population, read_population
from ml.simulator.world import Scene, World
from ml.types import Array


class Picked(Protocol):
    """A choice, of which the simulator needs to know which candidate it was."""

    @property
    def index(self) -> int: ...


class Chooser(Protocol):
    """Who chooses for people and learns from what comes of it; `ml.offline.Learner` is one.

    A choice is handed back as it was given out; its type is the chooser's own affair.
    """

    def choose(self, user: int, context: Array, candidates: Array) -> Picked: ...

    def choose_many(self, users: Sequence[int], contexts: Array, candidates: Sequence[Array]) -> Sequence[Picked]: ...

    def learn(self, user: int, choice: Any, reward: float) -> None: ...

    def revise(self, user: int, choice: Any, reward: float) -> None: ...


@runtime_checkable
class Sighted(Protocol):
    """Who is told the reward to be expected of every candidate before choosing."""

    def see(self, users: Sequence[int], mu: Sequence[Array]) -> None: ...


@dataclass(frozen=True, slots=True)
class Run:
    """What one chooser missed in one world, by person and round (p, r); NaN where somebody did not look.

    `uniform` is the regret to be expected of choosing blindly among the very same candidates; `reward` is what the
    choice came to in the end, `action` a place in `answers.ACTIONS`, 3 for silence and -1 for no look.
    """

    chooser: str
    seed: int
    regret: Array
    uniform: Array
    reward: Array
    action: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated: so many people, for so many rounds or days.

    `delay` is how many further decisions a person makes before a reward is known. `switch_at` is the round in which
    everybody's taste becomes another. With `by_turns` people choose one after the other, and what one of them answered
    is known before the next one chooses; else all of a round choose at once.
    """

    people: int
    rounds: int | None = None
    days: int | None = None
    delay: int = 0
    switch_at: int | None = None
    by_turns: bool = False
    population: Population = field(default_factory=read_population)

    def __post_init__(self) -> None:
        if (self.rounds is None) == (self.days is None):
            msg = "a plan says either how many rounds or how many days"
            raise ValueError(msg)


def simulate(
    choosers: Mapping[str, Callable[[int], Chooser]],
    plan: Plan,
    seeds: Sequence[int],
    *,
    on_round: Callable[[], None] = lambda: None,
) -> dict[str, list[Run]]:
    """Run every chooser, made anew for each seed, through that seed's world: the n-th runs of all are pairs."""
    runs: dict[str, list[Run]] = {name: [] for name in choosers}
    for seed in seeds:
        worlds = prepared(plan, seed)
        for name, make in choosers.items():
            runs[name].append(_Drive(name, make(seed), worlds(), plan).run(seed, on_round))
    return runs


def prepared(plan: Plan, seed: int) -> Callable[[], World]:
    """Draw a seed's people and all that happens to them; each call begins that world anew."""
    population, people = plan.population, plan.population.draw(plan.people, seed)
    if plan.rounds is not None:
        course = course_of_rounds(population, people, seed, plan.rounds)
    else:
        course = course_of_days(population, people, seed, plan.days or 0)
    supply = draw_supply(population, people, seed)
    return lambda: World(population, people, course, supply)


@dataclass(frozen=True, slots=True)
class _Letter:
    """A reward on its way: of a choice made at a look, as first told, as it stood, and as it came later or never."""

    choice: Picked
    number: int
    first: float
    reward: float
    later: float
    arrives_at: float


class _Drive:
    """One chooser in one world."""

    def __init__(self, name: str, chooser: Chooser, world: World, plan: Plan) -> None:
        self.name, self.chooser, self.world, self.plan = name, chooser, world, plan
        self._waiting: list[deque[_Letter]] = [deque() for _ in range(plan.people)]
        self._later: list[list[_Letter]] = [[] for _ in range(plan.people)]

    def run(self, seed: int, on_round: Callable[[], None]) -> Run:
        shape = self.plan.people, self.world.course.rounds
        regret, uniform, reward = (np.full(shape, np.nan) for _ in range(3))
        action = np.full(shape, -1, dtype=np.int8)
        for number in range(shape[1]):
            if number == self.plan.switch_at:
                self.world.change_taste()
            scene = self.world.look()
            picks = self._choose(scene)
            at, chosen = (scene.people, number), scene.starts[:-1] + picks
            regret[at], uniform[at] = scene.best - scene.chances.mu[chosen], scene.best - scene.mean
            answered = scene.answered
            reward[at] = np.where(np.isnan(answered.later[chosen]), answered.reward[chosen], answered.later[chosen])
            action[at] = answered.action[chosen]
            self.world.advance(scene, picks)
            on_round()
        return Run(self.name, seed, regret, uniform, reward, action)

    def _choose(self, scene: Scene) -> Index:
        """Let the chooser choose for everybody, and send off what comes of it."""
        users = scene.people.tolist()
        if isinstance(self.chooser, Sighted):
            self.chooser.see(users, scene.split(scene.chances.mu))
        choices = self._by_turns(scene, users) if self.plan.by_turns else self._at_once(scene, users)
        picks = np.array([choice.index for choice in choices], dtype=np.intp)
        self._post(scene, users, choices, picks)
        return picks

    def _at_once(self, scene: Scene, users: Sequence[int]) -> Sequence[Picked]:
        for user, now in zip(users, scene.moments.at.tolist(), strict=True):
            self._deliver(user, now)
        return self.chooser.choose_many(users, scene.contexts, scene.sets)

    def _by_turns(self, scene: Scene, users: Sequence[int]) -> Sequence[Picked]:
        choices: list[Picked] = []
        turns = zip(users, scene.moments.at.tolist(), scene.contexts, scene.sets, strict=True)
        for user, now, context, candidates in turns:
            self._deliver(user, now)
            choices.append(self.chooser.choose(user, context, candidates))
        return choices

    def _post(self, scene: Scene, users: Sequence[int], choices: Sequence[Picked], picks: Index) -> None:
        """Send off what came of choices; all of it is learnt before a person's next choice, unless it is delayed."""
        answered, chosen = scene.answered, scene.starts[:-1] + picks
        columns = answered.first, answered.reward, answered.later, scene.moments.at[scene.owner] + answered.wait
        facts = zip(*(column[chosen].tolist() for column in columns), strict=True)
        for user, choice, fact in zip(users, choices, facts, strict=True):
            self._waiting[user].append(_Letter(choice, self.world.number, *fact))

    def _deliver(self, user: int, now: float) -> None:
        waiting, later, number = self._waiting[user], self._later[user], self.world.number
        while waiting and waiting[0].number + self.plan.delay < number:
            letter = waiting.popleft()
            self.chooser.learn(user, letter.choice, letter.first)
            if letter.reward != letter.first:
                self.chooser.revise(user, letter.choice, letter.reward)
            if not np.isnan(letter.later):
                later.append(letter)
        if later:
            for letter in later:
                if letter.arrives_at <= now:
                    self.chooser.revise(user, letter.choice, letter.later)
            self._later[user] = [letter for letter in later if letter.arrives_at > now]
