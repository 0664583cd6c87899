"""Keys and seals: each person's key, what it seals, token hashes and look-up hashes.

A person's data key (256 bits) is wrapped by the active OO_ENCRYPTION_KEYS and kept in a database of its own
(OO_KEYS_URL). Destroying that one row makes everything sealed with it unreadable, wherever copies lie.
"""

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oo_app.kit.config import Settings, SettingsError
from oo_app.kit.errors import Invalid, NotFound
from oo_app.kit.keystore import KeyStore

NONCE_LENGTH = 12
TOKEN_BYTES = 32
CACHED_KEYS = 4096


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives; a seal opens only in its own place."""

    table: str
    row: str
    column: str

    def encode(self) -> bytes:
        """Return the associated data of the seal, unambiguous whatever the parts hold."""
        return f"{self.table}\x1f{self.row}\x1f{self.column}".encode()


@dataclass(frozen=True, slots=True)
class PersonVault:
    """Seals and opens with one person's key (AES-256-GCM, random nonce, place as associated data)."""

    _cipher: AESGCM

    def seal(self, text: str, place: Place) -> bytes:
        """Seal a text to a place; half a character, as some sources send, becomes a question mark."""
        nonce = secrets.token_bytes(NONCE_LENGTH)
        return nonce + self._cipher.encrypt(nonce, text.encode(errors="replace"), place.encode())

    def open(self, sealed: bytes, place: Place) -> str:
        """Open what was sealed to that place; anything else raises Invalid."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:], place.encode()).decode()
        except (InvalidTag, ValueError) as error:
            msg = "A stored value does not open in its place"
            raise Invalid(msg, table=place.table, column=place.column) from error


class Vault:
    """Hands out people's keys and the application's own seals. Built without I/O; `start()` opens the key store."""

    def __init__(self, settings: Settings) -> None:
        """Derive the wrapping and signing keys from the settings."""
        self.store = KeyStore(settings.keys_url)
        self._wrapping = [Fernet(_fernet_key(k, "wrap")) for k in settings.encryption_keys]
        self._wrap = MultiFernet(self._wrapping)
        self._box = MultiFernet([Fernet(_fernet_key(k, "box")) for k in settings.secret_keys])
        self._lookup_keys = [_derive(k, "lookup") for k in settings.secret_keys]
        self._people: OrderedDict[str, PersonVault] = OrderedDict()
        self._destroyed: set[str] = set()

    async def start(self) -> None:
        """Open the key store, making it where there is none; SettingsError when it or its keys cannot be read."""
        await self.store.start()
        try:
            for _, wrapped in (await self.store.page())[:1]:
                self.unwrapped(wrapped)
        except SettingsError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close the key store and forget every key."""
        self.forget()
        await self.store.stop()

    def forget(self) -> None:
        """Drop the keys kept in memory: one that another process destroyed is then gone here, too."""
        self._people.clear()

    async def create_for(self, user_id: str) -> PersonVault:
        """Make and keep the key of a new person."""
        key = AESGCM.generate_key(bit_length=256)
        await self.store.add({user_id: self._wrap.encrypt(key)})
        return self._remember(user_id, PersonVault(AESGCM(key)))

    async def for_user(self, user_id: str) -> PersonVault:
        """Return a person's vault; NotFound once the key is destroyed."""
        if (vault := self._people.get(user_id)) is not None:
            self._people.move_to_end(user_id)
            return vault
        wrapped = await self.store.find(user_id)
        if wrapped is None or user_id in self._destroyed:  # the latter: destroyed while we were reading it
            msg = "This account no longer exists"
            raise NotFound(msg)
        return self._remember(user_id, PersonVault(AESGCM(self.unwrapped(wrapped))))

    async def destroy_for(self, user_ids: Collection[str], at: datetime) -> None:
        """Destroy people's keys and note it: nothing sealed with them can ever be read again."""
        self._destroyed |= {*user_ids}
        for user_id in user_ids:
            self._people.pop(user_id, None)
        await self.store.destroy(user_ids, at)

    async def rewrap(self) -> int:
        """Wrap every key with the active OO_ENCRYPTION_KEYS; return how many were not yet. May be broken off."""
        changed, last = 0, ""
        while page := await self.store.page(last):
            last = page[-1][0]
            stale = [(user_id, wrapped) for user_id, wrapped in page if not self.is_current(wrapped)]
            renewed = [(user_id, old, self._wrap.encrypt(self.unwrapped(old))) for user_id, old in stale]
            changed += await self.store.rewrap(renewed)
        return changed

    def is_current(self, wrapped: bytes) -> bool:
        """Tell whether a key is wrapped with the active one of OO_ENCRYPTION_KEYS."""
        try:
            self._wrapping[0].decrypt(wrapped)
        except InvalidToken:
            return False
        return True

    def unwrapped(self, wrapped: bytes) -> bytes:
        """Open a wrapped key; SettingsError when none of OO_ENCRYPTION_KEYS does."""
        try:
            return self._wrap.decrypt(wrapped)
        except InvalidToken as error:
            msg = "OO_ENCRYPTION_KEYS: none of them opens the people's keys in OO_KEYS_URL"
            raise SettingsError(msg) from error

    def box(self, text: str) -> str:
        """Seal something of ours that travels through a browser."""
        return self._box.encrypt(text.encode()).decode()

    def unbox(self, boxed: str, *, within_seconds: int) -> str:
        """Open what `box` made, unless it is older; raises Invalid."""
        try:
            return self._box.decrypt(boxed.encode(), ttl=within_seconds).decode()
        except InvalidToken as error:
            msg = "That link is no longer valid"
            raise Invalid(msg) from error

    def lookup(self, text: str) -> str:
        """Keyed hash for exact look-up of something that must not be readable (HMAC-SHA256, the active key)."""
        return self.lookups(text)[0]

    def lookups(self, text: str) -> tuple[str, ...]:
        """Return the hash under every key, the active one first, to find what was kept before a rotation."""
        return tuple(hmac.new(key, text.encode(), hashlib.sha256).hexdigest() for key in self._lookup_keys)

    def _remember(self, user_id: str, vault: PersonVault) -> PersonVault:
        self._people[user_id] = vault
        if len(self._people) > CACHED_KEYS:
            self._people.popitem(last=False)
        return vault


def new_token() -> str:
    """Draw an opaque secret for a cookie, a state or a nonce."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> str:
    """Hash a random token for storage; it has 256 bits, so a plain hash cannot be reversed."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def _derive(key: str, purpose: str) -> bytes:
    return hmac.new(key.encode(), f"oo:{purpose}".encode(), hashlib.sha256).digest()


def _fernet_key(key: str, purpose: str) -> bytes:
    return base64.urlsafe_b64encode(_derive(key, purpose))
