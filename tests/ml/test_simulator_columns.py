"""The simulator's columns are the product's: the same names, the same values for the same items and moments."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ml.simulator import SCHEMA, Scene, World
from ml.simulator.answers import DISMISS, DONE, SNOOZE
from ml.simulator.items import AT_TIME, FLOATING, ON_DAY, snoozed_until
from ml.types import Array
from oo_app.features import CANDIDATE_FEATURES, CONTEXT_FEATURES, Dose, Moment, day_of, snapshot
from oo_app.features.known import agenda_of
from oo_app.features.profile import Habits
from oo_app.signals import Busy, OpenItem
from oo_app.tips import sleep
from tests.features.known import ITEM
from tests.ml.simulated import POPULATION, a_world, lived

EPOCH = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
TO_COME = ("times_shown", "hours_since_shown", "refusal_fatigue")


@dataclass(frozen=True, slots=True)
class Shown:
    """A tip of the past: which item, when, and what was answered."""

    slot: int
    number: int
    at: float
    action: int


@dataclass(slots=True)
class Known:
    """What a person was shown so far, noted beside the world's own books."""

    tips: list[Shown] = field(default_factory=list)

    def dose(self, now: datetime, zone: ZoneInfo) -> Dose:
        begins, _ = day_of(now, zone)
        refusals = 0
        for tip in reversed(self.tips):
            if tip.action == DONE:
                break
            refusals += tip.action in {SNOOZE, DISMISS}
        return Dose(
            tips_today=sum(moment(tip.at) >= begins for tip in self.tips),
            last_at=moment(self.tips[-1].at) if self.tips else None,
            refusals=refusals,
        )

    def of(self, slot: int, number: int) -> list[Shown]:
        return [tip for tip in self.tips if (tip.slot, tip.number) == (slot, number)]


def moment(at: float) -> datetime:
    return EPOCH + timedelta(minutes=at)


def travellers() -> World:
    """People who are hardly ever at home."""
    spreads = {**POPULATION.spreads, "trips_per_month": (20.0, 1.0, 0.0, 30.0)}
    return a_world(replace(POPULATION, spreads=spreads), people=25, rounds=14)


def the_moment(world: World, scene: Scene, row: int, known: Known) -> Moment:
    """A scene's moment as the product knows it."""
    person, now = int(scene.people[row]), moment(float(scene.moments.at[row]))
    offset = int(scene.moments.offset[row])
    zone = ZoneInfo(f"Etc/GMT{-offset:+d}")
    pairs = zip(world.course.starts[person].flat, world.course.ends[person].flat, strict=True)
    entries = sorted(Busy(moment(start), moment(end)) for start, end in pairs if np.isfinite(start))
    counts = [int(count) for count in np.roll(world._done[person], offset)]
    read_at: dict[str, datetime | None] = {"todoist": moment(float(scene.moments.read_at[row]))}
    if world.course.has_calendar[person]:
        read_at["ical"] = moment(float(world.course.calendar_at[person, world.number]))
    return Moment(
        now=now,
        local=now.astimezone(zone),
        zone=zone,
        open_items=len(scene.sets[row]),
        agenda=agenda_of(entries, now, zone) if world.course.has_calendar[person] else None,
        habits=Habits(counts, sum(counts)) if any(counts) else None,
        dose=known.dose(now, zone),
        read_at=read_at,
    )


def the_item(world: World, person: int, slot: int) -> OpenItem:
    """An item of the simulator as the product holds it."""
    items, supply = world.items, world.items.supply
    place, supplied = (person, slot), (person, items.number[person, slot])
    due, kind, deadline = float(items.due[place]), items.due_kind[place], float(items.deadline[place])
    return ITEM._replace(
        due_on=moment(due).date() if kind == ON_DAY else None,
        due_at=moment(due) if kind == AT_TIME else None,
        due_floating=moment(due).replace(tzinfo=None).isoformat() if kind == FLOATING else None,
        deadline_on=moment(deadline).date() if np.isfinite(deadline) else None,
        priority=int(supply.priority[supplied]),
        is_recurring=bool(supply.period[supplied]),
        minutes=int(supply.minutes[supplied]) if supply.is_told[supplied] else None,
        label_count=int(supply.labels[supplied]),
        label_bits=int(supply.bits[supplied]),
        postponed=int(items.postponed[place]),
        created_at=moment(float(items.created[place])),
    )


