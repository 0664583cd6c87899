"""Sign-in with Google and Apple: OpenID Connect code flow with PKCE (OpenID Connect Core 1.0, RFC 7636)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal, cast

from authlib.oauth2.rfc6749 import parameters
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from oo_app.accounts.flows import Begun, Taken
from oo_app.kit.config import GOOGLE_ISSUER, Settings
from oo_app.kit.errors import Invalid, NotFound, SourceDown
from oo_app.kit.http import Answer
from oo_app.runtime import Runtime

Provider = Literal["google", "apple"]
TITLES: Mapping[Provider, str] = {"google": "Google", "apple": "Apple"}
LEEWAY_S = 60
CACHED_FOR = timedelta(hours=1)
AT_ONCE = timedelta(0)
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
APPLE_SECRET_LIFETIME = timedelta(minutes=10)
LONGEST_SUBJECT = 255


@dataclass(frozen=True, slots=True)
class Person:
    """What a validated id token says. `refresh_token` is kept for Apple, whose revocation needs it."""

    issuer: str
    subject: str
    email: str
    refresh_token: str | None


@dataclass(frozen=True, slots=True)
class _Known:
    """A provider's published metadata and keys."""

    metadata: Mapping[str, Any]
    keys: KeySet


async def authorization_url(rt: Runtime, provider: Provider, begun: Begun) -> str:
    """Return where to send the browser; NotFound when the provider has no credentials."""
    if not is_available(rt.settings, provider):
        msg = f"Sign-in with {TITLES[provider]} is not set up here"
        raise NotFound(msg)
    known = await _read(rt, issuer(rt.settings, provider))
    authlib: Any = parameters  # untyped
    url: str = authlib.prepare_grant_uri(
        str(known.metadata["authorization_endpoint"]),
        _client_id(rt.settings, provider),
        "code",
        redirect_uri=_redirect_uri(rt, provider),
        state=begun.state,
        nonce=begun.nonce,
        code_challenge=begun.challenge,
        code_challenge_method="S256",
        **_EXTRA[provider],
    )
    return url.replace("+", "%20")  # Apple wants its spaces so; a plus itself travels as %2B


async def identify(rt: Runtime, provider: Provider, code: str, taken: Taken) -> Person:
    """Exchange the code and validate the id token; Invalid when anything about it is wrong."""
    known = await _read(rt, issuer(rt.settings, provider))
    token = await _exchange(rt, provider, known, code=code, verifier=taken.verifier)
    claims = await _validated(rt, provider, known, token=token, nonce=taken.nonce)
    refresh_token = token.get("refresh_token")
    return Person(
        issuer=issuer(rt.settings, provider),
        subject=_subject(claims),
        email=_verified_email(claims),
        refresh_token=refresh_token if provider == "apple" and isinstance(refresh_token, str) else None,
    )


async def revoke_identity(rt: Runtime, provider: Provider, refresh_token: str) -> None:
    """Tell the provider that the person left (Apple asks for it); SourceDown when it does not answer."""
    endpoint = (await _metadata(rt, issuer(rt.settings, provider))).get("revocation_endpoint")
    if not isinstance(endpoint, str):
        raise SourceDown(_silent(provider))
    form = {
        "client_id": _client_id(rt.settings, provider),
        "client_secret": _client_secret(rt, provider),
        "token": refresh_token,
        "token_type_hint": "refresh_token",
    }
    answer = await rt.http.send("POST", endpoint, form=form)
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise SourceDown(None, status=answer.status)


async def _exchange(rt: Runtime, provider: Provider, known: _Known, *, code: str, verifier: str) -> Mapping[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": _redirect_uri(rt, provider),
        "client_id": _client_id(rt.settings, provider),
        "client_secret": _client_secret(rt, provider),
    }
    answer = await rt.http.send("POST", known.metadata["token_endpoint"], form=form)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SourceDown(_silent(provider), status=answer.status)
    token = _object(answer, provider)
    if answer.status != HTTPStatus.OK or "error" in token:
        msg = f"{TITLES[provider]} did not accept that sign-in. Please try again."
        raise Invalid(msg, code="untrusted", cause=str(token.get("error"))[:100])
    return token


def _object(answer: Answer, provider: Provider) -> Mapping[str, Any]:
    data = answer.json()
    if not isinstance(data, dict):
        raise SourceDown(_silent(provider), status=answer.status)
    return cast("Mapping[str, Any]", data)


def _silent(provider: Provider) -> str:
    return f"{TITLES[provider]} did not answer. Please try again in a moment."


