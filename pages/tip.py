"""The tip page: one sentence on black, three answers at the thumb."""

import reflex as rx
from reflex.components.component import Component

from pages.page import Page
from pages.parts import Kept, frame, hidden, leaving
from state.tip import TipState

# Written down by tip.js at the moment of the click, before it is sent; a page without it sends null.
SAID = "(globalThis.oo ? globalThis.oo.say({}) : null)"
ANSWERS = (("Dismiss", "dismiss", "x"), ("Snooze", "snooze", "s"), ("Done", "done", "d"))
# "Not for me" joins them with the page on which it can be taken back.
LATER = (
    ("Later today", "later_today"),
    ("Tomorrow", "tomorrow"),
    ("Not this week", "not_this_week"),
    ("Too big for now", "too_big"),
)


def tip() -> Component:
    """Return the page: a card, a silence, or the quiet before either."""
    nothing_yet = rx.cond(TipState.silence != "", silence(), waiting())
    return frame(
        # One live element for good: what changes inside it is read out.
        rx.el.div(
            rx.cond(TipState.card.impression_id != "", card(), nothing_yet), aria_live="polite", class_name="stage"
        ),
        rx.el.div(
            rx.el.div(rx.cond(TipState.undoable != "", undo(), rx.fragment()), unsent(), class_name="undo-place"),
            rx.cond(
                TipState.card.impression_id != "",
                answers(),
                rx.cond(TipState.silence != "", rx.fragment(), kept("answers", "", class_name="answers")),
            ),
            rx.el.div(
                rx.cond(TipState.card.impression_id != "", asides(), rx.fragment()),
                rx.cond(TipState.asks_to_notify, notify_me(), rx.fragment()),
                rx.el.a("Settings", href="/connect", class_name="quiet"),
                class_name="asides",
            ),
            class_name="thumb",
        ),
        ledger(),
        kind="tip",
    )


def card() -> Component:
    """Return the tip; it is drawn anew for each impression, which starts its entrance."""
    shown = TipState.card
    return rx.el.div(
        rx.el.p(
            rx.el.span(class_name="glyph", custom_attrs={"data-kind": shown.kind, "aria-hidden": "true"}),
            hidden(shown.kind_name),
            class_name="kind",
        ),
        rx.el.h1(
            shown.content,
            class_name=f"tip-text {shown.size}",
            custom_attrs={"data-testid": "tip", "data-kind": shown.kind, "data-impression": shown.impression_id},
        ),
        rx.cond(shown.detail != "", rx.el.p(shown.detail, class_name="detail"), rx.fragment()),
        rx.el.p(
            rx.cond(shown.due != "", rx.el.span(shown.due), rx.fragment()),
            rx.cond(shown.source != "", source(), rx.fragment()),
            class_name="meta",
        ),
        witness(),
        key=shown.impression_id,
        class_name="card",
    )


def witness() -> Component:
    """Return the button nobody sees: oo.js presses it once the tip has been visible for a second."""
    see = TipState.see(TipState.card.impression_id)
    return rx.el.button(type="button", hidden=True, on_click=see, custom_attrs={"data-witness": "true"})


def source() -> Component:
    """Return where the tip comes from, as a link where there is one."""
    shown = TipState.card
    link = leaving(shown.source, shown.source_url, target="_blank", rel="noopener noreferrer")
    return rx.cond(shown.source_url != "", link, rx.el.span(shown.source))


def silence() -> Component:
    """Return the calm sentence when there is no tip."""
    ways = rx.match(
        TipState.silence,
        ("no_source", rx.el.a("Connect", href="/connect", class_name="button")),
        ("resting", rx.el.button("Wake oO", type="button", on_click=TipState.wake, class_name="button")),
        rx.el.button("Look again", type="button", on_click=TipState.look_again, class_name="button"),
    )
    return rx.el.div(rx.el.h1(TipState.sentence, class_name="tip-text silence"), ways, key="silence", class_name="card")


def waiting() -> Component:
    """Return the pulse before the first answer, in a place where tip.js may draw the tip that was open last."""
    return kept("card", '<h1 class="pulse"><span class="sr">oO is choosing</span></h1>', class_name="card")


