"""What is connected, what oO may do, and how to leave."""

from typing import Any

import reflex as rx
from reflex.components.component import Component
from reflex_components_core.el.elements.forms import CheckboxInput

from oo_app.accounts import time_zones
from pages.page import Page
from pages.parts import PlainForm, frame, leaving, said
from state.connect import ConnectState, Row

SWITCHES = (
    ("Notify me", "notify", "A quiet note when something matters, once oO can send one."),
    ("Pause oO", "paused", "No tips until you switch this off."),
    (
        "Learn across people",
        "learn_across_people",
        "Let what helps you help others, without your words, once oO learns.",
    ),
    ("Allow remote AI", "allow_remote_ai", "Let a language model elsewhere word your tips, once oO uses one."),
)
ANSWERS = (
    ("Done", "completes it in its app. Swipe right, or press D."),
    ("Snooze", "brings it back later today. Swipe down, or press S."),
    ("Dismiss", "leaves it alone for a week. Swipe left, or press X."),
    ("Undo", "takes the last answer back, for five seconds. Press U."),
)
FEED, SERVER = "https://…/calendar.ics", "https://…"
ADDRESS_IS_KEPT = "Whoever has this address can read the calendar, so it is kept sealed, and only read."
LOGIN_IS_KEPT = "Use a password made for this app, if your server offers one. It is kept sealed."
QUIET = "For notes, once oO sends them."


def connect() -> Component:
    """Return the page."""
    return frame(
        rx.el.div(rx.el.h1("Connect"), way_to_tip(), class_name="top"),
        rx.el.div(said(ConnectState.problem, role="alert", class_name="problem"), class_name="said"),
        rx.el.ul(rx.foreach(ConnectState.rows, source), class_name="sources", aria_label="Sources"),
        preferences(),
        answering(),
        account(),
        farewell(),
        rx.cond(
            ConnectState.leave_to != "",
            rx.el.span(hidden=True, custom_attrs={"data-leave": ConnectState.leave_to}),
            rx.fragment(),
        ),
        kind="connect",
    )


def way_to_tip() -> Component:
    """Return the way to the tip; it steps back while connecting is the thing to do."""
    return rx.el.a("Show my tip", href="/tip", class_name=rx.cond(ConnectState.has_source, "button", "button plain"))


def source(row: Row) -> Component:
    """Return one source with its state and the one thing to do about it."""
    return rx.el.li(
        rx.el.div(
            rx.el.h2(row.name),
            rx.el.p(
                rx.el.span(row.state, class_name=rx.cond(row.needs_attention, "state attention", "state")),
                rx.cond(row.last_read != "", rx.el.span(row.last_read), rx.fragment()),
                class_name="meta",
            ),
            rx.cond(row.note != "", rx.el.p(row.note, class_name="small"), rx.fragment()),
        ),
        rx.el.div(
            rx.cond(row.needs_attention | ~row.is_connected, connector(row), rx.fragment()),
            rx.cond(row.is_connected, disconnector(row), rx.fragment()),
            class_name="deeds",
        ),
        key=row.source,
    )


def connector(row: Row) -> Component:
    """Return the way to the source's consent: a link, because the policy stops a form's redirect to another site.

    One that asks for an address, or a login, is asked for it here.
    """
    words = f"Connect {row.name}"
    consent = leaving(words, f"/connect/{row.source}/start", role="button", class_name="button")
    opens = {"data-opens": f"ask-{row.source}", "aria-haspopup": "dialog"}
    button = rx.el.button(words, type="button", class_name="button", custom_attrs=opens)
    return rx.cond(row.asks == "consent", consent, rx.fragment(button, asker(row)))


def asker(row: Row) -> Component:
    """Return the form for what a source asks for; what does not fit is said in it, and it goes when it is connected."""
    has_login = row.asks == "login"
    return rx.el.dialog(
        rx.el.h2(f"Connect {row.name}", id=f"ask-{row.source}-title"),
        rx.el.form(
            rx.el.input(type="hidden", name="source", value=row.source),
            asked("Address", row, "url", type="url", placeholder=rx.cond(has_login, SERVER, FEED)),
            rx.cond(
                has_login,
                rx.fragment(asked("User name", row, "username"), asked("Password", row, "password", type="password")),
                rx.fragment(),
            ),
            rx.el.p(rx.cond(has_login, LOGIN_IS_KEPT, ADDRESS_IS_KEPT), class_name="small"),
            rx.cond(
                ConnectState.asked == row.source,
                said(ConnectState.misfit, role="alert", class_name="problem"),
                rx.fragment(),
            ),
            rx.el.div(
                rx.el.button(
                    "Cancel",
                    type="button",
                    class_name="button plain",
                    custom_attrs={"data-closes": f"ask-{row.source}"},
                ),
                rx.el.button("Connect", type="submit", class_name="button"),
                class_name="deeds",
            ),
            on_submit=ConnectState.connect,
        ),
        id=f"ask-{row.source}",
        aria_labelledby=f"ask-{row.source}-title",
        class_name="ask",
    )


def asked(name: str, row: Row, field_name: str, **attributes: Any) -> Component:
    """Return a field of such a form."""
    target = f"{field_name}-{row.source}"
    return rx.el.div(
        rx.el.label(name, html_for=target),
        rx.el.input(id=target, name=field_name, required=True, auto_complete="off", spell_check=False, **attributes),
        class_name="asked",
    )


