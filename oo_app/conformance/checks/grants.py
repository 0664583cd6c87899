"""Checks of how oO is let in: grants that end, are renewed by two at once, or are taken back."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import httpx

from oo_app import signals
from oo_app.conformance import faults
from oo_app.conformance.line import Fault, Pass
from oo_app.conformance.trial import Failed, Trial
from oo_app.events import SourceFailed
from oo_app.kit.errors import OoError

LONG = timedelta(hours=2)


async def expiry(trial: Trial) -> None:
    """Access that has ended, as foretold or before its time, is renewed without anybody noticing."""
    trial.only_of("consent")
    await _let_in(trial)
    trial.clock.advance(LONG)
    await trial.stand.add("quokka after the token's time")
    await trial.read_well("after the token's time")
    await trial.stand.expire()
    await trial.stand.add("quokka after a token ended early")
    await trial.read_well("after a token ended early")


async def refused_once(trial: Trial) -> None:
    """401 to each request in turn: renewed, and read."""
    trial.only_of("consent")
    await _let_in(trial)
    places = await trial.requests()
    for place in range(places):
        trial.line.fault = faults.at(place, _refusing)
        await trial.stand.add(f"quokka with request {place} refused")
        await trial.read_well(f"request {place + 1} of {places} answered 401 once")
        trial.line.fault = None


async def refresh_race(trial: Trial) -> None:
    """Two readings at the end of a token: one renewal, and both read."""
    trial.only_of("consent")
    await _let_in(trial)
    await trial.stand.expire()
    before = len(trial.line.asked)
    both = await asyncio.gather(trial.read(), trial.read())
    if not all(both):
        raise Failed(f"two readings at the end of a token: expected both to read, saw {both}")
    renewals = [each for each in trial.line.asked[before:] if _is_renewal(each)]
    if len(renewals) != 1:
        raise Failed(f"two readings at the end of a token: expected one renewal, saw {len(renewals)}")
    await trial.read_well("after two readings at the end of a token")


async def lost_renewal(trial: Trial) -> None:
    """A renewal whose answer is lost is asked for again, and the connection lives."""
    trial.only_of("consent")
    await _let_in(trial)
    await trial.stand.expire()
    lost = 0

    async def losing(request: httpx.Request, passed: Pass) -> httpx.Response:
        nonlocal lost
        answer = await passed()
        if _is_renewal(request) and not lost:
            lost += 1
            msg = "planted"
            raise httpx.ReadTimeout(msg)
        return answer

    trial.line.fault = losing
    await trial.read()
    trial.line.fault = None
    if not lost:
        raise Failed("a token that ended: expected a renewal, saw none")
    await trial.read_well("after a renewal's answer was lost")


async def revoked(trial: Trial) -> None:
    """What the person took back there needs attention here: nothing is lost, and nothing more is asked."""
    await _let_in(trial)
    held = await trial.held()
    await trial.stand.revoke()
    await _needs_attention(trial, "access was taken back there", held)
    await trial.stand.add("quokka before oO was let in again")
    await trial.reads_anew("after oO was let in again")


async def refused_for_ever(trial: Trial) -> None:
    """401 for ever: needs attention, after no more than some tries."""
    await _let_in(trial)
    held = await trial.held()
    trial.line.fault = _refusing
    await _needs_attention(trial, "401 for everything", held)
    trial.line.fault = None
    await trial.reads_anew("after oO was let in again")


async def leaving(trial: Trial) -> None:
    """Disconnecting takes the grant back there, and nothing of it stays here."""
    await _let_in(trial)
    left = await signals.leave(trial.rt, trial.user_id, trial.source.name)
    if not left.is_revoked:
        raise Failed("disconnecting: expected the source to be told, saw that it was not")
    if held := await trial.held():
        raise Failed(f"disconnecting: expected nothing to stay here, saw {len(held)}")
    if trial.source.asks == "consent" and await trial.stand.is_let_in():
        raise Failed("disconnecting: expected the grant to be taken back there, saw that it stands")
    await trial.reads_anew("after connecting again")


async def leaving_in_bad_weather(trial: Trial) -> None:
    """Disconnecting works also while the source is away, or has forgotten us."""
    for fault in (faults.answering(503), faults.raising(httpx.ConnectError), faults.answering(401)):
        await _let_in(trial)
        trial.line.fault = fault
        await signals.leave(trial.rt, trial.user_id, trial.source.name)
        trial.line.fault = None
        if held := await trial.held():
            raise Failed(f"disconnecting while the source is away: expected nothing to stay, saw {len(held)}")


async def wrong_address(trial: Trial) -> None:
    """An address where something else lies, or nothing, is refused with the field named, and nothing is kept."""
    trial.only_of("address", "login")
    weathers: dict[str, Fault] = {
        "a page of HTML": faults.answering(200, b"<!doctype html>", content_type="text/html"),
        "nothing there": faults.answering(404),
        "a wrong password": faults.answering(401),
        "a server that is away": faults.answering(503),
    }
    for what, fault in weathers.items():
        trial.line.fault = fault
        is_kept = True
        with suppress(OoError):
            await trial.connect()
            is_kept = False
        trial.line.fault = None
        if not is_kept or await trial.state() != "not_connected":
            raise Failed(f"{what}: expected the connection to be refused, saw it made")


async def _refusing(request: httpx.Request, passed: Pass) -> httpx.Response:
    """Answer 401, but let renewals through."""
    return await passed() if _is_renewal(request) else httpx.Response(401)


def _is_renewal(request: httpx.Request) -> bool:
    return b"grant_type=refresh_token" in request.content


async def _let_in(trial: Trial) -> None:
    await trial.stand.add(f"quokka held {len(trial.line.asked)}")
    await trial.reads_anew("the first reading")


async def _needs_attention(trial: Trial, what: str, held: list[str]) -> None:
    if await trial.read():
        raise Failed(f"{what}: expected the reading to fail, but it counted as good")
    if (state := await trial.state()) != "needs_attention":
        raise Failed(f"{what}: expected the connection to need attention, saw it {state} ({await trial.trouble()})")
    if await trial.held() != held:
        raise Failed(f"{what}: expected all that was held before to stay")
    if asked := await trial.requests():
        raise Failed(f"{what}: expected nothing more to be asked, saw {asked} requests")
    if not await trial.news(SourceFailed.subject):
        raise Failed(f"{what}: expected the event signals.source.failed, saw none")


async def renewal_refused(trial: Trial) -> None:
    """A renewal that fails for a moment is tried again later; the person is not asked for what mends itself."""
    trial.only_of("consent")
    await _let_in(trial)
    for status in (500, 503, 429):
        await trial.stand.expire()

        async def failing(request: httpx.Request, passed: Pass, status: int = status) -> httpx.Response:
            return httpx.Response(status) if _is_renewal(request) else await passed()

        await trial.requests(failing)
        if (state := await trial.state()) != "connected":
            raise Failed(f"a renewal answered {status}: expected another try later, saw the connection {state}")
        await trial.read_well(f"after a renewal answered {status}")
