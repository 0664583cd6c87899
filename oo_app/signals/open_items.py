"""A person's open items, read for candidates: numbers first, words only for the one that is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import exists, select

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
    closing = exists().where(Closing.item_id == Item.id, Closing.done_at.is_(None))  # type: ignore[union-attr,arg-type]
    async with rt.db.read() as session:
        query = (
            select(  # type: ignore[call-overload]
                Item.id,
                Item.due_on,
                Item.due_at,
                Item.due_floating,
                Item.deadline_on,
                Item.priority,
                Item.is_recurring,
                Item.minutes,
                Item.created_at,
            )
            .where(Item.user_id == user_id, Item.is_open.is_(True), Item.is_completable.is_(True), ~closing)  # type: ignore[attr-defined]
            .order_by(Item.id)
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
        query = select(Item.is_open).where(Item.id == item_id)  # type: ignore[call-overload]
        return bool((await session.execute(query)).scalar_one_or_none())