def disconnector(row: Row) -> Component:
    """Return the way back out."""
    disconnect = ConnectState.disconnect(row.source)
    return rx.el.button(f"Disconnect {row.name}", type="button", on_click=disconnect, class_name="button plain")


def preferences() -> Component:
    """Return the preferences; each is saved as it is changed, and the form starts anew with each load."""
    return rx.el.section(
        rx.el.div(
            rx.el.h2("Preferences", id="preferences"),
            rx.el.span(ConnectState.saved, role="status", class_name="saved"),
            class_name="heading",
        ),
        rx.el.div(
            field("Time zone", "time-zone", zone_select()),
            field("Quiet from", "quiet-from", time_input("quiet_from", ConnectState.quiet_from), meaning=QUIET),
            field("Quiet to", "quiet-to", time_input("quiet_to", ConnectState.quiet_to)),
            *(switch(*each) for each in SWITCHES),
            key=ConnectState.loads,
            class_name="fields",
        ),
        aria_labelledby="preferences",
        class_name=known("block"),
    )


def field(name: str, target: str, control: Component, *, meaning: str = "") -> Component:
    """Return a control with its label, and what it means where the label cannot say it."""
    label = rx.el.label(name, html_for=target)
    if meaning:
        label = rx.el.div(label, rx.el.p(meaning, class_name="small"))
    return rx.el.div(label, control, class_name="field")


def zone_select() -> Component:
    """Return all time zones; they stand in the page, not in the state."""
    return rx.el.select(
        rx.el.option("Not chosen", value="", disabled=True),
        *(rx.el.option(zone.replace("_", " "), value=zone) for zone in sorted(time_zones())),
        id="time-zone",
        default_value=ConnectState.time_zone,
        on_change=lambda value: ConnectState.choose("time_zone", value),
    )


def time_input(name: str, value: str) -> Component:
    """Return a time of day."""
    return rx.el.input(
        id=name.replace("_", "-"),
        type="time",
        required=True,
        default_value=value,
        on_change=lambda value: ConnectState.choose(name, value),
    )


def switch(label: str, name: str, meaning: str) -> Component:
    """Return one thing to allow or not, with what it means."""
    target = name.replace("_", "-")
    return rx.el.div(
        rx.el.div(rx.el.label(label, html_for=target), rx.el.p(meaning, id=f"{target}-meaning", class_name="small")),
        CheckboxInput.create(
            id=target,
            type="checkbox",
            role="switch",
            default_checked=getattr(ConnectState, name),
            on_change=lambda value: ConnectState.choose(name, value),
            aria_describedby=f"{target}-meaning",
            class_name="switch",
        ),
        class_name="field",
    )


def answering() -> Component:
    """Return how a tip is answered without its buttons, and what each answer means."""
    return rx.el.section(
        rx.el.h2("Answering a tip", id="answering"),
        rx.el.ul(
            *(rx.el.li(rx.el.strong(name), rx.el.span(meaning)) for name, meaning in ANSWERS), class_name="meanings"
        ),
        aria_labelledby="answering",
        class_name=known("block"),
    )


def known(class_name: str) -> rx.Var[str]:
    """Return the class of what stands below the sources: it keeps out of sight until they are known."""
    return rx.cond(ConnectState.loads > 0, class_name, f"{class_name} unknown")


def account() -> Component:
    """Return what a person may do with everything at once."""
    return rx.el.section(
        rx.el.div(
            rx.el.h2("Your account", id="account"),
            rx.el.span(ConnectState.email, class_name="email"),
            class_name="heading",
        ),
        rx.el.div(
            leaving("Download my data", "/api/v1/me/export", download="oo.json", class_name="button plain"),
            PlainForm.create(
                rx.el.button("Sign out", type="submit", class_name="button plain"),
                custom_attrs={"action": "/auth/signout", "method": "post"},
            ),
            rx.el.button(
                "Delete account",
                type="button",
                class_name="button plain danger",
                custom_attrs={"data-opens": "farewell", "aria-haspopup": "dialog"},
            ),
            class_name="deeds",
        ),
        aria_labelledby="account",
        class_name="block",
    )


def farewell() -> Component:
    """Return the question before everything is gone. The browser traps the focus, and Escape closes."""
    return rx.el.dialog(
        rx.el.h2("Delete your account?", id="farewell-title"),
        rx.el.p(
            "Everything oO holds about you is erased at once and cannot be brought back. Your tasks stay in their app.",
            id="farewell-text",
        ),
        rx.el.div(
            rx.el.button("Cancel", type="button", class_name="button plain", custom_attrs={"data-closes": "farewell"}),
            rx.el.button(
                "Delete everything",
                type="button",
                on_click=ConnectState.delete_everything,
                disabled=ConnectState.is_leaving,
                class_name="button danger",
            ),
            class_name="deeds",
        ),
        id="farewell",
        aria_labelledby="farewell-title",
        aria_describedby="farewell-text",
    )


PAGE = Page(
    route="/connect",
    title="Connect · oO",
    description="The apps oO reads, and what it may do.",
    component=connect,
    on_load=ConnectState.load,
)