def shown_before(world: World, scene: Scene, row: int, known: Known) -> Array:
    """What the three columns to come mean, from what was noted: (n, 3)."""
    person, now = int(scene.people[row]), float(scene.moments.at[row])
    rows: list[tuple[float, float, float]] = []
    for slot in scene.split(scene.slots)[row]:
        tips = known.of(int(slot), int(world.items.number[person, slot]))
        ages = [(now - tip.at) / 60 for tip in tips if tip.action in {SNOOZE, DISMISS}]
        since = (now - tips[-1].at) / 60 if tips else 720.0
        rows.append((min(len(tips), 20), min(since, 720.0), min(sum(np.exp(-age / 48) for age in ages), 5.0)))
    return np.array(rows)


def test_the_names_are_the_products():
    candidates = tuple(feature.name for feature in CANDIDATE_FEATURES)

    assert SCHEMA.context == tuple(feature.name for feature in CONTEXT_FEATURES)
    assert SCHEMA.candidates == (*candidates, *(name for name in TO_COME if name not in candidates))


def test_the_values_are_the_products():
    world = travellers()
    known = [Known() for _ in range(len(world.people))]
    shared = [SCHEMA.candidates.index(feature.name) for feature in CANDIDATE_FEATURES if feature.name not in TO_COME]
    theirs = [place for place, feature in enumerate(CANDIDATE_FEATURES) if feature.name not in TO_COME]
    compared = 0

    for scene, picks in lived(world):
        for row, person in enumerate(scene.people.tolist()):
            slots = scene.split(scene.slots)[row]
            then = the_moment(world, scene, row, known[person])
            told = snapshot(then, [the_item(world, person, slot) for slot in slots])
            np.testing.assert_allclose(scene.contexts[row], told.context, rtol=0, atol=1e-9)
            np.testing.assert_allclose(scene.sets[row][:, shared], told.candidates[:, theirs], rtol=0, atol=1e-9)
            before = shown_before(world, scene, row, known[person])
            np.testing.assert_allclose(scene.sets[row][:, -3:], before, rtol=0, atol=1e-9)
            compared += 1
            slot, place = int(slots[picks[row]]), scene.starts[row] + picks[row]
            number, action = int(world.items.number[person, slot]), int(scene.answered.action[place])
            known[person].tips.append(Shown(slot, number, float(scene.moments.at[row]), action))

    assert compared == 350


def test_the_values_stay_within_the_products_bounds():
    bounds = {feature.name: (feature.low, feature.high) for feature in (*CONTEXT_FEATURES, *CANDIDATE_FEATURES)}
    bounds |= {"times_shown": (0, 20), "hours_since_shown": (0, 720), "refusal_fatigue": (0, 5)}

    for scene, _ in lived(a_world()):
        for names, values in ((SCHEMA.context, scene.contexts), (SCHEMA.candidates, scene.candidates)):
            low, high = np.array([bounds[name] for name in names]).T
            assert (values >= low).all()
            assert (values <= high).all()


@pytest.mark.parametrize("kind", ["later_today", "tomorrow", "not_this_week", "too_big"])
@pytest.mark.parametrize("hours", [0.5, 8, 17.5, 18, 23.5, 24 * 6 + 10])
@pytest.mark.parametrize("offset", [-8, 0, 5])
def test_a_snooze_lasts_as_long_as_in_the_product(kind: str, hours: float, offset: int):
    at = hours * 60.0
    place = np.array([["later_today", "tomorrow", "not_this_week", "too_big"].index(kind)])

    until = snoozed_until(np.array([at]), np.array([float(offset)]), place)

    assert moment(float(until[0])) == sleep.snoozed_until(kind, moment(at), ZoneInfo(f"Etc/GMT{-offset:+d}"))
