"""What a person taught: the learning record, and the policy's state, which is its fold. The record is the truth."""

from functools import lru_cache
from typing import Any

import numpy as np
from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlmodel import SQLModel, col

from ml.mind import Mind, mind
from ml.types import Logged, Policy, Schema
from oo_app import features
from oo_app.kit.db import Tx
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.tips.models import Decision, Impression, Lesson, PolicyState, Reward

PRODUCT = Schema(*features.COLUMNS[features.SCHEMA][::-1])

# Built once: a statement made anew for each call costs as much as running it.
_STATE = select(col(PolicyState.version), col(PolicyState.body)).where(
    col(PolicyState.user_id) == bindparam("user_id"), col(PolicyState.policy) == bindparam("policy")
)
_LESSONS = (
    select(
        col(Lesson.impression_id),
        col(Lesson.context),
        col(Lesson.candidate),
        col(Lesson.propensity),
        col(Lesson.reward),
    )
    .where(col(Lesson.user_id) == bindparam("user_id"), col(Lesson.schema_version) == features.SCHEMA)
    .order_by(col(Lesson.impression_id))
)
_NEW = upsert(SQLModel.metadata.tables["policy_state"])
_KEEP = _NEW.on_conflict_do_update(
    index_elements=["user_id", "policy"], set_={name: _NEW.excluded[name] for name in ("version", "body", "at")}
)


@lru_cache(maxsize=16)
def mind_of(policy: Policy[Any]) -> Mind:
    """Put a policy to work in the product's columns."""
    return mind(policy, PRODUCT)


async def state_of(rt: Runtime, user_id: str, of: Mind) -> Any:
    """Return a person's state; one that was learnt under another version is folded anew from the record."""
    if of.fresh() is None:
        return None
    rows = await rt.db.fetch(_STATE, {"user_id": user_id, "policy": of.policy.name})
    if rows and rows[0].version == of.version:
        return of.unpack(rows[0].body)
    return of.replay([_logged(row) for row in await rt.db.fetch(_LESSONS, {"user_id": user_id})])


async def follow(tx: Tx, of: Mind, impression: Impression) -> None:
    """Let the record and the state follow what an impression is worth by now; said again, nothing changes.

    A first reward of the newest round is one step of learning; whatever else changed, the record is folded anew.
    """
    reward = await tx.session.get(Reward, impression.id, populate_existing=True)
    lesson = await tx.session.get(Lesson, impression.id)
    if (reward.value if reward else None) == (lesson.reward if lesson else None):
        return
    if reward is None:
        await tx.session.execute(delete(Lesson).where(col(Lesson.impression_id) == impression.id))
    elif lesson is not None:
        lesson.reward = reward.value
        tx.session.add(lesson)
    elif (first := await _lesson(tx, impression, reward.value)) is not None:
        tx.session.add(first)
        await tx.session.flush()
        if await _is_newest(tx, first) and await _step(tx, of, first):
            return
    else:
        return
    await tx.session.flush()
    await _fold(tx, of, impression.user_id)


async def _lesson(tx: Tx, impression: Impression, reward: float) -> Lesson | None:
    """Take the record of a round from its decision; None when its details are gone."""
    decision = await tx.session.get(Decision, impression.decision_id)
    if decision is None or not decision.context:
        return None
    candidates = np.frombuffer(decision.candidates).reshape(-1, len(features.COLUMNS[decision.schema_version][0]))
    return Lesson(
        impression_id=impression.id,
        user_id=impression.user_id,
        schema_version=decision.schema_version,
        context=decision.context,
        candidate=candidates[decision.chosen].tobytes(),
        propensity=impression.propensity,
        reward=reward,
    )


async def _is_newest(tx: Tx, lesson: Lesson) -> bool:
    newest = select(func.max(col(Lesson.impression_id))).where(col(Lesson.user_id) == lesson.user_id)
    return (await tx.session.execute(newest)).scalar_one() == lesson.impression_id


async def _step(tx: Tx, of: Mind, lesson: Lesson) -> bool:
    """Learn one round on top; False when the state is of another version, or was never kept."""
    if of.fresh() is None or lesson.schema_version != features.SCHEMA:
        return True
    row = (await tx.session.execute(_STATE, {"user_id": lesson.user_id, "policy": of.policy.name})).one_or_none()
    if row is None or row.version != of.version:
        return False
    await _keep(tx, of, lesson.user_id, of.policy.learn(of.unpack(row.body), _logged(lesson)))
    return True


async def _fold(tx: Tx, of: Mind, user_id: str) -> None:
    if of.fresh() is not None:
        rows = (await tx.session.execute(_LESSONS, {"user_id": user_id})).all()
        await _keep(tx, of, user_id, of.replay([_logged(row) for row in rows]))


async def _keep(tx: Tx, of: Mind, user_id: str, state: Any) -> None:
    row = {
        "id": new_id(tx.now),
        "user_id": user_id,
        "policy": of.policy.name,
        "version": of.version,
        "body": of.pack(state),
        "at": tx.now,
    }
    await tx.session.execute(_KEEP, row)


def _logged(row: Any) -> Logged:
    return Logged(np.frombuffer(row.context), np.frombuffer(row.candidate), row.propensity, row.reward)
