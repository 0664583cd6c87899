"""Factories: a person with tasks, without the round trips of sign-in and of a source."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from oo_app import accounts, tips
from oo_app.accounts import Person
from oo_app.connections.models import Connection
from oo_app.kit.crypto import Place
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.signals.models import Item
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
    identity = Person(f"{rt.settings.sandbox_url}/sandbox/google", name, f"{name}@sandbox.test", None)
    user_id, token = await accounts.sign_in(rt, identity, replacing=None)
    if chosen:
        await accounts.choose(rt, user_id, **chosen)
    connection_id = await a_connection(rt, user_id)
    items = [await a_task(rt, user_id, connection_id, content=f"{name}'s task {n}") for n in range(tasks)]
    return Somebody(user_id, token, connection_id, tuple(items))


async def a_connection(rt: Runtime, user_id: str) -> str:
    """Connect the person to Todoist."""
    connection_id = new_id(rt.clock.now())
    vault = await rt.vault.for_user(user_id)
    async with rt.db.begin() as tx:
        tx.session.add(
            Connection(
                id=connection_id,
                user_id=user_id,
                source="todoist",
                access_token=vault.seal("an-access-token", Place("connection", connection_id, "access_token")),
                refresh_token=vault.seal("a-refresh-token", Place("connection", connection_id, "refresh_token")),
                connected_at=tx.now,
                last_read_at=tx.now + AS_LONG_AS_A_TEST,
                next_read_at=tx.now + AS_LONG_AS_A_TEST,
            )
        )
    return connection_id


async def a_task(
    rt: Runtime, user_id: str, connection_id: str, *, content: str = "Water the plants", **fields: Any
) -> str:
    """Give the person an open task."""
    item_id = new_id(rt.clock.now())
    vault = await rt.vault.for_user(user_id)
    values = {
        "source": "todoist",
        "external_id": item_id[-12:],
        "is_open": True,
        "content": vault.seal(content, Place("item", item_id, "content")),
        "detail": vault.seal("Home", Place("item", item_id, "detail")),
        "created_at": rt.clock.now() - timedelta(days=7),
    }
    async with rt.db.begin() as tx:
        tx.session.add(Item(id=item_id, user_id=user_id, connection_id=connection_id, **values | fields))
    return item_id


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
