"""Reaction, undo, conflict: what a person says about a tip, each counted once (PRODUCT section 5)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlmodel import col

from ml.reward import reaction_reward
from oo_app.accounts import preferences
from oo_app.events import Action, TipReacted
from oo_app.kit import log
from oo_app.kit.db import Tx
from oo_app.kit.errors import Conflict, Invalid, NotFound
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime
from oo_app.signals import cancel_close, schedule_close
from oo_app.tips.expiry import expired_at
from oo_app.tips.learning import follow, mind_of
from oo_app.tips.models import Hold, Impression, Reaction, Reward
from oo_app.tips.results import Outcome, Undoable
from oo_app.tips.rewards import put_reward, put_settled
from oo_app.tips.sleep import DISMISSED, snoozed_until

UNDO_WINDOW = timedelta(seconds=6)
LATE_FOR = timedelta(days=7)
CLOCK_SKEW = timedelta(minutes=5)
LONGEST_DWELL_MS = 86_400_000
ACTIONS = ("done", "snooze", "dismiss", "undo")
SNOOZES = ("later_today", "tomorrow", "not_this_week", "too_big", "not_for_me")
SUPERSEDABLE = frozenset({"expired", "completed", "gone"})

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """One delivery of a reaction."""

    action: str
    snooze: str | None
    dwell_ms: int | None
    client_id: str | None
    reacted_at: datetime | None


async def react(
    rt: Runtime,
    user_id: str,
    impression_id: str,
    action: str,
    *,
    dwell_ms: int | None = None,
    snooze: str | None = None,
    reaction_id: str | None = None,
    reacted_at: datetime | None = None,
) -> Outcome:
    """Record a reaction, or take it back.

    The same again answers the same. Raises Invalid for bad fields, NotFound for another person's impression,
    Conflict when something else was said already or it is too late.
    """
    said = _checked(rt.clock.now(), Said(action, snooze, dwell_ms, reaction_id, reacted_at))
    zone = (await preferences(rt, user_id)).zone
    async with rt.db.begin() as tx:
        impression = await _own(tx, user_id, impression_id)
        outcome = await _said(tx, impression, said, zone)
        await follow(tx, mind_of(rt.policy), impression)
    if tx.emitted:  # the same said again is no news
        rt.metrics.reactions.labels(said.action, impression.surface).inc()
        _log.info("reacted", impression_id=impression.id, action=said.action)
    return outcome


async def _said(tx: Tx, impression: Impression, said: Said, zone: ZoneInfo) -> Outcome:
    if said.action == "undo":
        return await _undo(tx, impression, said)
    if repeated := await _repeated(tx, impression, said):
        return repeated
    _refuse_if_over(impression, said, tx.now)
    reaction = await _record(tx, impression, said)
    await _hide(tx, impression, reaction, zone)
    return Outcome(reward=reaction.reward)


def _checked(now: datetime, said: Said) -> Said:
    """Refuse what does not fit together, fill in what plain snooze means."""
    if said.action not in ACTIONS:
        msg = "action must be done, snooze, dismiss or undo"
        raise Invalid(msg)
    if said.dwell_ms is not None and (type(said.dwell_ms) is not int or not 0 <= said.dwell_ms <= LONGEST_DWELL_MS):
        msg = f"dwell_ms must be a whole number from 0 to {LONGEST_DWELL_MS}"
        raise Invalid(msg)
    if said.snooze is not None and (said.snooze not in SNOOZES or said.action != "snooze"):
        msg = f"snooze must be one of {', '.join(SNOOZES)}, and goes with the action snooze"
        raise Invalid(msg)
    if said.reacted_at is not None and (said.reacted_at.tzinfo is None or said.reacted_at > now + CLOCK_SKEW):
        msg = "reacted_at must be a past time with an offset"
        raise Invalid(msg)
    snooze = said.snooze or "later_today" if said.action == "snooze" else None
    return replace(said, snooze=snooze, client_id=_uuid(said.client_id))


def _uuid(text: str | None) -> str | None:
    try:
        return None if text is None else str(UUID(text))
    except ValueError as error:
        msg = "reaction_id must be a UUID"
        raise Invalid(msg) from error


async def _own(tx: Tx, user_id: str, impression_id: str) -> Impression:
    """Return the person's impression; somebody else's is as unknown as one that never was."""
    impression = await tx.session.get(Impression, impression_id) if impression_id.isascii() else None
    if impression is None or impression.user_id != user_id:
        msg = "There is no such tip"
        raise NotFound(msg)
    return impression


async def _repeated(tx: Tx, impression: Impression, said: Said) -> Outcome | None:
    """Recognise a delivery that was recorded before, also one that was undone since; Conflict for another answer."""
    known = await _known(tx, impression, said) or await _standing(tx, impression.id)
    return None if known is None else _same_or_conflict(known, impression, said)


async def _known(tx: Tx, impression: Impression, said: Said) -> Reaction | None:
    """Return the reaction that came with the same `reaction_id`."""
    if said.client_id is None:
        return None
    query = select(Reaction).where(
        col(Reaction.user_id) == impression.user_id, col(Reaction.client_id) == said.client_id
    )
    return (await tx.session.execute(query)).scalar_one_or_none()


def _same_or_conflict(known: Reaction, impression: Impression, said: Said) -> Outcome:
    if (known.impression_id, known.action, known.snooze) != (impression.id, said.action, said.snooze):
        msg = "This tip was already answered differently"
        raise Conflict(msg)
    return Outcome(reward=known.reward)


def _refuse_if_over(impression: Impression, said: Said, now: datetime) -> None:
    """Let a late delivery through when the reaction itself was made in time, for up to seven days."""
    expires_at = expired_at(impression.served_at)
    end = min(impression.closed_at or expires_at, expires_at)
    if impression.closed_at is None and now < end:
        return
    was_in_time = said.reacted_at is not None and said.reacted_at < end and now < end + LATE_FOR
    if was_in_time and (impression.closed_at is None or impression.outcome in SUPERSEDABLE):
        return
    msg = "This tip is no longer open"
    raise Conflict(msg)


async def _record(tx: Tx, impression: Impression, said: Said) -> Reaction:
    reacted_at = max(impression.served_at, min(said.reacted_at or tx.now, tx.now))
    reaction = Reaction(
        id=new_id(tx.now),
        user_id=impression.user_id,
        impression_id=impression.id,
        action=said.action,
        snooze=said.snooze,
        dwell_ms=said.dwell_ms,
        reward=reaction_reward(said.action, said.dwell_ms),
        client_id=said.client_id,
        reacted_at=reacted_at,
        received_at=tx.now,
    )
    if said.action == "done" and impression.item_id:
        reaction.closing_id = await schedule_close(tx, impression.item_id, at=tx.now + UNDO_WINDOW)
    tx.session.add(reaction)
    if impression.closed_at is None:  # one that ended by itself stays as it ended, should this be taken back
        impression.closed_at, impression.outcome = tx.now, "reacted"
    impression.seen_at = impression.seen_at or reacted_at
    tx.session.add(impression)
    await tx.session.flush()
    if not (said.action == "snooze" and await _is_credited(tx, impression)):
        await put_reward(tx, impression, "reaction", reaction.reward)
    await _withdraw(tx, impression, col(Impression.item_id) == impression.item_id)
    tx.emit(TipReacted(impression.user_id, impression.id, cast("Action", said.action), said.dwell_ms))
    return reaction


async def _is_credited(tx: Tx, impression: Impression) -> bool:
    """Tell whether the item's completion elsewhere was rewarded, which outweighs a snooze and silence."""
    reward = await tx.session.get(Reward, impression.id)
    return reward is not None and reward.cause == "completed"


