"""Apple's client secret: a short-lived ES256 token that the app signs itself. Checked as strictly as by Apple."""

import json
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from oo_app.sandbox.oidc_request import Provider
from oo_app.sandbox.signing import unb64url

TEAM_ID = "SANDBOXTEAM"
KEY_ID = "SANDBOXKEY"
LONGEST = timedelta(seconds=15_777_000)  # six months, Apple's limit
LEEWAY = timedelta(minutes=1)


def is_valid_secret(secret: str, private_key_pem: str, provider: Provider, now: datetime) -> bool:
    """Say whether this is a client secret made with the registered key for this client, and still good."""
    claims = _verified_claims(secret, private_key_pem)
    return claims is not None and _are_right(claims, provider, now)


def _verified_claims(secret: str, private_key_pem: str) -> dict[str, Any] | None:
    # joserfc takes the signature as raw r||s only; DER, a common mistake, fails here as it does at Apple.
    try:
        header = json.loads(unb64url(secret.partition(".")[0]))
        if header.get("alg") != "ES256" or header.get("kid") != KEY_ID:
            return None
        return jwt.decode(secret, ECKey.import_key(private_key_pem), algorithms=["ES256"]).claims
    except (JoseError, ValueError, AttributeError):
        return None


def _are_right(claims: dict[str, Any], provider: Provider, now: datetime) -> bool:
    named = (claims.get("iss"), claims.get("sub"), claims.get("aud"))
    if named != (TEAM_ID, provider.client_id, provider.issuer):
        return False
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not isinstance(expires, int):
        return False
    now_s = now.timestamp()
    return issued <= now_s + LEEWAY.total_seconds() and now_s < expires <= issued + LONGEST.total_seconds()
