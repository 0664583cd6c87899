"""A small simulated world for tests, with phenomena switched on and off."""

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np

from ml.simulator import Plan, Population, Scene, World, prepared, read_population
from ml.simulator.population import Index, Strength

POPULATION = read_population()


def only(*phenomena: str) -> Population:
    """The population with nothing but these phenomena."""
    strength = Strength(**{each.name: float(each.name in phenomena) for each in fields(Strength)})
    return replace(POPULATION, strength=strength)


def without(*phenomena: str) -> Population:
    """The population with all but these phenomena."""
    return replace(POPULATION, strength=replace(POPULATION.strength, **dict.fromkeys(phenomena, 0.0)))


def a_world(population: Population = POPULATION, *, people: int = 40, rounds: int = 12, seed: int = 1) -> World:
    return prepared(Plan(people, rounds=rounds, population=population), seed)()


def blind(scene: Scene, rng: np.random.Generator) -> Index:
    """An index for everybody who looks, by chance."""
    return (rng.random(len(scene.people)) * np.diff(scene.starts)).astype(np.intp)


def lived(world: World, seed: int = 2) -> Iterator[tuple[Scene, Index]]:
    """Everything that a world has to show to somebody who chooses blindly, with what was chosen."""
    rng = np.random.default_rng(seed)
    for _ in range(world.course.rounds):
        scene = world.look()
        picks = blind(scene, rng)
        yield scene, picks
        world.advance(scene, picks)
