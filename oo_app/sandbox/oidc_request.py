"""An authorization request to the sandbox's Google or Apple: what is registered there and what is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.datastructures import QueryParams

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
APPLE_SCOPES = frozenset({"openid", "email", "name"})
PREFIX = "https://www.googleapis.com/auth/"
CONSENTS: Mapping[str, str] = {
    f"{PREFIX}calendar.events.owned.readonly": "See the events on calendars you own",
    f"{PREFIX}calendar.events.readonly": "See the events on all your calendars",
    f"{PREFIX}calendar.readonly": "See and download any calendar you can access",
}
GOOGLE_SCOPES = CONSENTS.keys() | {"openid", "email", "profile"}


@dataclass(frozen=True, slots=True)
class Provider:
    """One stand-in: whom it plays, and the one client registered there.

    `connect_uri` is where more than signing in may be asked for, at Google.
    """

    name: Literal["google", "apple"]
    title: str
    issuer: str
    client_id: str
    redirect_uri: str
    app_url: str
    connect_uri: str | None = None

    @property
    def is_apple(self) -> bool:
        """Say whether Apple's peculiarities apply; otherwise Google's do."""
        return self.name == "apple"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that passed every check."""

    redirect_uri: str
    response_type: str
    response_mode: str
    scopes: frozenset[str]
    state: str
    nonce: str
    challenge: str
    prompts: frozenset[str]
    login_hint: str
    is_offline: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request goes no further; shown on the provider's own page, never sent to the app."""

    code: str
    sentence: str


def read_request(provider: Provider, query: QueryParams) -> AuthorizationRequest | Refused:
    """Check an authorization request as the real provider would, and stricter where an app could forget a defence."""
    refused = _check_client(provider, query) or _check_defences(provider, query) or _check_response(provider, query)
    if refused is not None:
        return refused
    return AuthorizationRequest(
        redirect_uri=query["redirect_uri"],
        response_type=query["response_type"],
        response_mode=query.get("response_mode", "query"),
        scopes=frozenset(query.get("scope", "").split()),
        state=query["state"],
        nonce=query.get("nonce", ""),
        challenge=query["code_challenge"],
        prompts=frozenset(query.get("prompt", "").split()),
        login_hint=query.get("login_hint", ""),
        is_offline=query.get("access_type") == "offline",
    )


def _check_client(provider: Provider, query: QueryParams) -> Refused | None:
    names = [name for name, _ in query.multi_items()]
    if len(names) != len(set(names)):
        return Refused("invalid_request", "A parameter appears twice.")
    if query.get("client_id") != provider.client_id:
        return Refused("invalid_client", f"The client_id is not {provider.client_id}.")
    if query.get("redirect_uri", "") not in {provider.redirect_uri, provider.connect_uri}:
        code = "invalid_request" if provider.is_apple else "redirect_uri_mismatch"
        return Refused(code, f"The redirect_uri is not {provider.redirect_uri}.")
    return None


def _check_defences(provider: Provider, query: QueryParams) -> Refused | None:
    is_sign_in = query.get("redirect_uri") == provider.redirect_uri
    for name in ("state", "nonce") if is_sign_in else ("state",):
        if not query.get(name):
            return Refused("invalid_request", f"The sandbox asks for a {name}.")
    if query.get("code_challenge_method") != "S256":
        return Refused("invalid_request", "The sandbox asks for PKCE with S256.")
    if not CHALLENGE.fullmatch(query.get("code_challenge", "")):
        return Refused("invalid_request", "The code_challenge is not a SHA-256 in base64url.")
    return None


def _check_response(provider: Provider, query: QueryParams) -> Refused | None:
    return _check_apple(query) if provider.is_apple else _check_google(provider, query)


def _check_google(provider: Provider, query: QueryParams) -> Refused | None:
    if query.get("response_type") != "code":
        return Refused("unsupported_response_type", "The sandbox's Google answers response_type=code only.")
    if query.get("response_mode", "query") != "query":
        return Refused("invalid_request", "The sandbox's Google answers response_mode=query only.")
    scopes = set(query.get("scope", "").split())
    if query.get("redirect_uri") == provider.redirect_uri and "openid" not in scopes:
        return Refused("invalid_scope", "The scope does not contain openid.")
    if not scopes or not scopes <= GOOGLE_SCOPES:
        return Refused("invalid_scope", "The sandbox's Google does not know that scope.")
    return None


def _check_apple(query: QueryParams) -> Refused | None:
    scopes = set(query.get("scope", "").split())
    mode = query.get("response_mode", "query")
    response_type = query.get("response_type")
    if response_type not in {"code", "code id_token"}:
        return Refused("unsupported_response_type", "Apple answers code or code id_token.")
    if not scopes <= APPLE_SCOPES:
        return Refused("invalid_scope", "Apple knows the scopes name and email.")
    if mode not in {"query", "form_post"}:
        return Refused("invalid_request", "The sandbox's Apple answers by query or form_post.")
    if mode == "query" and (scopes & {"name", "email"} or response_type != "code"):
        return Refused("invalid_request", "Invalid response mode: name, email and id_token need form_post.")
    return None
