"""Candidate → text: the item's own words."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from oo_app.runtime import Runtime
from oo_app.signals import OpenItem, words
from oo_app.tips.results import ACTIONS, Tip

_LINK = re.compile(r"\[([^\]]+)\]\((?:https?|mailto)[^)\s]*\)")
_EMPHASIS = re.compile(r"(\*\*|__|~~|`)(?=\S)(.+?)(?<=\S)\1")


async def render(rt: Runtime, user_id: str, item: OpenItem, *, impression_id: str, zone: ZoneInfo) -> Tip:
    """Make the tip that is shown of an item."""
    told = await words(rt, user_id, item)
    return Tip(
        id=item.id,
        impression_id=impression_id,
        kind="task",
        content=plain(told.content) or "Untitled task",
        detail=plain(told.detail) or None,
        source=item.source,
        source_url=item.url,
        due=_due(item, zone),
        actions=ACTIONS,
    )


def plain(text: str) -> str:
    """Drop the markup that task titles carry (links, bold, code); a tip is read, not clicked."""
    return _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", text)).strip()


def _due(item: OpenItem, zone: ZoneInfo) -> str | None:
    """Return a day as YYYY-MM-DD, a moment as RFC 3339 with the person's offset."""
    if item.due_on:
        return item.due_on.isoformat()
    if item.due_at:
        return item.due_at.astimezone(zone).isoformat(timespec="seconds")
    if item.due_floating:
        return datetime.fromisoformat(item.due_floating).replace(tzinfo=zone).isoformat(timespec="seconds")
    return None
