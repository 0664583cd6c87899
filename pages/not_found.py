"""The page for addresses that lead nowhere."""

import reflex as rx
from reflex.components.component import Component

from pages.page import Page
from pages.parts import frame


def not_found() -> Component:
    """Return a calm way back."""
    return frame(
        rx.el.div(
            rx.el.h1("There is nothing here.", class_name="tip-text silence"),
            rx.el.a("Home", href="/", class_name="button"),
            class_name="card",
        ),
        kind="lost",
    )


PAGE = Page(route="404", title="Not found · oO", description="There is nothing at this address.", component=not_found)
