"""Who let which app into which account of the sandbox's Todoist, and the tokens that prove it.

A token holds its grant, its generation and when it was made, so nothing but the grants is stored. Grants stand in the
state file: what was revoked stays revoked after a restart.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from oo_app.kit.clock import Clock
from oo_app.sandbox.signing import Signer
from oo_app.sandbox.state_file import StateFile

SECTION = "todoist_grants"
CODE_LIFETIME = timedelta(minutes=5)
ACCESS_LIFETIME_S = 3600
LEGACY_LIFETIME_S = 315_360_000
GRACE = timedelta(seconds=60)
HEAD = 20  # hexadecimal characters of a token that say what it is: grant 8, generation 4, made at 8
TAIL = 20  # and those that prove it

CLIENT_ID = "oo-sandbox-todoist"
LEGACY_CLIENT_ID = "oo-sandbox-todoist-legacy"
CLIENT_SECRET = "oo-sandbox-todoist-secret"  # noqa: S105  (not a secret: a fixed word of the sandbox)


@dataclass(frozen=True, slots=True)
class Grant:
    """One app's access to one account. `generation` counts refreshes; access tokens up to `dead_through` are over."""

    id: str
    account: str
    client_id: str
    scopes: frozenset[str]
    generation: int
    renewed_at: datetime
    dead_through: int = -1
    is_revoked: bool = False

    @property
    def is_legacy(self) -> bool:
        """Say whether the app is of the older kind, without refresh tokens."""
        return self.client_id == LEGACY_CLIENT_ID

    def allows(self, scope: str) -> bool:
        """Say whether a call that needs this scope may be made."""
        if "data:read_write" in self.scopes and scope in {"data:read", "task:add"}:
            return True
        return scope in self.scopes


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code that was handed out."""

    account: str
    client_id: str
    scopes: frozenset[str]
    redirect_uri: str | None
    ends_at: datetime


class Grants:
    """Makes, checks, renews and revokes."""

    def __init__(self, file: StateFile, clock: Clock) -> None:
        """Read grants from the file when they are first needed."""
        self._file = file
        self._signer = Signer(file.secret)
        self._clock = clock
        self._codes: dict[str, Code] = {}
        self._loaded: dict[str, Grant] | None = None

    def issue_code(self, code: Code) -> str:
        """Hand out a code."""
        text = secrets.token_hex(20)
        self._codes[text] = code
        return text

    def code_end(self) -> datetime:
        """Return when a code handed out now ends."""
        return self._clock.now() + CODE_LIFETIME

    def spend_code(self, text: str, client_id: str, redirect_uri: str | None) -> Grant | None:
        """Turn a code into a grant, once."""
        code = self._codes.pop(text, None)
        if code is None or self._clock.now() >= code.ends_at or code.client_id != client_id:
            return None
        if code.redirect_uri is not None and code.redirect_uri != redirect_uri:
            return None
        grant = Grant(secrets.token_hex(4), code.account, client_id, code.scopes, 0, self._clock.now())
        self._keep(grant)
        return grant

    def answer(self, grant: Grant, *, with_refresh_token: bool) -> dict[str, Any]:
        """Return the token answer for a grant's present generation, in the shape of its app."""
        answer: dict[str, Any] = {
            "access_token": self._token("access", grant),
            "token_type": "Bearer",
            "expires_in": LEGACY_LIFETIME_S if grant.is_legacy else ACCESS_LIFETIME_S,
            "scope": ",".join(sorted(grant.scopes)),
        }
        if with_refresh_token and not grant.is_legacy:
            answer["refresh_token"] = f"rt_{self._token('refresh', grant)}"
        return answer

    def refresh(self, text: str, client_id: str) -> dict[str, Any] | None:
        """Renew a grant. The token before the present one is answered for a minute more; later it counts as stolen."""
        read = self._read("refresh", text.removeprefix("rt_"))
        if read is None or not text.startswith("rt_"):
            return None
        grant, generation, _ = read
        if grant.is_revoked or grant.client_id != client_id:
            return None
        if generation == grant.generation:
            renewed = replace(grant, generation=generation + 1, renewed_at=self._clock.now())
            self._keep(renewed)
            return self.answer(renewed, with_refresh_token=True)
        if generation == grant.generation - 1 and self._clock.now() <= grant.renewed_at + GRACE:
            return self.answer(grant, with_refresh_token=False)
        self.revoke_where(lambda other: (other.account, other.client_id) == (grant.account, client_id))
        return None

    def holder(self, access_token: str) -> Grant | None:
        """Return the grant of a living access token."""
        read = self._read("access", access_token)
        if read is None:
            return None
        grant, generation, made_at = read
        lifetime = LEGACY_LIFETIME_S if grant.is_legacy else ACCESS_LIFETIME_S
        is_over = self._clock.now().timestamp() >= made_at + lifetime or generation <= grant.dead_through
        return None if grant.is_revoked or is_over else grant

    def revoke_token(self, access_token: str, client_id: str) -> bool:
        """End the grant of an access token of this app, even an expired one; False for any other text."""
        read = self._read("access", access_token)
        if read is None or read[0].client_id != client_id:
            return False
        self.revoke_where(lambda grant: grant.id == read[0].id)
        return True

    def is_refresh_token(self, text: str) -> bool:
        """Say whether this is one of our refresh tokens."""
        return text.startswith("rt_") and self._read("refresh", text.removeprefix("rt_")) is not None

    def revoke_where(self, chosen: Callable[[Grant], bool]) -> int:
        """Revoke grants and return how many."""
        found = [grant for grant in self._grants().values() if chosen(grant) and not grant.is_revoked]
        self._keep(*(replace(grant, is_revoked=True) for grant in found))
        return len(found)

    def expire_where(self, chosen: Callable[[Grant], bool]) -> int:
        """End the access tokens of grants before their time; refresh tokens stay good."""
        found = [grant for grant in self._grants().values() if chosen(grant) and not grant.is_revoked]
        self._keep(*(replace(grant, dead_through=grant.generation) for grant in found))
        return len(found)

    def has_live(self, account: str) -> bool:
        """Say whether an account has let any app in."""
        return any(grant.account == account and not grant.is_revoked for grant in self._grants().values())

    def _token(self, kind: str, grant: Grant) -> str:
        head = f"{grant.id}{grant.generation:04x}{int(grant.renewed_at.timestamp()):08x}"
        return head + self._mac(kind, head)

    def _read(self, kind: str, token: str) -> tuple[Grant, int, int] | None:
        head, mac = token[:HEAD], token[HEAD:]
        if len(head) != HEAD or not hmac.compare_digest(mac.encode(), self._mac(kind, head).encode()):
            return None
        grant = self._grants().get(head[:8])
        return None if grant is None else (grant, int(head[8:12], 16), int(head[12:], 16))

    def _mac(self, kind: str, head: str) -> str:
        return self._signer.digest(f"todoist {kind}", head)[:TAIL]

    def _grants(self) -> dict[str, Grant]:
        if self._loaded is None:
            stored: list[dict[str, Any]] = self._file.read(SECTION) or []
            self._loaded = {grant.id: grant for grant in map(_from_json, stored)}
        return self._loaded

    def _keep(self, *grants: Grant) -> None:
        kept = self._grants() | {grant.id: grant for grant in grants}
        self._file.write(SECTION, [_as_json(grant) for grant in kept.values()])
        self._loaded = kept


def _as_json(grant: Grant) -> dict[str, Any]:
    return {
        "id": grant.id,
        "account": grant.account,
        "client_id": grant.client_id,
        "scopes": sorted(grant.scopes),
        "generation": grant.generation,
        "renewed_at": grant.renewed_at.isoformat(),
        "dead_through": grant.dead_through,
        "is_revoked": grant.is_revoked,
    }


def _from_json(stored: dict[str, Any]) -> Grant:
    read: dict[str, Any] = {
        "scopes": frozenset(stored["scopes"]),
        "renewed_at": datetime.fromisoformat(stored["renewed_at"]),
    }
    return Grant(**(stored | read))
