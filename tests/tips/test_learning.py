"""The record is the truth: whatever happens in whatever order, the state is the fold of the record as it is now."""

import random
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import delete, select
from sqlmodel import col

from ml.mind import Mind
from ml.policies import POLICIES
from ml.types import Logged
from oo_app import ops, tips
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import Conflict
from oo_app.runtime import Runtime
from oo_app.tips.learning import mind_of, state_of
from oo_app.tips.models import Lesson, PolicyState, Reward
from tests.people import a_person, a_tip, decision, exported

HYBRID = POLICIES["hybrid_v1"]


@pytest.fixture
def learner(rt: Runtime) -> Runtime:
    """The runtime with a policy that learns."""
    return replace(rt, policy=HYBRID)


async def lessons(rt: Runtime, user_id: str) -> list[Lesson]:
    async with rt.db.read() as session:
        mine = select(Lesson).where(col(Lesson.user_id) == user_id).order_by(col(Lesson.impression_id))
        return list((await session.execute(mine)).scalars())


async def rewards(rt: Runtime, user_id: str) -> dict[str, float]:
    async with rt.db.read() as session:
        mine = select(col(Reward.impression_id), col(Reward.value)).where(col(Reward.user_id) == user_id)
        return {row.impression_id: row.value for row in (await session.execute(mine)).all()}


async def clean_fold(rt: Runtime, mind: Mind, user_id: str) -> tuple[np.ndarray, np.ndarray]:
    """Fold the record from the start."""
    head = mind.fresh().head
    state = replace(mind.fresh(), head=head)
    for each in await lessons(rt, user_id):
        logged = Logged(np.frombuffer(each.context), np.frombuffer(each.candidate), each.propensity, each.reward)
        state = mind.policy.learn(state, logged)
    return state.head.gram, state.head.pull


async def test_a_reaction_is_learnt_with_it(learner: Runtime):
    ada = await a_person(learner)
    served = await a_tip(learner, ada.id)

    await tips.react(learner, ada.id, served.tip.impression_id, "done", dwell_ms=20_000)

    (lesson,) = await lessons(learner, ada.id)
    assert (lesson.reward, lesson.propensity) == (1.0, served.propensity)
    assert (await state_of(learner, ada.id, mind_of(HYBRID))).head.count == 1


async def test_what_is_taken_back_was_never_learnt(learner: Runtime):
    ada = await a_person(learner)
    served = await a_tip(learner, ada.id)
    await tips.react(learner, ada.id, served.tip.impression_id, "dismiss", dwell_ms=20_000)

    await tips.react(learner, ada.id, served.tip.impression_id, "undo")

    assert await lessons(learner, ada.id) == []
    head = (await state_of(learner, ada.id, mind_of(HYBRID))).head
    assert (head.count, np.abs(head.gram).sum(), np.abs(head.pull).sum()) == (0, 0.0, 0.0)


async def test_a_decision_keeps_the_state_it_was_made_from(learner: Runtime):
    ada = await a_person(learner, tasks=6)
    first = await a_tip(learner, ada.id)
    await tips.react(learner, ada.id, first.tip.impression_id, "dismiss", dwell_ms=1_000)
    second = await a_tip(learner, ada.id)
    await tips.react(learner, ada.id, second.tip.impression_id, "dismiss", dwell_ms=1_000)

    again = await tips.replay(learner, (await decision(learner, second.tip.impression_id)).id)

    assert again.is_same


async def test_another_version_folds_the_record_anew(learner: Runtime):
    ada = await a_person(learner)
    served = await a_tip(learner, ada.id)
    await tips.react(learner, ada.id, served.tip.impression_id, "done", dwell_ms=20_000)
    async with learner.db.begin() as tx:
        row = (await tx.session.execute(select(PolicyState))).scalar_one()
        row.version, row.body = "an older one", b""
        tx.session.add(row)

    assert (await state_of(learner, ada.id, mind_of(HYBRID))).head.count == 1


async def test_details_that_are_gone_take_nothing_from_what_was_learnt(learner: Runtime, clock: FakeClock):
    ada = await a_person(learner)
    served = await a_tip(learner, ada.id)
    await tips.react(learner, ada.id, served.tip.impression_id, "done", dwell_ms=20_000)
    before = (await state_of(learner, ada.id, mind_of(HYBRID))).head.pull
    clock.advance(timedelta(days=40))

    await ops.purge(learner)
    async with learner.db.begin() as tx:
        await tx.session.execute(delete(PolicyState))

    assert np.array_equal((await state_of(learner, ada.id, mind_of(HYBRID))).head.pull, before)


@pytest.mark.parametrize("seed", range(8))
async def test_any_interleaving_equals_a_clean_fold_of_the_record(learner: Runtime, clock: FakeClock, seed: int):
    chance = random.Random(seed)
    ada = await a_person(learner, tasks=12)
    shown: list[tuple[str, str]] = []
    for _ in range(25):
        served = await tips.recommend(learner, ada.id, "web")
        if isinstance(served, tips.Served):
            shown.append((served.tip.impression_id, served.tip.id))
        impression_id, item_id = chance.choice(shown[-4:])
        try:
            match chance.randrange(6):
                case 0:
                    await tips.credit(learner, ada.id, item_id, clock.now())
                case 1:
                    await tips.react(learner, ada.id, impression_id, "undo")
                case 2:
                    await tips.mark_seen(learner, ada.id, shown[-1][0])
                    clock.advance(timedelta(hours=25))
                    await tips.settle(learner, ada.id)
                case _:
                    action = chance.choice(("snooze", "dismiss", "done"))
                    await tips.react(learner, ada.id, impression_id, action, dwell_ms=chance.randrange(60_000))
        except Conflict:
            pass
        clock.advance(timedelta(seconds=chance.randrange(1, 9)))

    mind = mind_of(HYBRID)
    told = {each.impression_id: each.reward for each in await lessons(learner, ada.id)}
    head = (await state_of(learner, ada.id, mind)).head
    gram, pull = await clean_fold(learner, mind, ada.id)
    assert told == await rewards(learner, ada.id)
    assert len(told) > 5
    assert head.gram == pytest.approx(gram, abs=1e-9)
    assert head.pull == pytest.approx(pull, abs=1e-9)


async def test_the_download_names_the_numbers_of_what_was_learnt(learner: Runtime):
    ada = await a_person(learner)
    served = await a_tip(learner, ada.id)
    await tips.react(learner, ada.id, served.tip.impression_id, "done", dwell_ms=20_000)

    told = await exported(learner, ada.id)

    assert told["lesson"][0]["reward"] == 1.0
    assert told["lesson"][0]["candidate"]["priority"] == 1.0
    assert told["lesson"][0]["context"]["open_items"] == 3.0
    assert told["policy_state"][0]["body"][0] == 1.0  # rounds
