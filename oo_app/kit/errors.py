"""The family of errors, and what each is shown as.

OoError
├── Refused: the caller can act            NotSignedIn, Unproven 401 · NotAllowed 404 · NotFound 404 · ForeignOrigin 403
│                                          Conflict, Enough 409 · TooLarge 413 · Invalid 422 · TooMany 429
└── Unavailable: the world is at fault     SourceDown (RateLimited) · ReconnectNeeded · Busy (503)
Anything else is a bug. Turned into an answer in two places only: web/problems.py and state/errors.py.
"""

from typing import ClassVar


class OoError(Exception):
    """Base of all expected errors: a sentence for the person, facts for the log."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str | None = None, **facts: str | float | None) -> None:
        """Take the sentence that is shown, and facts that are only logged."""
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.facts = facts


class Refused(OoError):
    """The caller asked for something that is not to be had, and can act on it."""


class NotSignedIn(Refused):
    """Nobody is signed in."""

    status = 401
    title = "Please sign in"


class Unproven(Refused):
    """A delivery does not come from whom it says: its signature, or its channel's secret, is missing or wrong."""

    status = 401
    title = "This delivery is not proven"


class ForeignOrigin(Refused):
    """A change was asked for from another site."""

    status = 403
    title = "This request came from another site"


class NotFound(Refused):
    """There is no such thing, or it belongs to somebody else."""

    status = 404
    title = "Not found"


class NotAllowed(NotFound):
    """The caller lacks the role; told apart from NotFound only in the log."""


class Conflict(Refused):
    """Something else was said already."""

    status = 409
    title = "Already answered"


class Enough(Conflict):
    """There are as many as there may be."""

    title = "There are enough of these"


class TooLarge(Refused):
    """The body is over the limit."""

    status = 413
    title = "Too large"


class Invalid(Refused):
    """A field is wrong; the detail names it."""

    status = 422
    title = "That does not fit"


class TooMany(Refused):
    """Asked too often."""

    status = 429
    title = "Too many requests"

    def __init__(self, detail: str | None = None, *, retry_after: int) -> None:
        """Take the seconds after which asking again makes sense."""
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(OoError):
    """The world outside is at fault."""

    status = 503
    title = "Not reachable just now"


class SourceDown(Unavailable):
    """A source or identity provider does not answer, or not sensibly; trying later may help."""

    def __init__(self, detail: str | None = None, *, retry_after: float | None = None, **facts: str | float) -> None:
        """Take the source's own wish for a pause, in seconds, where it told one."""
        super().__init__(detail, **facts)
        self.retry_after = retry_after


class RateLimited(SourceDown):
    """A source was asked too often; `is_for_all` when by all of our people together, so that everybody waits."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after: float | None = None,
        is_for_all: bool = False,
        **facts: str | float,
    ) -> None:
        """Take whom the pause is for."""
        super().__init__(detail, retry_after=retry_after, **facts)
        self.is_for_all = is_for_all


class ReconnectNeeded(Unavailable):
    """The source refuses our grant: only the person can mend that."""

    status = 409
    title = "Needs attention"


class Busy(Unavailable):
    """We are too busy ourselves."""
