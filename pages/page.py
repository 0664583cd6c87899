"""A page is a value; the composition root adds them all in one loop."""

from collections.abc import Callable
from dataclasses import dataclass

import reflex as rx
from reflex.event import EventType


@dataclass(frozen=True, slots=True)
class Page:
    """What a route shows, and what is run when somebody comes to it."""

    route: str
    title: str
    description: str
    component: Callable[[], rx.Component]
    on_load: EventType[()] | None = None
