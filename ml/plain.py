"""What the plain policies have in common: one ridge for each person, over a view of the decision, nothing shared."""

from dataclasses import dataclass, replace

import numpy as np

from ml.head import Belief, Head, belief, empty, learned
from ml.named import View
from ml.types import Array, Explanation, Logged


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's rounds added up, in columns of a view."""

    view: View
    head: Head


def fresh(view: View) -> Person:
    """Return somebody of whom nothing is known."""
    return Person(view, empty(view.width))


def believed(person: Person, *, noise: float) -> Belief:
    """Return the belief about a person's weights, before which each is N(0, 1)."""
    return belief(person.head, np.eye(person.view.width), noise)


def learn(person: Person, logged: Logged) -> Person:
    """Fold a round."""
    x = person.view.columns(logged.context, logged.candidate[None, :])[0]
    return replace(person, head=learned(person.head, x, logged.reward))


def explain(person: Person, context: Array, candidates: Array, chosen: int, *, noise: float) -> Explanation:
    """Tell each column's part in the mean score of the chosen one, against the average one."""
    x = person.view.columns(context, candidates)
    return Explanation(person.view.credited(believed(person, noise=noise).mean * (x[chosen] - x.mean(axis=0))))
