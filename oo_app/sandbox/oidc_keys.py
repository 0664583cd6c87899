"""The signing keys of a sandbox provider: several at once, kept in the state file, replaced on demand."""

import secrets
from functools import lru_cache
from typing import Any, TypedDict

from joserfc.jwk import RSAKey

from oo_app.sandbox.state_file import StateFile

KEPT = 3


class StoredKey(TypedDict):
    """One key as it stands in the state file."""

    kid: str
    pem: str


class SigningKeys:
    """The RSA keys of one provider; the last of them signs."""

    def __init__(self, file: StateFile, provider: str) -> None:
        """Use this provider's section of the file; keys are made on first use."""
        self._file = file
        self._section = f"{provider}_keys"

    def active(self) -> RSAKey:
        """Return the key that signs now."""
        return self._keys()[-1]

    def jwks(self) -> dict[str, Any]:
        """Return the public halves as a JWK set."""
        public = [{**key.as_dict(private=False), "use": "sig", "alg": "RS256"} for key in self._keys()]
        return {"keys": public}

    def rotate(self) -> str:
        """Make a new active key, retire the oldest when there are too many, and return the new key's id."""
        stored = [*self._stored(), _new_key()][-KEPT:]
        self._file.write(self._section, stored)
        return stored[-1]["kid"]

    def _keys(self) -> list[RSAKey]:
        return [_opened(stored["pem"], stored["kid"]) for stored in self._stored()]

    def _stored(self) -> list[StoredKey]:
        stored: list[StoredKey] | None = self._file.read(self._section)
        if stored is None:
            stored = [_new_key(), _new_key()]
            self._file.write(self._section, stored)
        return stored


@lru_cache(maxsize=16)
def _opened(pem: str, kid: str) -> RSAKey:
    """Read a key once: checking its primes takes some 40 ms."""
    return RSAKey.import_key(pem, {"kid": kid})


def _new_key() -> StoredKey:
    kid = secrets.token_hex(8)
    return {"kid": kid, "pem": RSAKey.generate_key(2048).as_pem(private=True).decode()}
