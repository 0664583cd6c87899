"""The few pieces that every page is made of."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import reflex as rx
from reflex.components.component import Component
from reflex_components_core.core.banner import has_connection_errors
from reflex_components_core.el.elements.base import BaseHTML
from reflex_components_core.el.elements.inline import A

from state.base import NOTICE

ASSETS = Path(__file__).resolve().parent.parent / "assets"
SCRIPTS = ("queue.js", "tip.js", "oo.js")  # in the order in which they build on one another


def frame(*children: Component, kind: str) -> Component:
    """Return the one `main` of a page, with the lines in which oO speaks."""
    lines = rx.el.div(offline_line(), notice_line(), class_name="lines")
    return rx.el.main(*children, lines, class_name=f"page {kind}")


def offline_line() -> Component:
    """Say that the connection is lost, for as long as it is."""
    words = rx.el.p("Offline. oO will be back.", class_name="line")
    return rx.el.div(rx.cond(has_connection_errors, words, rx.fragment()), role="status", class_name="offline")


def notice_line() -> Component:
    """Return the place of notices: an output is a polite status by itself; `state.base.notice` sets its value."""
    return rx.el.output(id=NOTICE, class_name="notice")


def said(sentence: rx.Var[str] | str, *, role: Literal["alert", "status"], class_name: str) -> Component:
    """Return a sentence while there is one."""
    return rx.cond(sentence != "", rx.el.p(sentence, role=role, class_name=class_name), rx.fragment())


def mark() -> Component:
    """Return the way home."""
    return rx.el.a("oO", href="/", class_name="mark", aria_label="oO, home")


def leaving(words: str | rx.Var[str], href: str | rx.Var[str], **attributes: Any) -> Component:
    """Return a link that loads a whole document, where `rx.el.a` would only change the page within this one."""
    return A.create(words, href=href, **attributes)


class PlainForm(BaseHTML):
    """A form that the browser itself sends, where `rx.el.form` would hold it back for an event handler."""

    tag = "form"


class Kept(BaseHTML):
    """A place that oo.js may fill: React draws what stands in it at first, and never looks at it again."""

    tag = "div"
    dangerouslySetInnerHTML: rx.Var[dict[str, str]]  # noqa: N815 -- React's own name
    suppress_hydration_warning: rx.Var[bool]

    @classmethod
    def holding(cls, markup: str, **attributes: Any) -> Component:
        """Return the place with our own markup in it."""
        given: Any = {"dangerouslySetInnerHTML": {"__html": markup}, "suppress_hydration_warning": True}
        return cls.create(**given, **attributes)


def hidden(words: str | rx.Var[str]) -> Component:
    """Return words for those who listen."""
    return rx.el.span(words, class_name="sr")


def icon() -> tuple[Component, ...]:
    """Return what stands in the head of every page beside its title."""
    return (
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
        rx.el.link(rel="apple-touch-icon", href="/icon-180.png"),
        rx.el.link(rel="manifest", href="/manifest.webmanifest"),
        rx.el.meta(name="viewport", content="width=device-width, initial-scale=1, viewport-fit=cover"),
        rx.el.meta(name="theme-color", content="#000000"),
        # Half a document would be drawn at the bottom of the screen, and move when the rest has come.
        rx.el.link(rel="expect", href=f"#{NOTICE}", custom_attrs={"blocking": "render"}),
        *(rx.el.script(src=versioned(name), defer=True) for name in SCRIPTS),
    )


def versioned(name: str) -> str:
    """Return the address of a script of ours, with what it holds in the name, so that browsers may keep it for good."""
    return f"/{name}?v={hashlib.sha256((ASSETS / name).read_bytes()).hexdigest()[:12]}"
