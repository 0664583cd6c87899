"""Checks of webhooks: only what is proven counts, and late, doubled or swapped deliveries end in the same state."""

from collections.abc import Sequence
from datetime import timedelta

from oo_app import signals
from oo_app.conformance.trial import DoesNotApply, Failed, Trial
from oo_app.kit.errors import Unproven
from oo_app.sources import Call


async def unproven(trial: Trial) -> None:
    """A delivery with another body, without its signature, or with somebody else's, is refused and changes nothing."""
    (call, *_) = await _something_happened(trial)
    headers = {name: value for name, value in call.headers.items() if not _is_proof(name)}
    if len(headers) == len(call.headers):
        raise Failed("a delivery: expected a header with its signature or its channel's secret, saw none")
    others = {name: _other(value) if _is_proof(name) else value for name, value in call.headers.items()}
    forged = [Call(headers, call.body), Call(others, call.body)]
    if any("signature" in name or "hmac" in name for name in call.headers):
        forged.append(Call(call.headers, call.body + b" "))
    for each in forged:
        try:
            await signals.receive(trial.rt, trial.source.name, each)
        except Unproven:
            continue
        raise Failed("a forged delivery: expected it to be refused, saw it taken")


async def hint(trial: Trial) -> None:
    """A delivery has its connection read, and what happened is here, told once, however often it is delivered."""
    calls = await _something_happened(trial)
    for _ in range(3):
        for call in calls:
            await signals.receive(trial.rt, trial.source.name, call)
            await trial.rt.jobs.settle()
    await trial.holds_the_truth("after the deliveries, without a reading of our own")
    await _is_told_once(trial, "delivered three times")


async def any_order(trial: Trial) -> None:
    """Deliveries that come swapped, after the reading that found it all, or a day late, change nothing."""
    calls = await _something_happened(trial)
    await trial.read_well("a reading before its deliveries")
    for call in reversed(calls):
        await signals.receive(trial.rt, trial.source.name, call)
    await trial.rt.jobs.settle()
    await trial.read_well("after swapped deliveries")
    trial.clock.advance(timedelta(hours=25))
    for call in calls:
        await signals.receive(trial.rt, trial.source.name, call)
    await trial.rt.jobs.settle()
    await trial.read_well("after deliveries a day late")
    await _is_told_once(trial, "delivered late")


async def strange(trial: Trial) -> None:
    """A delivery whose body is nothing we know of is a hint all the same, or nothing; never a crash."""
    (call, *_) = await _something_happened(trial)
    for body in (b"", b"{", b"[]", b"null", b'{"a": 1}', b"\xff\xfe", b"[" * 10_000):
        trial.source.hear(Call(call.headers, body))


async def _something_happened(trial: Trial) -> Sequence[Call]:
    """Connect, and return the deliveries of something added, changed, and completed where there are tasks."""
    if not trial.source.has_webhooks:
        raise DoesNotApply("it sends no webhooks")
    name = await trial.stand.add("quokka of a delivery")
    await trial.connect()
    await trial.read_well("the first reading")
    await trial.stand.deliveries()
    trial.clock.advance(timedelta(minutes=10))
    await trial.stand.add("quokka of another delivery")
    if "task" in trial.source.kinds:
        await trial.stand.complete(name)
    else:
        await trial.stand.change(name, "quokka of a delivery, changed")
    calls = await trial.stand.deliveries()
    if not calls:
        raise Failed("something happened there: expected the stand-in to have deliveries, saw none")
    return calls


async def _is_told_once(trial: Trial, what: str) -> None:
    expected = int("task" in trial.source.kinds)
    if (told := await trial.completions()) != expected:
        raise Failed(f"something completed there, {what}: expected {expected} completions told, saw {told}")


def _is_proof(name: str) -> bool:
    return any(word in name for word in ("signature", "hmac", "token", "authorization"))


def _other(value: str) -> str:
    return f"{value[:-2]}{'AA' if value[-2:] != 'AA' else 'BB'}"
