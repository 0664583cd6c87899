"""One tip: candidate → rank → render. Asking twice never burns a decision."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from ml.policies import POLICIES
from ml.types import Array, Policy, Ranking, draw
from oo_app import features, signals
from oo_app.accounts import preferences
from oo_app.connections import readings
from oo_app.events import TipServed
from oo_app.kit import log
from oo_app.kit.ids import new_id, new_seed
from oo_app.runtime import Runtime
from oo_app.tips.expiry import expired_at, settle
from oo_app.tips.models import Decision, Hold, Impression
from oo_app.tips.render import render
from oo_app.tips.results import Nothing, Reason, Served, Surface

REFRESH_WAIT_S = 0.8
JUST_REACTED = timedelta(seconds=10)
POLICY_BUDGET_S = 0.25

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the ranking came to."""

    policy: Policy
    is_fallback: bool
    seed: int
    ranking: Ranking
    index: int


async def recommend(rt: Runtime, user_id: str, surface: Surface) -> Served | Nothing:
    """Return the open tip, else choose one; or say why there is none."""
    began = perf_counter()
    chosen = await preferences(rt, user_id)
    if chosen.paused:
        return Nothing("resting")
    if not await readings(rt, user_id):
        await _end_open(rt, user_id, "disconnected")
        return Nothing("no_source")
    latest = await _latest(rt, user_id)
    just_reacted = (
        latest is not None and latest.closed_at is not None and rt.clock.now() - latest.closed_at < JUST_REACTED
    )
    await signals.refresh(rt, user_id, wait_s=0 if just_reacted else REFRESH_WAIT_S)
    if latest is not None and latest.closed_at is None:
        if served := await _still_open(rt, user_id, latest):
            return served
    items = await _candidates(rt, user_id)
    if not items:
        return Nothing("nothing_suitable")
    at = features.moment(rt.clock.now(), chosen.zone, items)
    context, candidates = features.snapshot(at, items)
    choice = await _choose(rt, context, candidates)
    return await _serve(rt, user_id, surface, items, context, candidates, choice, began)


async def mark_seen(rt: Runtime, user_id: str, impression_id: str) -> None:
    """Note that the page showing an open impression was visible for a second; unknown ones are passed over."""
    async with rt.db.begin() as tx:
        mine = (
            col(Impression.id) == impression_id,
            col(Impression.user_id) == user_id,
            col(Impression.seen_at).is_(None),
        )
        await tx.session.execute(update(Impression).where(*mine).values(seen_at=tx.now))


async def _latest(rt: Runtime, user_id: str) -> Impression | None:
    """Return the open impression, else the one that ended last."""
    mine = select(Impression).where(col(Impression.user_id) == user_id)
    async with rt.db.read() as session:
        found = (await session.execute(mine.where(col(Impression.closed_at).is_(None)))).scalar_one_or_none()
        if found is None:
            ended = mine.order_by(col(Impression.closed_at).desc()).limit(1)
            found = (await session.execute(ended)).scalar_one_or_none()
    return found


async def _still_open(rt: Runtime, user_id: str, impression: Impression) -> Served | None:
    """Return the open impression again, or end it because its time or its item is gone."""
    if rt.clock.now() >= expired_at(impression.served_at):
        await settle(rt, user_id)
        return None
    if impression.item_id is None or not await signals.is_open(rt, impression.item_id):
        await _end_open(rt, user_id, "gone")
        return None
    return await _again(rt, user_id, impression)


async def _again(rt: Runtime, user_id: str, impression: Impression) -> Served | None:
    if impression.item_id is None:
        return None
    async with rt.db.read() as session:
        decision = await session.get(Decision, impression.decision_id)
    if decision is None:
        return None
    context = np.frombuffer(decision.context)
    ids: list[str] = json.loads(decision.candidate_ids)
    candidates = np.frombuffer(decision.candidates).reshape(len(ids), -1)
    policy = POLICIES[decision.policy]
    return Served(
        tip=await render(rt, user_id, impression.item_id, impression.id, impression.kind),
        policy=decision.policy,
        policy_version=decision.policy_version,
        propensity=impression.propensity,
        reasons=_reasons(policy, context, candidates, decision.chosen),
        candidates=len(ids),
        served_at=impression.served_at,
    )


