"""People who sign in without a provider: what a validated id token would have said."""

from oo_app.accounts import Person
from oo_app.runtime import Runtime

ISSUER = "https://issuer.example"


def person(subject: str = "110", *, issuer: str = ISSUER, email: str = "ada@example.com", **more: str) -> Person:
    """Return a validated identity."""
    return Person(issuer=issuer, subject=subject, email=email, refresh_token=more.get("refresh_token"))


def google_person(rt: Runtime, email: str) -> Person:
    """Return an identity of the sandbox's Google."""
    return person(email, issuer=rt.settings.google_issuer, email=email)
