"""Who somebody is: signing in, the profile shown, preferences, leaving."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from oo_app.accounts.models import Consent, Identity, Preferences, User
from oo_app.accounts.oidc import Person
from oo_app.accounts.sessions import open_session
from oo_app.kit import log
from oo_app.kit.config import Settings
from oo_app.kit.crypto import Place, hash_token
from oo_app.kit.db import Tx
from oo_app.kit.errors import Invalid, NotFound
from oo_app.kit.ids import new_id
from oo_app.runtime import Runtime

DOCUMENTS = {"terms": "2026-11-22", "privacy": "2026-11-25"}
NOT_ZONES = frozenset({"localtime", "posixrules", "Factory"})  # files beside the zones; they differ by machine
SANDBOX_ADMIN = "admin@sandbox.test"
BATCH = 500

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Agreed:
    """A consent as it is shown."""

    document: str
    version: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """A person as they see themselves."""

    id: str
    email: str
    role: str
    created_at: datetime
    consents: tuple[Agreed, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A person's preferences; times of day are HH:MM in their zone."""

    time_zone: str | None
    quiet_from: str
    quiet_to: str
    notify: bool
    has_decided_notify: bool
    paused: bool
    learn_across_people: bool
    allow_remote_ai: bool
    push_budget_per_week: int

    @property
    def zone(self) -> ZoneInfo:
        """The person's zone, UTC until told."""
        return ZoneInfo(self.time_zone or "UTC")


async def sign_in(rt: Runtime, person: Person, *, replacing: str | None) -> tuple[str, str]:
    """Find or make the account of a validated identity, record consent, open a session: (user id, cookie value).

    Identities are never linked by address; another issuer or subject is another account. Raises Invalid when the
    account is there and its key is not.
    """
    try:
        return await _sign_in(rt, person, replacing)
    except NotFound:
        pass  # deleted at this very moment, so that what comes is somebody new; or without a key
    try:
        return await _sign_in(rt, person, replacing)
    except NotFound as error:
        _log.error("account.keyless", provider=urlsplit(person.issuer).hostname)
        msg = "This account cannot be opened here"
        raise Invalid(msg, code="keyless") from error


async def _sign_in(rt: Runtime, person: Person, replacing: str | None) -> tuple[str, str]:
    subject = hash_token(f"{person.issuer}\x1f{person.subject}")
    user_id = await _find(rt, person.issuer, subject) or await _create(rt, person, subject)
    vault = await rt.vault.for_user(user_id)
    # The address is read anew each time: people change theirs at the provider.
    known: dict[str, Any] = {"email_hash": rt.vault.lookup(person.email.lower())}
    if person.refresh_token:
        known["refresh_token"] = vault.seal(person.refresh_token, Place("identity", user_id, "refresh_token"))
    async with rt.db.begin() as tx:
        email = vault.seal(person.email, Place("user", user_id, "email"))
        role = role_of(rt.settings, person)
        await tx.session.execute(update(User).where(col(User.id) == user_id).values(email=email, role=role))
        await tx.session.execute(update(Identity).where(col(Identity.user_id) == user_id).values(**known))
        await _record_consent(tx, user_id)
        token = await open_session(tx, user_id, replacing=replacing)
    return user_id, token


def role_of(settings: Settings, person: Person) -> str:
    """Return admin for the seeded address at a real provider, and for the sandbox's admin in development."""
    email = person.email.lower()
    is_sandbox = person.issuer.startswith(f"{settings.sandbox_url}/sandbox/")
    if is_sandbox:
        return "admin" if email == SANDBOX_ADMIN and settings.has_sandbox else "user"
    is_known = urlsplit(person.issuer).scheme == "https"
    return "admin" if is_known and settings.admin_seed_email and email == settings.admin_seed_email.lower() else "user"


async def profile(rt: Runtime, user_id: str) -> Profile:
    """Return a person's own account."""
    vault = await rt.vault.for_user(user_id)
    async with rt.db.read() as session:
        user = await session.get(User, user_id)
        consents = (
            await session.execute(
                select(col(Consent.document), col(Consent.version), col(Consent.at))
                .where(col(Consent.user_id) == user_id)
                .order_by(col(Consent.at), col(Consent.document))
            )
        ).all()
    if user is None:
        raise NotFound
    return Profile(
        id=user.id,
        email=vault.open(user.email, Place("user", user_id, "email")),
        role=user.role,
        created_at=user.created_at,
        consents=tuple(Agreed(*row) for row in consents),
    )


async def find_by_email(rt: Runtime, email: str) -> list[str]:
    """Return the accounts whose identity came with that address; there may be one per provider."""
    async with rt.db.read() as session:
        hashes = rt.vault.lookups(email.strip().lower())
        query = select(col(Identity.user_id)).where(col(Identity.email_hash).in_(hashes))
        return list((await session.execute(query)).scalars().all())


