"""The two texts one agrees to. They say what the software does; change them and `accounts.DOCUMENTS` together."""

import reflex as rx
from reflex.components.component import Component

from pages.page import Page
from pages.parts import frame, mark

Sections = tuple[tuple[str, tuple[str, ...]], ...]

TERMS: Sections = (
    (
        "What oO does",
        (
            "oO reads the apps you connect and shows you one thing at a time. It suggests; you decide.",
            "When you answer Done to a task, oO completes it in its app seconds later. Until then, Undo takes it back.",
        ),
    ),
    (
        "What we ask of you",
        (
            "Connect only accounts that are yours, and do not use oO to disturb others.",
            "Tips are suggestions made by software. They can be wrong, and they are not professional advice.",
        ),
    ),
    (
        "What you can expect",
        (
            "oO is offered as it is. We work to keep it running and your data safe, and cannot promise it never fails.",
            "You can leave at any time: Delete account, on the Connect page, erases everything at once.",
        ),
    ),
    (
        "Changes",
        ("Signing in is how you agree to this text. What you agreed to, in which version and when, is kept for you.",),
    ),
)
PRIVACY: Sections = (
    (
        "What oO keeps",
        (
            "Your email address and how you sign in. What lets oO into each app: a token, an address or a password.",
            "Your tasks there: the open ones, and those closed since, until you disconnect.",
            "Of a calendar: when its entries are, what they are called, and whether they keep you busy; nothing else.",
            "What you completed in the last hundred days, and how much of it at which hour of the week.",
            "Which tips you were shown, how long they were on your screen, and what you answered. Your preferences.",
        ),
    ),
    (
        "How it is kept",
        (
            "What lets oO in, the words of items, entries and tips, and your email are sealed with a key of your own.",
            "That key is never part of a database backup. Logs, measurements and events hold none of your words.",
        ),
    ),
    (
        "What it is used for",
        (
            "To choose your next tip. For now that is by chance; what you answer is kept to learn from later.",
            "What helps you may help others only if you switch on Learn across people. It is off by default.",
            "No language model is used yet. Your words could reach one elsewhere only if you Allow remote AI.",
            "There is no advertising, nothing is sold, and no one else's scripts run on these pages.",
        ),
    ),
    (
        "Cookies, and what your browser keeps",
        (
            "One cookie keeps you signed in, for up to ninety days; another tells the page whose browser it is.",
            "One tells oO your time zone and stays a year. A short-lived one protects signing in and connecting.",
            "So that your tip is there at once, also offline, your browser keeps it, and answers not yet sent.",
            "Signing out removes both from your browser.",
        ),
    ),
    (
        "What is yours to do",
        (
            "Download my data gives you all that oO holds about you in one file, but for what lets it into your apps.",
            "Disconnecting an app withdraws our access there, and erases its tokens and items here.",
            "Delete everything does it all at once: access is withdrawn, every row erased, and your key destroyed.",
            "Copies in backups can then no longer be read. If an app cannot be reached, the page tells you.",
        ),
    ),
)


def text(title: str, lead: str, sections: Sections) -> Component:
    """Return a text to be read."""
    return frame(
        mark(),
        rx.el.article(
            rx.el.h1(title),
            rx.el.p(lead, class_name="lead"),
            *(part for heading, paragraphs in sections for part in section(heading, paragraphs)),
        ),
        kind="legal",
    )


def section(heading: str, paragraphs: tuple[str, ...]) -> tuple[Component, ...]:
    """Return one part of a text."""
    return rx.el.h2(heading), *(rx.el.p(each) for each in paragraphs)


def terms() -> Component:
    """Return the terms."""
    return text("Terms", "Short, because oO does little, and on purpose.", TERMS)


def privacy() -> Component:
    """Return what happens to a person's data."""
    return text("Privacy", "What oO knows about you, and what becomes of it.", PRIVACY)


TERMS_PAGE = Page(route="/legal/terms", title="Terms · oO", description="What you and oO agree on.", component=terms)
PRIVACY_PAGE = Page(
    route="/legal/privacy", title="Privacy · oO", description="What oO keeps about you, and why.", component=privacy
)