async def _hide(tx: Tx, impression: Impression, reaction: Reaction, zone: ZoneInfo) -> None:
    """Let a snoozed or dismissed item sleep from when that was said, unless it sleeps longer already.

    A done one is out because its completion is on the way.
    """
    if impression.item_id is None or reaction.action == "done":
        return
    said_at = reaction.reacted_at
    until = snoozed_until(reaction.snooze, said_at, zone) if reaction.snooze else said_at + DISMISSED
    row = {"item_id": impression.item_id, "user_id": impression.user_id, "reaction_id": reaction.id, "until": until}
    is_longer = col(Hold.until).is_not(None) if until is None else col(Hold.until) < until
    await tx.session.execute(
        upsert(Hold).values(row).on_conflict_do_update(index_elements=["item_id"], set_=row, where=is_longer)
    )


async def _undo(tx: Tx, impression: Impression, said: Said) -> Outcome:
    """Take the standing reaction back with all it caused, while its completion has not left."""
    known = await _known(tx, impression, said)
    reaction = known if known and known.impression_id == impression.id else await _standing(tx, impression.id)
    if reaction is None and not await _was_undone(tx, impression.id):
        msg = "There is nothing to undo"
        raise Conflict(msg)
    if reaction is None or reaction.undone_at is not None:
        return Outcome(reward=None)
    is_late = tx.now >= reaction.received_at + UNDO_WINDOW
    if is_late or (reaction.closing_id and not await cancel_close(tx, reaction.closing_id)):
        msg = "It is too late to undo this"
        raise Conflict(msg)
    reaction.undone_at = tx.now
    tx.session.add(reaction)
    await tx.session.execute(delete(Hold).where(col(Hold.reaction_id) == reaction.id))
    await _restore(tx, impression)
    tx.emit(TipReacted(impression.user_id, impression.id, "undo", said.dwell_ms))
    return Outcome(reward=None)


