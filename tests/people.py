"""Factories: a person with tasks, without the round trips of sign-in and of a source."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from oo_app import ops, tips
from oo_app.accounts.models import Preferences, Session, User
from oo_app.connections.models import Connection
from oo_app.kit.crypto import PersonVault, Place, hash_token, new_token
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.signals.models import CalendarEvent, Item
from oo_app.tips.models import Decision, Impression, Reward

AS_LONG_AS_A_TEST = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person of a test, and the cookie of the browser they signed in with."""

    id: str
    token: str
    connection_id: str
    item_ids: tuple[str, ...]


async def a_person(rt: Runtime, name: str = "ada", *, tasks: int = 3, **chosen: Any) -> Somebody:
    """Make a person whose source was just read: nothing is read again while the test lasts."""
    user_id, token = new_id(rt.clock.now()), new_token()
    vault = await rt.vault.create_for(user_id)
    email = vault.seal(f"{name}@sandbox.test", Place("user", user_id, "email"))
    async with rt.db.begin() as tx:
        tx.session.add(User(id=user_id, email=email, role="user", created_at=tx.now))
        await tx.session.flush()
        tx.session.add(Preferences(user_id=user_id, **chosen))
        tx.session.add(Session(id=hash_token(token), user_id=user_id, created_at=tx.now, seen_at=tx.now))
        connection = a_connection(vault, user_id, tx.now)
        tx.session.add(connection)
        await tx.session.flush()
        items = [an_item(vault, connection, tx.now, content=f"{name}'s task {number}") for number in range(tasks)]
        tx.session.add_all(items)
    return Somebody(user_id, token, connection.id, tuple(item.id for item in items))


async def a_task(rt: Runtime, person: Somebody, *, content: str = "Water the plants", **fields: Any) -> str:
    """Give the person one more open task."""
    vault = await rt.vault.for_user(person.id)
    async with rt.db.begin() as tx:
        connection = await tx.session.get(Connection, person.connection_id)
        assert connection is not None
        item = an_item(vault, connection, tx.now, content=content, **fields)
        tx.session.add(item)
    return item.id


async def a_calendar(rt: Runtime, person: Somebody, *busy: tuple[datetime, datetime], **read: Any) -> str:
    """Connect a calendar that keeps the person busy at the given times; return the connection's id."""
    vault = await rt.vault.for_user(person.id)
    async with rt.db.begin() as tx:
        connection = a_connection(vault, person.id, tx.now, source="ical")
        tx.session.add(connection.sqlmodel_update(read))
        await tx.session.flush()
        for number, (starts_at, ends_at) in enumerate(busy):
            entry_id = new_id(tx.now)
            tx.session.add(
                CalendarEvent(
                    id=entry_id,
                    user_id=person.id,
                    connection_id=connection.id,
                    external_id=f"e{number}",
                    starts_at=starts_at,
                    ends_at=ends_at,
                    title=vault.seal("Meeting", Place("calendar_event", entry_id, "title")),
                )
            )
    return connection.id


def a_connection(vault: PersonVault, user_id: str, now: datetime, source: str = "todoist") -> Connection:
    """Make a connection, to Todoist unless told otherwise."""
    connection_id = new_id(now)
    return Connection(
        id=connection_id,
        user_id=user_id,
        source=source,
        access_token=vault.seal("an-access-token", Place("connection", connection_id, "access_token")),
        refresh_token=vault.seal("a-refresh-token", Place("connection", connection_id, "refresh_token")),
        connected_at=now,
        last_read_at=now + AS_LONG_AS_A_TEST,
        next_read_at=now + AS_LONG_AS_A_TEST,
    )


def an_item(vault: PersonVault, connection: Connection, now: datetime, *, content: str, **fields: Any) -> Item:
    """Make an open task."""
    item_id = new_id(now)
    values: dict[str, Any] = {
        "source": "todoist",
        "external_id": item_id[-12:],
        "is_open": True,
        "content": vault.seal(content, Place("item", item_id, "content")),
        "detail": vault.seal("Home", Place("item", item_id, "detail")),
        "created_at": now - timedelta(days=7),
    }
    return Item(id=item_id, user_id=connection.user_id, connection_id=connection.id, **values | fields)


async def a_tip(rt: Runtime, user_id: str) -> tips.Served:
    """Ask for the tip that there must be."""
    served = await tips.recommend(rt, user_id, "web")
    assert isinstance(served, tips.Served), served
    return served


async def impression(rt: Runtime, impression_id: str) -> Impression:
    """Read an impression's row."""
    async with rt.db.read() as session:
        return (await session.execute(select(Impression).where(col(Impression.id) == impression_id))).scalar_one()


async def decision(rt: Runtime, impression_id: str) -> Decision:
    """Read the decision behind an impression."""
    shown = await impression(rt, impression_id)
    async with rt.db.read() as session:
        return (await session.execute(select(Decision).where(col(Decision.id) == shown.decision_id))).scalar_one()


async def reward(rt: Runtime, impression_id: str) -> tuple[str, float] | None:
    """Return cause and value of an impression's reward."""
    async with rt.db.read() as session:
        row = await session.get(Reward, impression_id)
    return None if row is None else (row.cause, row.value)


async def rows(rt: Runtime, table: type[Any]) -> list[Any]:
    """Read a whole table."""
    async with rt.db.read() as session:
        return list((await session.execute(select(table))).scalars().all())


async def exported(rt: Runtime, user_id: str) -> dict[str, Any]:
    """Read what a person takes along."""
    return json.loads("".join([piece async for piece in ops.export(rt, user_id)]))
