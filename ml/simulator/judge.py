"""Would a sensible observer, who knows the person, find this tip good at this moment? Judged by rules, or by others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ml.simulator.columns import SCHEMA
from ml.simulator.liking import effort
from ml.simulator.world import Scene, World

_STANDS_OUT = 0.5  # of the way from the average candidate to the best one
_TOO_MUCH = 1.2  # more effort than the hour gives: four times the length that would suit it
_HOURS_OF_REST = 20.0  # after a refusal
_WEARY = 0.5
_SHORTEST, _LONG = 5.0, 60.0  # minutes


@dataclass(frozen=True, slots=True)
class Person:
    """What an observer knows of somebody at that time: their kind, and whether the day is an odd one."""

    cluster: str
    is_odd_day: bool


@dataclass(frozen=True, slots=True)
class Item:
    """What was suggested, in the product's columns, with the truth behind it.

    `effort` is what it asks for on the scale of a moment's energy,
    `standing` is 1 for what promises most of all that could be suggested, 0 for the average, below it for worse.
    """

    columns: Mapping[str, float]
    minutes: float
    effort: float
    weary: float
    standing: float


@dataclass(frozen=True, slots=True)
class Moment:
    """When it was suggested, in the product's columns; `energy` is 1 at the person's best hour, -1 at the worst."""

    columns: Mapping[str, float]
    energy: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a tip was good, and why."""

    is_good: bool
    reason: str


class Judge(Protocol):
    """Who judges tips: the rules here, or a model that is told the same."""

    def __call__(self, person: Person, item: Item, moment: Moment) -> Verdict: ...


def judge(person: Person, item: Item, moment: Moment) -> Verdict:
    """Judge by rules: nothing that was just refused, that cannot be done now, or that others by far outdo."""
    is_calendar_known = moment.columns["has_calendar"] > 0
    if item.weary > _WEARY and item.columns["hours_since_shown"] < _HOURS_OF_REST:
        return Verdict(is_good=False, reason="It was refused a short while ago.")
    if is_calendar_known and item.minutes > max(moment.columns["free_minutes"], _SHORTEST) * 2:
        return Verdict(is_good=False, reason="It takes far longer than there is time before the next meeting.")
    if item.effort - moment.energy > _TOO_MUCH and not _presses(item):
        return Verdict(is_good=False, reason="It asks for more than the hour gives, and could wait.")
    if person.is_odd_day and item.minutes > _LONG and not _presses(item):
        return Verdict(is_good=False, reason="It is much to ask on a day like this, and could wait.")
    if item.standing < _STANDS_OUT:
        return Verdict(is_good=False, reason="Others suit this person better now.")
    return Verdict(is_good=True, reason="It suits the person and the moment.")


def told(world: World, scene: Scene, row: int, index: int) -> tuple[Person, Item, Moment]:
    """Return what a judge is told of candidate `index` of the scene's person in `row`."""
    place = int(scene.starts[row]) + index
    mean, best = float(scene.mean[row]), float(scene.best[row])
    cluster = world.population.clusters[int(world.people.cluster[int(scene.people[row])])]
    return (
        Person(cluster=cluster.name, is_odd_day=bool(scene.sight.is_odd[row])),
        Item(
            columns=dict(zip(SCHEMA.candidates, scene.candidates[place].tolist(), strict=True)),
            minutes=float(scene.sight.minutes[place]),
            effort=float(effort(scene.sight.minutes)[place]),
            weary=float(scene.sight.weary[place]),
            standing=(float(scene.chances.mu[place]) - mean) / max(best - mean, 1e-9),
        ),
        Moment(
            columns=dict(zip(SCHEMA.context, scene.contexts[row].tolist(), strict=True)),
            energy=float(scene.energy[row]),
        ),
    )


def _presses(item: Item) -> bool:
    return item.columns["has_due"] > 0 and item.columns["days_until_due"] <= 1