async def _restore(tx: Tx, impression: Impression) -> None:
    """Make an impression what it would be without its reaction: open, or ended by itself."""
    is_credited = await _is_credited(tx, impression)
    if not is_credited:
        await tx.session.execute(delete(Reward).where(col(Reward.impression_id) == impression.id))
    if impression.outcome == "reacted" and not is_credited and tx.now < expired_at(impression.served_at):
        await _reopen(tx, impression)
        return
    if impression.outcome == "reacted":
        impression.outcome = "completed" if is_credited else "expired"
        tx.session.add(impression)
        await tx.session.flush()
    if not is_credited:
        await put_settled(tx, impression)


async def _reopen(tx: Tx, impression: Impression) -> None:
    """Open the impression again and withdraw the one opened since; one that is open from before stays instead."""
    await _withdraw(tx, impression, col(Impression.served_at) >= impression.served_at)
    others = select(col(Impression.id)).where(*_other_open(impression))
    if (await tx.session.execute(others)).scalar_one_or_none() is None:
        impression.closed_at = impression.outcome = None
    else:
        impression.outcome = "withdrawn"
    tx.session.add(impression)
    await tx.session.flush()


async def _withdraw(tx: Tx, impression: Impression, which: ColumnElement[bool]) -> None:
    """End other open impressions without a word: they are never learnt from."""
    others = update(Impression).where(*_other_open(impression), which)
    await tx.session.execute(others.values(closed_at=tx.now, outcome="withdrawn"))


def _other_open(impression: Impression) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Impression.user_id) == impression.user_id,
        col(Impression.closed_at).is_(None),
        col(Impression.id) != impression.id,
    )


async def _standing(tx: Tx, impression_id: str) -> Reaction | None:
    query = select(Reaction).where(col(Reaction.impression_id) == impression_id, col(Reaction.undone_at).is_(None))
    return (await tx.session.execute(query)).scalar_one_or_none()


async def undoable(rt: Runtime, user_id: str) -> Undoable | None:
    """Return the answer that was recorded last, while it can still be taken back."""
    now = rt.clock.now()
    query = (
        select(col(Reaction.impression_id), col(Reaction.client_id), col(Reaction.received_at))
        .where(
            col(Reaction.user_id) == user_id,
            col(Reaction.undone_at).is_(None),
            col(Reaction.received_at) > now - UNDO_WINDOW,
        )
        .order_by(col(Reaction.received_at).desc())
        .limit(1)
    )
    async with rt.db.read() as session:
        row = (await session.execute(query)).one_or_none()
    return None if row is None else Undoable(row.impression_id, row.client_id, now - row.received_at)


async def _was_undone(tx: Tx, impression_id: str) -> bool:
    query = select(col(Reaction.id)).where(col(Reaction.impression_id) == impression_id).limit(1)
    return (await tx.session.execute(query)).scalar_one_or_none() is not None
