"""ID tokens of the sandbox, true ones and lies.

The local part of the e-mail address typed on the sign-in page (before any "+") chooses the lie, with any domain:

- `unverified`: email_verified is false            - `no-email`: no e-mail claims at all
- `expired`: ended an hour ago                     - `from-the-future`: issued in an hour
- `wrong-iss`, `wrong-aud`, `wrong-nonce`: another issuer, audience, nonce
- `old-iss`: the issuer without its scheme, as Google once wrote it
- `many-aud`: two audiences and an azp that is not the client's
- `no-nonce`, `no-sub`: the claim is missing       - `wrong-at-hash`: made for another access token
- `swapped-types`: true/false as text from Google, as booleans from Apple
- `alg-none`: not signed       - `alg-hs256`: signed with the public key as if it were a shared secret
- `bad-signature`: signed by nobody                - `unknown-kid`: signed by a key that is not published
- `no-id-token`: the token answer lacks it         - `token-error`: the token endpoint answers 503

For Apple, an address ending in @privaterelay.appleid.com is a relay address.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from oo_app.sandbox.oidc_keys import SigningKeys
from oo_app.sandbox.oidc_request import Provider
from oo_app.sandbox.signing import b64url

LIFETIME_S = 3600


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever signed in: an address, and what follows from it."""

    email: str

    @property
    def fault(self) -> str:
        """Return the local part, which may name a lie."""
        return self.email.partition("@")[0].partition("+")[0].lower()

    @property
    def first_name(self) -> str:
        """Return a name for the address."""
        return self.fault.replace("-", " ").replace(".", " ").title() or "Somebody"

    @property
    def is_relayed(self) -> bool:
        """Say whether the address is one of Apple's relays."""
        return self.email.lower().endswith("@privaterelay.appleid.com")

    def subject(self, provider: Provider) -> str:
        """Return the stable subject, shaped like the provider's own."""
        digest = hashlib.sha256(f"{provider.name}\n{self.email.lower()}".encode()).hexdigest()
        if provider.is_apple:
            return f"{int(digest[:5], 16) % 1000000:06d}.{digest[:32]}.{int(digest[-4:], 16) % 10000:04d}"
        return f"1{int(digest[:20], 16) % 10**20:020d}"


@dataclass(frozen=True, slots=True)
class Issue:
    """What an ID token is made for."""

    provider: Provider
    person: Person
    scopes: frozenset[str]
    nonce: str | None
    now: datetime
    access_token: str | None
    code: str | None


def id_token(keys: SigningKeys, issue: Issue) -> str:
    """Return a signed ID token, or the lie that the address asks for."""
    claims = _with_lies(issue, _claims(issue))
    return _sign(keys, claims, issue.person.fault)


def _claims(issue: Issue) -> dict[str, Any]:
    issued = int(issue.now.timestamp())
    claims: dict[str, Any] = {
        "iss": issue.provider.issuer,
        "aud": issue.provider.client_id,
        "sub": issue.person.subject(issue.provider),
        "iat": issued,
        "exp": issued + LIFETIME_S,
    }
    if issue.nonce is not None:
        claims["nonce"] = issue.nonce
    if issue.access_token is not None:
        claims["at_hash"] = _half_hash(issue.access_token)
    if issue.code is not None:
        claims["c_hash"] = _half_hash(issue.code)
    if issue.provider.is_apple:
        return claims | _apple_claims(issue)
    return claims | {"azp": issue.provider.client_id} | google_profile(issue.person, issue.scopes)


def google_profile(person: Person, scopes: frozenset[str]) -> dict[str, Any]:
    """Return the claims about a person that Google puts into ID tokens and answers at its userinfo."""
    claims: dict[str, Any] = {}
    if "profile" in scopes:
        name = person.first_name
        claims |= {"name": f"{name} Sandbox", "given_name": name, "family_name": "Sandbox"}
    if "email" in scopes:
        claims |= {"email": person.email, "email_verified": True}
    if person.email.lower().endswith("@sandbox.test"):
        claims["hd"] = "sandbox.test"
    return claims


def _apple_claims(issue: Issue) -> dict[str, Any]:
    claims: dict[str, Any] = {
        "auth_time": int(issue.now.timestamp()),
        "nonce_supported": True,
        "real_user_status": 2,
    }
    if "email" in issue.scopes:
        relayed = "true" if issue.person.is_relayed else "false"
        claims |= {"email": issue.person.email, "email_verified": "true", "is_private_email": relayed}
    return claims


def _with_lies(issue: Issue, claims: dict[str, Any]) -> dict[str, Any]:
    client_id, issued = issue.provider.client_id, claims["iat"]
    changed: dict[str, dict[str, Any]] = {
        "unverified": {"email_verified": "false" if issue.provider.is_apple else False},
        "expired": {"iat": issued - 2 * LIFETIME_S, "exp": issued - LIFETIME_S},
        "from-the-future": {"iat": issued + LIFETIME_S, "exp": issued + 2 * LIFETIME_S},
        "wrong-iss": {"iss": "https://issuer.invalid"},
        "wrong-aud": {"aud": "another-client", "azp": "another-client"},
        "wrong-nonce": {"nonce": "not-the-nonce-that-was-sent"},
        "old-iss": {"iss": issue.provider.issuer.partition("://")[2]},
        "many-aud": {"aud": [client_id, "another-client"], "azp": "another-client"},
        "wrong-at-hash": {"at_hash": _half_hash("another access token")},
        "swapped-types": _swapped(claims, "email_verified", "is_private_email"),
    }
    missing = {
        "no-email": {"email", "email_verified", "is_private_email", "hd"},
        "no-nonce": {"nonce"},
        "no-sub": {"sub"},
    }.get(issue.person.fault, set[str]())
    lied = claims | changed.get(issue.person.fault, {})
    return {name: value for name, value in lied.items() if name not in missing}


def _swapped(claims: dict[str, Any], *names: str) -> dict[str, bool | str]:
    given = {name: claims[name] for name in names if name in claims}
    return {name: value == "true" if isinstance(value, str) else str(value).lower() for name, value in given.items()}


def _sign(keys: SigningKeys, claims: dict[str, Any], fault: str) -> str:
    if fault == "alg-none":
        return f"{_unsigned({'alg': 'none', 'typ': 'JWT'}, claims)}."
    key = RSAKey.generate_key(2048, {"kid": "never-published"}) if fault == "unknown-kid" else keys.active()
    if fault == "alg-hs256":
        return _confused(key, claims)
    token = jwt.encode({"alg": "RS256", "kid": str(key.kid)}, claims, key, algorithms=["RS256"])
    if fault == "bad-signature":
        return f"{token.rpartition('.')[0]}.{b64url(bytes(256))}"
    return token


def _confused(key: RSAKey, claims: dict[str, Any]) -> str:
    signed = _unsigned({"alg": "HS256", "kid": str(key.kid)}, claims)
    mac = hmac.new(key.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{b64url(mac)}"


def _unsigned(header: dict[str, str], claims: dict[str, Any]) -> str:
    return f"{b64url(json.dumps(header).encode())}.{b64url(json.dumps(claims).encode())}"


def _half_hash(text: str) -> str:
    return b64url(hashlib.sha256(text.encode()).digest()[:16])