async def _validated(
    rt: Runtime, provider: Provider, known: _Known, *, token: Mapping[str, Any], nonce: str
) -> Mapping[str, Any]:
    try:
        decoded = await _decode(rt, provider, known, str(token.get("id_token", "")))
        claims: Any = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "values": _issuers(rt.settings, provider)},
                "aud": {"essential": True, "value": _client_id(rt.settings, provider)},
            },
            params={
                "nonce": nonce,
                "client_id": _client_id(rt.settings, provider),
                "access_token": token.get("access_token"),
            },
        )
        claims.validate(now=int(rt.clock.now().timestamp()), leeway=LEEWAY_S)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        msg = f"The answer from {TITLES[provider]} could not be trusted. Please try again."
        raise Invalid(msg, code="untrusted", cause=type(error).__name__) from error
    return decoded.claims


async def _decode(rt: Runtime, provider: Provider, known: _Known, id_token: str) -> jwt.Token:
    try:
        return jwt.decode(id_token, known.keys, algorithms=["RS256"])
    except (JoseError, ValueError):
        # Keys rotate: one fresh look at them before refusing.
        fresh = await _read(rt, issuer(rt.settings, provider), keys_for_at_most=AT_ONCE)
        return jwt.decode(id_token, fresh.keys, algorithms=["RS256"])


async def _read(rt: Runtime, address: str, *, keys_for_at_most: timedelta = CACHED_FOR) -> _Known:
    metadata = await _metadata(rt, address)
    keys = await _fetch(rt, metadata["jwks_uri"], keys_for_at_most)
    try:
        # A set may hold kinds of keys that nobody here knows yet (RFC 7517, section 5); RS256 needs RSA only.
        usable = [key for key in keys["keys"] if key.get("kty") == "RSA"]
        return _Known(metadata, KeySet.import_key_set(cast("Any", {"keys": usable})))
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = "The sign-in service's keys could not be read"
        raise SourceDown(msg, cause=type(error).__name__) from error


async def _metadata(rt: Runtime, address: str) -> Mapping[str, Any]:
    """Return the provider's description of itself; a copy that is no use is not kept for an hour."""
    url = f"{address}/.well-known/openid-configuration"
    for for_at_most in (CACHED_FOR, AT_ONCE):
        metadata = await _fetch(rt, url, for_at_most)
        if metadata.get("issuer") == address and all(isinstance(metadata.get(name), str) for name in ENDPOINTS):
            return metadata
    msg = "The sign-in service's description is not its own"
    raise SourceDown(msg)


def issuer(settings: Settings, provider: Provider) -> str:
    """Return the provider's issuer address."""
    return settings.google_issuer if provider == "google" else settings.apple_issuer


def is_available(settings: Settings, provider: Provider) -> bool:
    """Tell whether the provider has credentials."""
    return bool(_client_id(settings, provider))


_EXTRA: Mapping[Provider, Mapping[str, str]] = {
    "google": {"scope": "openid email", "prompt": "select_account"},
    "apple": {"scope": "email", "response_mode": "form_post"},
}


def _redirect_uri(rt: Runtime, provider: Provider) -> str:
    return f"{rt.settings.base_url}/auth/{provider}/callback"


def _client_id(settings: Settings, provider: Provider) -> str:
    return settings.google_client_id if provider == "google" else settings.apple_client_id


def _client_secret(rt: Runtime, provider: Provider) -> str:
    if provider == "google":
        return rt.settings.google_client_secret.get_secret_value()
    return _apple_secret(rt.settings, rt.clock.now())


def _apple_secret(settings: Settings, now: datetime) -> str:
    """Sign Apple's client secret: a short-lived ES256 statement, made anew for each request."""
    key = ECKey.import_key(settings.apple_private_key.get_secret_value().replace("\\n", "\n"))
    claims = {
        "iss": settings.apple_team_id,
        "sub": settings.apple_client_id,
        "aud": settings.apple_issuer,
        "iat": int(now.timestamp()),
        "exp": int((now + APPLE_SECRET_LIFETIME).timestamp()),
    }
    return jwt.encode({"alg": "ES256", "kid": settings.apple_key_id}, claims, key, algorithms=["ES256"])


def _issuers(settings: Settings, provider: Provider) -> list[str]:
    address = issuer(settings, provider)
    return [address, "accounts.google.com"] if address == GOOGLE_ISSUER else [address]


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        msg = "The sign-in answer names nobody. Please try again."
        raise Invalid(msg, code="untrusted")
    return subject


def _verified_email(claims: Mapping[str, Any]) -> str:
    """Return the address; Apple tells truth as text, and managed accounts may hide it."""
    email = claims.get("email")
    if not isinstance(email, str) or "@" not in email or str(claims.get("email_verified")).lower() != "true":
        msg = "That account's e-mail address is not verified. Please verify it there first."
        raise Invalid(msg, code="unverified")
    return email.strip()


async def _fetch(rt: Runtime, url: str, for_at_most: timedelta) -> Mapping[str, Any]:
    data = await rt.http.cached_json(url, for_at_most)
    if not isinstance(data, dict):
        msg = "The sign-in service does not answer. Please try again in a moment."
        raise SourceDown(msg)
    return cast("Mapping[str, Any]", data)
