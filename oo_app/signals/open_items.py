"""A person's open items, read for candidates: numbers first, words only for the one that is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import exists, select
from sqlmodel import col

from oo_app.kit.crypto import Place
from oo_app.kit.errors import NotFound
from oo_app.runtime import Runtime
from oo_app.signals.models import Closing, Item


@dataclass(frozen=True, slots=True)
class OpenItem:
    """What features are made of. `due_floating` is a local time in the person's zone."""

    id: str
    due_on: date | None
    due_at: datetime | None
    due_floating: str | None
    deadline_on: date | None
    priority: int
    is_recurring: bool
    minutes: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Words:
    """What is shown of an item."""

    source: str
    content: str
    detail: str
    url: str | None
    due_on: date | None
    due_at: datetime | None
    due_floating: str | None


async def open_items(rt: Runtime, user_id: str) -> Sequence[OpenItem]:
    """Return what could be suggested: open, completable, and not on its way to being completed."""
    closing = exists().where(col(Closing.item_id) == col(Item.id), col(Closing.done_at).is_(None))
    async with rt.db.read() as session:
        query = (
            select(
                col(Item.id),
                col(Item.due_on),
                col(Item.due_at),
                col(Item.due_floating),
                col(Item.deadline_on),
                col(Item.priority),
                col(Item.is_recurring),
                col(Item.minutes),
                col(Item.created_at),
            )
            .where(
                col(Item.user_id) == user_id, col(Item.is_open).is_(True), col(Item.is_completable).is_(True), ~closing
            )
            .order_by(col(Item.id))
        )
        return [OpenItem(*row) for row in (await session.execute(query)).all()]


async def words(rt: Runtime, user_id: str, item_id: str) -> Words:
    """Open the seals of one item; NotFound when it is gone."""
    async with rt.db.read() as session:
        row = await session.get(Item, item_id)
    if row is None or row.user_id != user_id:
        raise NotFound
    vault = await rt.vault.for_user(user_id)
    return Words(
        source=row.source,
        content=vault.open(row.content, Place("item", item_id, "content")),
        detail=vault.open(row.detail, Place("item", item_id, "detail")),
        url=row.url,
        due_on=row.due_on,
        due_at=row.due_at,
        due_floating=row.due_floating,
    )


async def is_open(rt: Runtime, item_id: str) -> bool:
    """Tell whether an item is still there to be done."""
    async with rt.db.read() as session:
        query = select(col(Item.is_open)).where(col(Item.id) == item_id)
        return bool((await session.execute(query)).scalar_one_or_none())