async def _end_open(rt: Runtime, user_id: str, outcome: str) -> None:
    async with rt.db.begin() as tx:
        mine = (col(Impression.user_id) == user_id, col(Impression.closed_at).is_(None))
        await tx.session.execute(update(Impression).where(*mine).values(closed_at=tx.now, outcome=outcome))


async def _candidates(rt: Runtime, user_id: str) -> Sequence[signals.OpenItem]:
    """Return the open items that do not sleep."""
    async with rt.db.read() as session:
        asleep = (col(Hold.until).is_(None)) | (col(Hold.until) > rt.clock.now())
        query = select(col(Hold.item_id)).where(col(Hold.user_id) == user_id, asleep)
        sleeping = set((await session.execute(query)).scalars().all())
    return [item for item in await signals.open_items(rt, user_id) if item.id not in sleeping]


async def _choose(rt: Runtime, context: Array, candidates: Array) -> _Choice:
    """Rank within the time budget; a policy that raises or is late is replaced by `random`, and the log says so."""
    seed = new_seed()
    policy, is_fallback = rt.policy, False
    try:
        async with rt.clock.timeout(POLICY_BUDGET_S):
            ranking = await asyncio.to_thread(policy.rank, context, candidates, np.random.default_rng(seed))
    except Exception as error:  # noqa: BLE001 -- whatever a policy does, the person gets a tip
        _log.warning("policy.fallback", policy=policy.name, cause=type(error).__name__)
        policy, is_fallback = POLICIES["random"], True
        ranking = policy.rank(context, candidates, np.random.default_rng(seed))
    index = draw(ranking.propensities, np.random.default_rng([seed, 1]))
    return _Choice(policy, is_fallback, seed, ranking, index)


async def _serve(
    rt: Runtime,
    user_id: str,
    surface: Surface,
    items: Sequence[signals.OpenItem],
    context: Array,
    candidates: Array,
    choice: _Choice,
    began: float,
) -> Served | Nothing:
    item = items[choice.index]
    propensity = float(choice.ranking.propensities[choice.index])
    now = rt.clock.now()
    decision_id, impression_id = new_id(now), new_id(now)
    tip = await render(rt, user_id, item.id, impression_id, "task")
    decision = Decision(
        id=decision_id,
        user_id=user_id,
        at=now,
        surface=surface,
        policy=choice.policy.name,
        policy_version=choice.policy.version,
        is_fallback=choice.is_fallback,
        seed=choice.seed,
        schema_version=features.SCHEMA,
        context=context.tobytes(),
        candidate_ids=json.dumps([candidate.id for candidate in items]),
        candidates=candidates.tobytes(),
        scores=choice.ranking.scores.tobytes(),
        propensities=choice.ranking.propensities.tobytes(),
        chosen=choice.index,
        latency_ms=(perf_counter() - began) * 1000,
    )
    impression = Impression(
        id=impression_id,
        user_id=user_id,
        decision_id=decision_id,
        item_id=item.id,
        kind=tip.kind,
        surface=surface,
        propensity=propensity,
        served_at=now,
    )
    if not await _open(rt, decision, impression):
        latest = await _latest(rt, user_id)
        again = await _again(rt, user_id, latest) if latest else None
        return again or Nothing("nothing_suitable")
    reasons = _reasons(choice.policy, context, candidates, choice.index)
    return Served(tip, choice.policy.name, choice.policy.version, propensity, reasons, len(items), now)


async def _open(rt: Runtime, decision: Decision, impression: Impression) -> bool:
    """Write decision and impression; False when another tab or device was first."""
    try:
        async with rt.db.begin() as tx:
            tx.session.add(decision)
            await tx.session.flush()
            tx.session.add(impression)
            await tx.session.flush()
            tx.emit(TipServed(decision.user_id, impression.id, decision.id, decision.surface, decision.policy))
    except IntegrityError:
        return False
    return True


def _reasons(policy: Policy, context: Array, candidates: Array, chosen: int) -> tuple[Reason, ...]:
    """Name the features that moved the choice; a feature that moved nothing is not a reason."""
    contributions = policy.explain(context, candidates, chosen)
    return tuple(
        Reason(feature.__name__, float(candidates[chosen, column]), float(contributions[column]))
        for column, feature in enumerate(features.CANDIDATE_FEATURES)
        if contributions[column] != 0.0
    )
