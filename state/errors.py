"""What a person sees when a handler fails: the door, one calm sentence, or an id to ask about. Never content."""

import reflex as rx
from reflex.event import EventSpec

from oo_app.kit import log
from oo_app.kit.errors import NotSignedIn, OoError, Unavailable
from oo_app.kit.ids import new_id
from oo_app.runtime import current
from state.base import notice

logger = log.get(__name__)


def on_error(exception: Exception) -> EventSpec:
    """Turn an exception of a handler into what the page does."""
    match exception:
        case NotSignedIn():
            return rx.redirect("/")
        case Unavailable():
            logger.warning("unavailable", kind=type(exception).__name__, **exception.facts)
            return notice(ended(exception.detail))
        case OoError():
            logger.info("refused", kind=type(exception).__name__, **exception.facts)
            return notice(ended(exception.detail))
        case _:
            error_id = new_id(current().clock.now())
            logger.error("handler failed", error_id=error_id, exc_info=exception)
            return notice(f"Something went wrong. If it happens again, mention {error_id[-12:]}.")


def on_browser_error(exception: Exception) -> None:
    """Count what went wrong in a browser; its text may hold content, so only its length is kept."""
    logger.warning("browser error", length=len(str(exception)))


def ended(sentence: str) -> str:
    """Return a sentence with its full stop."""
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."
