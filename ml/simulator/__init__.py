"""A simulated population: people with hidden tastes who answer tips, so that what a policy misses is known exactly."""

from ml.simulator.answers import ACTIONS
from ml.simulator.baselines import BASELINES, Pick
from ml.simulator.columns import SCHEMA
from ml.simulator.course import course_of_days, course_of_rounds
from ml.simulator.figures import (
    Estimate,
    done_share,
    over_seeds,
    ratio,
    regret_scale,
    rounds_until_back,
    scales,
)
from ml.simulator.judge import Judge, Verdict, judge, told
from ml.simulator.population import People, Population, read_population
from ml.simulator.runs import Chooser, Plan, Run, prepared, simulate
from ml.simulator.world import Scene, World

__all__ = [
    "ACTIONS",
    "BASELINES",
    "SCHEMA",
    "Chooser",
    "Estimate",
    "Judge",
    "People",
    "Pick",
    "Plan",
    "Population",
    "Run",
    "Scene",
    "Verdict",
    "World",
    "course_of_days",
    "course_of_rounds",
    "done_share",
    "judge",
    "over_seeds",
    "prepared",
    "ratio",
    "read_population",
    "regret_scale",
    "rounds_until_back",
    "scales",
    "simulate",
    "told",
]