def kept(name: str, markup: str, *, class_name: str) -> Component:
    """Return a place for the copy of a tip; it is not read out, since the tip itself is when it comes."""
    attributes = {"data-kept": name, "aria-live": "off"}
    return Kept.holding(markup, key=f"kept-{name}", class_name=class_name, custom_attrs=attributes)


def ledger() -> Component:
    """Return what tip.js reads: whose page this is, what time it is here, which answers have arrived."""
    attributes = {"data-person": TipState.person, "data-now": TipState.now_ms, "data-answered": TipState.answered}
    return rx.el.span(again(), hidden=True, custom_attrs=attributes)


def again() -> Component:
    """Return the button nobody sees: tip.js presses it when an answer has gone another way than by this page."""
    return rx.el.button(type="button", on_click=TipState.load, custom_attrs={"data-again": "true"})


def unsent() -> Component:
    """Return what is shown, by tip.js, while an answer could not be sent."""
    words = "Sent once you are back."
    back = rx.el.button("Undo", type="button", class_name="quiet", custom_attrs={"data-key": "u"})
    return rx.el.div(
        rx.el.p(words, class_name="line"), back, id="unsent", hidden=True, role="status", class_name="unsent-line"
    )


def answers() -> Component:
    """Return the three answers. Keys and swipes press these very buttons."""
    return rx.el.div(*(answer(*each) for each in ANSWERS), role="group", aria_label="Answer", class_name="answers")


def answer(name: str, action: str, key: str) -> Component:
    """Return one answer."""
    return rx.el.button(
        name,
        type="button",
        on_click=TipState.react(TipState.card.impression_id, action, said(action), None),
        class_name=f"answer {action}",
        custom_attrs={"data-key": key, "data-action": action, "aria-keyshortcuts": key},
    )


def undo() -> Component:
    """Return the way back; the style sheet takes it away after five seconds."""
    return rx.el.button(
        "Undo",
        type="button",
        on_click=TipState.react(TipState.undoable, "undo", said("undo"), None),
        key=TipState.undoable,
        class_name="quiet undo",
        custom_attrs={
            "data-key": "u",
            "data-since": TipState.undo_since,
            "data-undoes": TipState.undoable,
            "data-reaction": TipState.undo_reaction,
            "aria-keyshortcuts": "u",
        },
    )


def said(*words: str) -> rx.Var:
    """Return what the browser notes about an answer when it is given."""
    return rx.Var(SAID.format(", ".join(map(repr, words))), _var_type=dict | None)


def asides() -> Component:
    """Return the two sheets that come up from below: why this tip, and when it should come back."""
    return rx.fragment(
        opener("Why this?", "why"),
        sheet("why", rx.el.p(TipState.card.why, class_name="why")),
        opener("Other times", "later"),
        sheet("later", *(later(*each) for each in LATER)),
    )


def notify_me() -> Component:
    """Return the wish to be told, until it is decided here or in the settings."""
    return rx.el.button("Notify me", type="button", on_click=TipState.notify_me, class_name="quiet")


def opener(name: str, target: str) -> Component:
    """Return the button of a sheet; the browser opens it, oo.js keeps `aria-expanded` true to it."""
    attributes = {"popoverTarget": target, "aria-expanded": "false", "aria-controls": target}
    return rx.el.button(name, type="button", class_name="quiet", custom_attrs=attributes)


def sheet(name: str, *children: Component) -> Component:
    """Return what comes up from below, above everything, moving nothing."""
    return rx.el.div(*children, id=name, class_name="sheet", custom_attrs={"popover": "auto"})


def later(name: str, snooze: str) -> Component:
    """Return one of the times at which a tip may come back."""
    react = TipState.react(TipState.card.impression_id, "snooze", said("snooze", snooze), snooze)
    return rx.el.button(name, type="button", on_click=react, class_name="row")


PAGE = Page(
    route="/tip",
    title="Your tip · oO",
    description="The one thing to look at now.",
    component=tip,
    on_load=TipState.load,
)
