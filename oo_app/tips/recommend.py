"""One tip: candidate → rank → render. Asking twice never burns a decision."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Row, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, col

from ml.mind import Mind
from ml.policies import POLICIES
from ml.types import Array, Ranking, checked, draw
from oo_app import features, signals
from oo_app.accounts import preferences
from oo_app.connections import readings, sources_by_name
from oo_app.events import Surface, TipServed
from oo_app.kit import log
from oo_app.kit.db import UtcDateTime
from oo_app.kit.errors import NotFound
from oo_app.kit.ids import new_id, new_seed
from oo_app.runtime import Runtime
from oo_app.tips.dose import dose
from oo_app.tips.expiry import end_gone, expired_at, settle
from oo_app.tips.learning import mind_of, state_of
from oo_app.tips.models import Decision, Hold, Impression, Reaction
from oo_app.tips.quality import read_stale, stale_text
from oo_app.tips.render import render
from oo_app.tips.results import Nothing, Reason, Served

REFRESH_WAIT_S = 0.8
JUST_REACTED = timedelta(seconds=10)
POLICY_BUDGET_S = 0.25
MANY = 1000  # candidates; computing the features of more would keep everybody waiting for more than six milliseconds

# Built once: a statement made anew for each call costs as much as running it.
_OPEN = (
    select(
        col(Impression.id),
        col(Impression.item_id),
        col(Impression.propensity),
        col(Impression.served_at),
        col(Decision.policy),
        col(Decision.policy_version),
        col(Decision.schema_version),
        col(Decision.context),
        col(Decision.candidates),
        col(Decision.candidate_ids),
        col(Decision.chosen),
        col(Decision.state),
        col(Decision.state_version),
        col(Decision.stale),
    )
    .join(Decision, col(Decision.id) == col(Impression.decision_id))
    .where(col(Impression.user_id) == bindparam("user_id"), col(Impression.closed_at).is_(None))
)
_SLEEPING = select(col(Hold.item_id)).where(
    col(Hold.user_id) == bindparam("user_id"),
    or_(col(Hold.until).is_(None), col(Hold.until) > bindparam("now", type_=UtcDateTime)),
)
_INSERT_DECISION = insert(SQLModel.metadata.tables["decision"])
_INSERT_IMPRESSION = insert(SQLModel.metadata.tables["impression"])

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What there is to choose from, what is known about it and the moment, and which sources were late then."""

    items: Sequence[signals.OpenItem]
    known: features.Snapshot
    stale: tuple[features.Late, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """How was chosen, which, and why."""

    scene: _Scene
    mind: Mind
    state: Any
    seed: int
    ranking: Ranking
    index: int
    reasons: tuple[Reason, ...]
    is_fallback: bool = False


async def recommend(rt: Runtime, user_id: str, surface: Surface) -> Served | Nothing:
    """Return the open tip, else choose one; or say why there is none."""
    began = perf_counter()
    with rt.metrics.stages.labels("read").time():
        chosen = await preferences(rt, user_id)
        known = () if chosen.paused else await readings(rt, user_id)
    if chosen.paused:
        return Nothing("resting")
    if not any("task" in sources_by_name()[reading.source].kinds for reading in known):
        await end_gone(rt, user_id)
        return Nothing("no_source")
    if stale := signals.stale(rt, known):
        wait_s = 0 if await _just_reacted(rt, user_id) else REFRESH_WAIT_S
        with rt.metrics.stages.labels("refresh").time():
            await signals.refresh(rt, stale, wait_s=wait_s)
            known = await readings(rt, user_id)
    if served := await _open_one(rt, user_id, chosen.zone):
        return served
    # Only after that: items read earlier could still hold one that another tab has just answered.
    with rt.metrics.stages.labels("candidates").time():
        items = await signals.open_items(rt, user_id, sleeping=_SLEEPING)
    if not items:
        return Nothing("nothing_suitable")
    with rt.metrics.stages.labels("features").time():
        scene = await _look(rt, features.Whose(user_id, chosen.zone, known), items)
    with rt.metrics.stages.labels("rank").time():
        choice = await _choose(rt, scene, await state_of(rt, user_id, mind_of(rt.policy)))
    if served := await _serve(rt, user_id, surface, choice, zone=chosen.zone, began=began):
        return served
    return await _open_one(rt, user_id, chosen.zone) or Nothing("nothing_suitable")


async def mark_seen(rt: Runtime, user_id: str, impression_id: str) -> None:
    """Note that the page showing an open impression was visible for a second; unknown ones are passed over."""
    async with rt.db.begin() as tx:
        mine = (
            col(Impression.id) == impression_id,
            col(Impression.user_id) == user_id,
            col(Impression.seen_at).is_(None),
        )
        await tx.session.execute(update(Impression).where(*mine).values(seen_at=tx.now))


async def _just_reacted(rt: Runtime, user_id: str) -> bool:
    """Tell whether the person answered a moment ago, or took it back: the next tip is not kept waiting then."""
    since = rt.clock.now() - JUST_REACTED
    is_recent = or_(col(Reaction.received_at) > since, col(Reaction.undone_at) > since)
    query = select(col(Reaction.id)).where(col(Reaction.user_id) == user_id, is_recent)
    async with rt.db.read() as session:
        return (await session.execute(query.limit(1))).scalar_one_or_none() is not None


async def _open_one(rt: Runtime, user_id: str, zone: ZoneInfo) -> Served | None:
    """Return the open impression again; end it when its time or its item is gone."""
    rows = await rt.db.fetch(_OPEN, {"user_id": user_id})
    if not rows:
        return None
    shown = rows[0]
    if rt.clock.now() >= expired_at(shown.served_at):
        await settle(rt, user_id)
        return None
    item = await signals.find_open(rt, user_id, shown.item_id) if shown.item_id else None
    if item is None:
        await end_gone(rt, user_id)
        return None
    return Served(
        tip=await render(rt, user_id, item, impression_id=shown.id, zone=zone),
        policy=shown.policy,
        policy_version=shown.policy_version,
        propensity=shown.propensity,
        reasons=_told_reasons(rt, shown),
        candidates=len(json.loads(shown.candidate_ids)),
        served_at=shown.served_at,
        stale=read_stale(shown.stale),
    )


def _told_reasons(rt: Runtime, shown: Row[*tuple[Any, ...]]) -> tuple[Reason, ...]:
    """Give a stored decision's reasons again; none when its policy or its features are of another version."""
    policy = next((known for known in (rt.policy, *POLICIES.values()) if known.name == shown.policy), None)
    if policy is None or shown.schema_version != features.SCHEMA:
        return ()
    mind = mind_of(policy)
    if (policy.version, mind.version) != (shown.policy_version, shown.state_version):
        return ()
    candidates = np.frombuffer(shown.candidates).reshape(-1, len(features.CANDIDATE_FEATURES))
    return _reasons(mind, mind.unpack(shown.state), (np.frombuffer(shown.context), candidates), shown.chosen)


async def _look(rt: Runtime, whose: features.Whose, items: Sequence[signals.OpenItem]) -> _Scene:
    """Take in everything at one instant."""
    now = rt.clock.now()
    lately = await dose(rt, whose.user_id, whose.zone, now)
    moment = await features.look(rt, whose, now, dose=lately, open_items=len(items))
    if len(items) > MANY:
        known = await asyncio.to_thread(features.snapshot, moment, items)
    else:
        known = features.snapshot(moment, items)
    return _Scene(items, known, features.late(rt, whose.readings, now))


async def _choose(rt: Runtime, scene: _Scene, state: Any) -> _Choice:
    """Rank within the time budget; a policy that raises or is late is replaced by `random`, and the log says so."""
    seed = new_seed()
    try:
        async with rt.clock.timeout(POLICY_BUDGET_S):
            return await asyncio.to_thread(_ranked, mind_of(rt.policy), state, scene, seed)
    except Exception as error:  # noqa: BLE001 -- whatever a policy does, the person gets a tip
        _log.warning("policy.fallback", policy=rt.policy.name, cause=type(error).__name__)
    return replace(_ranked(mind_of(POLICIES["random"]), None, scene, seed), is_fallback=True)


def _ranked(mind: Mind, state: Any, scene: _Scene, seed: int) -> _Choice:
    """Rank and draw; the draw has a stream of its own, so that it replays whatever the policy took from the seed."""
    known = scene.known
    ranking = mind.policy.rank(state, known.context, known.candidates, np.random.default_rng(seed))
    ranking = checked(ranking, len(scene.items))
    index = draw(ranking.propensities, np.random.default_rng([seed, 1]))
    reasons = _reasons(mind, state, (known.context, known.candidates), index)
    return _Choice(scene, mind, state, seed, ranking, index, reasons)


async def _serve(
    rt: Runtime, user_id: str, surface: Surface, choice: _Choice, *, zone: ZoneInfo, began: float
) -> Served | None:
    """Write decision and impression, return what is shown; None when another tab or device was first."""
    now = rt.clock.now()
    decision_id, impression_id = new_id(now), new_id(now)
    item, propensity = choice.scene.items[choice.index], float(choice.ranking.propensities[choice.index])
    with rt.metrics.stages.labels("render").time():
        tip = await render(rt, user_id, item, impression_id=impression_id, zone=zone)
    decision = _row(choice) | {
        "id": decision_id,
        "user_id": user_id,
        "at": now,
        "surface": surface,
        "latency_ms": (perf_counter() - began) * 1000,
    }
    impression = {
        "id": impression_id,
        "user_id": user_id,
        "decision_id": decision_id,
        "item_id": item.id,
        "kind": tip.kind,
        "surface": surface,
        "propensity": propensity,
        "served_at": now,
    }
    try:
        with rt.metrics.stages.labels("write").time():
            async with rt.db.begin() as tx:
                await tx.session.execute(_INSERT_DECISION, decision)
                await tx.session.execute(_INSERT_IMPRESSION, impression)
                tx.emit(TipServed(user_id, impression_id, decision_id, surface, choice.mind.policy.name))
    except (IntegrityError, NotFound):  # the latter: the item, or the person, went at the same moment
        return None
    rt.metrics.decisions.labels(choice.mind.policy.name, str(choice.is_fallback).lower()).inc()
    for name in {name for each in choice.scene.stale for name in features.fed_by(each.source)}:
        rt.metrics.feature_breaches.labels(name).inc()
    _log.info("decided", decision_id=decision_id, impression_id=impression_id, policy=choice.mind.policy.name)
    return Served(
        tip=tip,
        policy=choice.mind.policy.name,
        policy_version=choice.mind.policy.version,
        propensity=propensity,
        reasons=choice.reasons,
        candidates=len(choice.scene.items),
        served_at=now,
        stale=choice.scene.stale,
    )


def _row(choice: _Choice) -> dict[str, object]:
    """Return what a decision is replayed from."""
    return {
        "policy": choice.mind.policy.name,
        "policy_version": choice.mind.policy.version,
        "is_fallback": choice.is_fallback,
        "seed": choice.seed,
        "schema_version": features.SCHEMA,
        "context": choice.scene.known.context.tobytes(),
        "candidate_ids": json.dumps([item.id for item in choice.scene.items]),
        "candidates": choice.scene.known.candidates.tobytes(),
        "scores": choice.ranking.scores.tobytes(),
        "propensities": choice.ranking.propensities.tobytes(),
        "chosen": choice.index,
        "state": choice.mind.pack(choice.state),
        "state_version": choice.mind.version,
        "stale": stale_text(choice.scene.stale),
        "missing": json.dumps(choice.scene.known.missing),
    }


def _reasons(mind: Mind, state: Any, scene: tuple[Array, Array], chosen: int) -> tuple[Reason, ...]:
    """Name the features that moved the choice; a feature that moved nothing is not a reason."""
    context, candidates = scene
    told = mind.policy.explain(state, context, candidates, chosen).contributions
    return tuple(
        Reason(feature.name, float(candidates[chosen, column]), float(told[column]))
        for column, feature in enumerate(features.CANDIDATE_FEATURES)
        if told[column] != 0.0
    )
