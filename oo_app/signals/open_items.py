"""A person's open items, read for candidates: numbers first, words only for the one that is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, exists, select
from sqlmodel import col

from oo_app.kit.crypto import Place
from oo_app.runtime import Runtime
from oo_app.signals.models import Closing, Item


class OpenItem(NamedTuple):
    """What features are made of; its words stay sealed. `due_floating` is a local time in the person's zone."""

    id: str
    source: str
    url: str | None
    due_on: date | None
    due_at: datetime | None
    due_floating: str | None
    deadline_on: date | None
    priority: int
    is_recurring: bool
    minutes: int | None
    label_count: int
    label_bits: int
    postponed: int
    created_at: datetime
    sealed_content: bytes
    sealed_detail: bytes


@dataclass(frozen=True, slots=True)
class Words:
    """What is shown of an item."""

    content: str
    detail: str


_COLUMNS = (
    col(Item.id),
    col(Item.source),
    col(Item.url),
    col(Item.due_on),
    col(Item.due_at),
    col(Item.due_floating),
    col(Item.deadline_on),
    col(Item.priority),
    col(Item.is_recurring),
    col(Item.minutes),
    col(Item.label_count),
    col(Item.label_bits),
    col(Item.postponed),
    col(Item.created_at),
    col(Item.content),
    col(Item.detail),
)
_ONE = select(*_COLUMNS).where(
    col(Item.id) == bindparam("id"), col(Item.user_id) == bindparam("user_id"), col(Item.is_open).is_(True)
)


async def open_items(rt: Runtime, user_id: str, *, sleeping: Select[str]) -> Sequence[OpenItem]:
    """Return what could be suggested: open, completable, not on its way to being completed, and not asleep.

    `sleeping` selects the ids of items that are out, by the parameters `user_id` and `now`, so that one query answers.
    """
    rows = await rt.db.fetch(_open_items(sleeping), {"user_id": user_id, "now": rt.clock.now()})
    return [OpenItem._make(row) for row in rows]


@cache
def _open_items(sleeping: Select[str]) -> Select[*tuple[Any, ...]]:
    """Build the query once a selection of sleepers; that takes as long as running it."""
    closing = exists().where(col(Closing.item_id) == col(Item.id), col(Closing.done_at).is_(None))
    return (
        select(*_COLUMNS)
        .where(
            col(Item.user_id) == bindparam("user_id"),
            col(Item.is_open).is_(True),
            col(Item.is_completable).is_(True),
            ~closing,
            col(Item.id).not_in(sleeping),
        )
        .order_by(col(Item.id))
    )


async def find_open(rt: Runtime, user_id: str, item_id: str) -> OpenItem | None:
    """Return one item while it is there to be done, also one that sleeps."""
    rows = await rt.db.fetch(_ONE, {"id": item_id, "user_id": user_id})
    return OpenItem._make(rows[0]) if rows else None


async def words(rt: Runtime, user_id: str, item: OpenItem) -> Words:
    """Open the seals of one item."""
    vault = await rt.vault.for_user(user_id)
    return Words(
        content=vault.open(item.sealed_content, Place("item", item.id, "content")),
        detail=vault.open(item.sealed_detail, Place("item", item.id, "detail")),
    )
