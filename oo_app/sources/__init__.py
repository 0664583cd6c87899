"""The apps one can connect."""

from oo_app.sources import todoist
from oo_app.sources.source import (
    CompletionRefused,
    Door,
    Due,
    Grant,
    Item,
    NotPermitted,
    OAuth,
    Owner,
    Pull,
    Source,
    TokenRefused,
)

SOURCES: tuple[Source, ...] = (todoist.SOURCE,)

__all__ = [
    "SOURCES",
    "CompletionRefused",
    "Door",
    "Due",
    "Grant",
    "Item",
    "NotPermitted",
    "OAuth",
    "Owner",
    "Pull",
    "Source",
    "TokenRefused",
]
