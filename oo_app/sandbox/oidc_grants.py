"""What a sandbox provider remembers of its grants: single-use codes in memory, tokens that carry themselves."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from oo_app.sandbox.oidc_request import AuthorizationRequest, Provider
from oo_app.sandbox.oidc_tokens import Person
from oo_app.sandbox.signing import Signer
from oo_app.sandbox.state_file import StateFile

CODE_LIFETIME = timedelta(minutes=5)
ACCESS_LIFETIME_S = 3599

TokenKind = Literal["access", "refresh"]


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code that was handed out."""

    request: AuthorizationRequest
    person: Person
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """What an access or refresh token says."""

    person: Person
    scopes: frozenset[str]


class Grants:
    """The codes and tokens of one provider. Revoking a person's grant ends every token made before."""

    def __init__(self, provider: Provider, file: StateFile) -> None:
        """Start without codes; tokens of earlier runs stay good."""
        self._provider = provider
        self._file = file
        self._signer = Signer(file.secret)
        self._section = f"{provider.name}_generations"
        self._codes: dict[str, Code] = {}
        self._spent: dict[str, Person] = {}

    def issue_code(self, request: AuthorizationRequest, person: Person, now: datetime) -> str:
        """Hand out a code for five minutes."""
        code = secrets.token_urlsafe(32)
        self._codes[code] = Code(request, person, now + CODE_LIFETIME)
        return code

    def spend_code(self, code: str, now: datetime) -> Code | None:
        """Return what a code stands for, once; a second try ends the grant, as RFC 6749 4.1.2 advises."""
        if code in self._spent:
            self.revoke(self._spent[code])
            return None
        spent = self._codes.pop(code, None)
        if spent is None or now >= spent.ends_at:
            return None
        self._spent[code] = spent.person
        return spent

    def issue_token(self, kind: TokenKind, token: Token, now: datetime) -> str:
        """Return a token; an access token ends by itself after an hour."""
        ends = int(now.timestamp()) + ACCESS_LIFETIME_S if kind == "access" else None
        content = {
            "email": token.person.email,
            "scopes": sorted(token.scopes),
            "generation": self._generation(token.person),
            "ends": ends,
            "salt": secrets.token_hex(4),
        }
        return self._signer.seal(self._kind(kind), content)

    def open_token(self, kind: TokenKind, text: str, now: datetime) -> Token | None:
        """Return what a living token says."""
        content = self._signer.open(self._kind(kind), text)
        if content is None or (content["ends"] is not None and content["ends"] <= now.timestamp()):
            return None
        person = Person(content["email"])
        if content["generation"] != self._generation(person):
            return None
        return Token(person, frozenset(content["scopes"]))

    def revoke(self, person: Person) -> None:
        """End every token of this person."""
        self._file.write(self._section, self._generations() | {self._key(person): self._generation(person) + 1})

    def _generation(self, person: Person) -> int:
        return self._generations().get(self._key(person), 0)

    def _generations(self) -> dict[str, int]:
        return self._file.read(self._section) or {}

    def _key(self, person: Person) -> str:
        return person.subject(self._provider)

    def _kind(self, kind: TokenKind) -> str:
        return f"{self._provider.name} {kind}"
