"""The door: two ways in, two texts to read."""

import reflex as rx
from reflex.components.component import Component

from pages.page import Page
from pages.parts import frame, leaving, said
from state.index import IndexState


def door() -> Component:
    """Return the page for somebody who is not signed in."""
    return frame(
        rx.el.div(
            rx.el.h1("oO"),
            rx.el.p("One tip at a time, from what you already keep.", class_name="lead"),
            class_name="hero",
        ),
        rx.el.div(
            rx.el.div(
                said(IndexState.problem, role="alert", class_name="problem"),
                said(IndexState.farewell, role="status", class_name="farewell"),
                class_name="said",
            ),
            way_in("Google", "/auth/google/start", is_available=IndexState.has_google),
            way_in("Apple", "/auth/apple/start", is_available=IndexState.has_apple),
            small_print(),
            class_name="ways",
        ),
        kind="door",
    )


def way_in(provider: str, href: str, *, is_available: bool) -> Component:
    """Return the link to an identity provider: a full page load, because the socket reads its cookie only once."""
    return rx.cond(
        is_available,
        leaving(f"Continue with {provider}", href, class_name="button"),
        rx.el.p(f"Sign-in with {provider} is not set up here.", class_name="line"),
    )


def small_print() -> Component:
    """Return the two texts one agrees to by going on."""
    return rx.el.p(
        "By continuing you agree to the ",
        rx.el.a("Terms", href="/legal/terms"),
        " and ",
        rx.el.a("Privacy", href="/legal/privacy"),
        ".",
        class_name="small",
    )


PAGE = Page(
    route="/",
    title="oO",
    description="oO shows one tip at a time, chosen from the tools you already use.",
    component=door,
    on_load=IndexState.load,
)
