"""Candidate → text: the item's own words."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from oo_app.accounts import preferences
from oo_app.runtime import Runtime
from oo_app.signals import Words, words
from oo_app.tips.results import ACTIONS, Tip

_LINK = re.compile(r"\[([^\]]+)\]\((?:https?|mailto)[^)\s]*\)")
_EMPHASIS = re.compile(r"(\*\*|__|~~|`)(?=\S)(.+?)(?<=\S)\1")


async def render(rt: Runtime, user_id: str, item_id: str, impression_id: str, kind: str) -> Tip:
    """Make the tip that is shown of an item."""
    told = await words(rt, user_id, item_id)
    zone = (await preferences(rt, user_id)).zone
    return Tip(
        id=item_id,
        impression_id=impression_id,
        kind=kind,
        content=plain(told.content) or "Untitled task",
        detail=plain(told.detail) or None,
        source=told.source,
        source_url=told.url,
        due=_due(told, zone),
        actions=ACTIONS,
    )


def plain(text: str) -> str:
    """Drop the markup that task titles carry (links, bold, code); a tip is read, not clicked."""
    return _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", text)).strip()


def _due(told: Words, zone: ZoneInfo) -> str | None:
    """Return a day as YYYY-MM-DD, a moment as RFC 3339 with the person's offset."""
    if told.due_on:
        return told.due_on.isoformat()
    if told.due_at:
        return told.due_at.astimezone(zone).isoformat(timespec="seconds")
    if told.due_floating:
        return _local(told.due_floating, zone)
    return None


def _local(floating: str, zone: ZoneInfo) -> str:
    return datetime.fromisoformat(floating).replace(tzinfo=zone).isoformat(timespec="seconds")