async def rehash_addresses(rt: Runtime) -> int:
    """Make the look-up hashes of all addresses anew with the active OO_SECRET_KEYS; return how many were not yet.

    People without a key are passed over: their address cannot be read.
    """
    changed, last = 0, ""
    while rows := await _addresses(rt, last):
        last = rows[-1].id
        anew: dict[str, tuple[str, str]] = {}
        for row in rows:
            with suppress(NotFound):
                vault = await rt.vault.for_user(row.user_id)
                address = vault.open(row.email, Place("user", row.user_id, "email"))
                anew[row.id] = row.email_hash, rt.vault.lookup(address.lower())
        async with rt.db.begin() as tx:
            for identity_id, (before, after) in anew.items():
                if before != after:
                    mine = (col(Identity.id) == identity_id, col(Identity.email_hash) == before)
                    await tx.session.execute(update(Identity).where(*mine).values(email_hash=after))
                    changed += 1
    return changed


async def _addresses(rt: Runtime, after: str) -> Sequence[Row[str, str, str, bytes]]:
    query = (
        select(col(Identity.id), col(Identity.user_id), col(Identity.email_hash), col(User.email))
        .join(User, col(User.id) == col(Identity.user_id))
        .where(col(Identity.id) > after)
        .order_by(col(Identity.id))
        .limit(BATCH)
    )
    async with rt.db.read() as session:
        return (await session.execute(query)).all()


# Built once: a statement made anew for each call costs as much as running it.
_CHOSEN = select(*(getattr(Preferences, name) for name in Chosen.__dataclass_fields__)).where(
    col(Preferences.user_id) == bindparam("user_id")
)


async def preferences(rt: Runtime, user_id: str) -> Chosen:
    """Return what a person chose."""
    rows = await rt.db.fetch(_CHOSEN, {"user_id": user_id})
    if not rows:
        raise NotFound
    return Chosen(*rows[0])


async def choose(rt: Runtime, user_id: str, **changes: str | bool | int | None) -> Chosen:
    """Change preferences; the values were checked at the edge."""
    if "notify" in changes:
        changes["has_decided_notify"] = True
    if changes:
        async with rt.db.begin() as tx:
            await tx.session.execute(update(Preferences).where(col(Preferences.user_id) == user_id).values(**changes))
    return await preferences(rt, user_id)


async def suggest_time_zone(tx: Tx, user_id: str, time_zone: str) -> None:
    """Take a zone from the browser or a source, unless the person has one; a name nobody knows is passed over."""
    if not is_time_zone(time_zone):
        return
    untold = (col(Preferences.user_id) == user_id, col(Preferences.time_zone).is_(None))
    await tx.session.execute(update(Preferences).where(*untold).values(time_zone=time_zone))


async def identity_tokens(rt: Runtime, user_id: str) -> list[tuple[str, str]]:
    """Return (issuer, refresh token) of identities whose provider wants to be told when the person leaves."""
    vault = await rt.vault.for_user(user_id)
    async with rt.db.read() as session:
        query = select(col(Identity.issuer), col(Identity.refresh_token)).where(
            col(Identity.user_id) == user_id,
            col(Identity.refresh_token).is_not(None),
        )
        rows = (await session.execute(query)).all()
    place = Place("identity", user_id, "refresh_token")
    return [(issuer, vault.open(sealed, place)) for issuer, sealed in rows if sealed is not None]


def is_time_zone(name: str) -> bool:
    """Whether a name is one of `time_zones`."""
    return name in time_zones()


@cache
def time_zones() -> frozenset[str]:
    """Return the IANA names that mean the same everywhere; cached, since they are read from a whole folder."""
    return frozenset(name for name in available_timezones() if not name.startswith(("posix/", "right/"))) - NOT_ZONES


async def _find(rt: Runtime, issuer: str, subject: str) -> str | None:
    async with rt.db.read() as session:
        query = select(col(Identity.user_id)).where(col(Identity.issuer) == issuer, col(Identity.subject) == subject)
        return (await session.execute(query)).scalar_one_or_none()


async def _create(rt: Runtime, person: Person, subject: str) -> str:
    user_id = new_id(rt.clock.now())
    vault = await rt.vault.create_for(user_id)
    email = vault.seal(person.email, Place("user", user_id, "email"))
    try:
        async with rt.db.begin() as tx:
            tx.session.add(User(id=user_id, email=email, role="user", created_at=tx.now))
            await tx.session.flush()
            tx.session.add(Preferences(user_id=user_id))
            tx.session.add(
                Identity(
                    id=new_id(tx.now),
                    user_id=user_id,
                    issuer=person.issuer,
                    subject=subject,
                    email_hash=rt.vault.lookup(person.email.lower()),
                    created_at=tx.now,
                )
            )
    except IntegrityError:
        # Two first sign-ins at once: the unique identity decided, and the other one won.
        await rt.vault.destroy_for([user_id], rt.clock.now())
        winner = await _find(rt, person.issuer, subject)
        if winner is None:
            raise
        return winner
    return user_id


async def _record_consent(tx: Tx, user_id: str) -> None:
    for document, version in DOCUMENTS.items():
        row = {"id": new_id(tx.now), "user_id": user_id, "document": document, "version": version, "at": tx.now}
        await tx.session.execute(upsert(Consent).values(row).on_conflict_do_nothing())
