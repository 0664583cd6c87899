"""The sandbox's Google and Apple: OpenID providers that check what the real ones check (lies: `oidc_tokens`)."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import unquote_plus, urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from oo_app.kit.clock import Clock
from oo_app.sandbox.apple_secret import is_valid_secret
from oo_app.sandbox.oidc_consent import asks_for_more, consent_page, ticked
from oo_app.sandbox.oidc_grants import ACCESS_LIFETIME_S, Grants, Token
from oo_app.sandbox.oidc_keys import SigningKeys
from oo_app.sandbox.oidc_request import AuthorizationRequest, Provider, Refused, read_request
from oo_app.sandbox.oidc_tokens import Issue, Person, google_profile, id_token
from oo_app.sandbox.pages import SUBMIT_SCRIPT, hidden_fields, page, refusal_page
from oo_app.sandbox.signing import b64url
from oo_app.sandbox.state_file import StateFile

GOOGLE_SECRET = "oo-sandbox-google-secret"  # noqa: S105  (not a secret: a fixed word of the sandbox)
PEOPLE = ("ada@sandbox.test", "ben@sandbox.test", "admin@sandbox.test")
CACHEABLE = {"Cache-Control": "public, max-age=3600"}
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class OidcProvider:
    """The endpoints of one provider."""

    def __init__(self, provider: Provider, file: StateFile, clock: Clock) -> None:
        """Serve this provider with keys and secrets from the file."""
        self._provider = provider
        self._file = file
        self._clock = clock
        self._keys = SigningKeys(file, provider.name)
        self.grants = Grants(provider, file)
        self._consented: set[str] = set()

    def routes(self) -> Sequence[Route]:
        """Return the routes below the issuer."""
        routes = [
            Route("/.well-known/openid-configuration", self._discovery, methods=["GET"]),
            Route("/authorize", self._ask, methods=["GET"]),
            Route("/authorize", self._answer, methods=["POST"]),
            Route("/token", self._token, methods=["POST"]),
            Route("/keys", self._jwks, methods=["GET"]),
            Route("/revoke", self._revoke, methods=["POST"]),
            Route("/rotate-keys", self._rotate, methods=["POST"]),
        ]
        userinfo = Route("/userinfo", self._userinfo, methods=["GET", "POST"])
        return routes if self._provider.is_apple else [*routes, userinfo]

    async def _discovery(self, _: Request) -> Response:
        return JSONResponse(_configuration(self._provider), headers=CACHEABLE)

    async def _jwks(self, _: Request) -> Response:
        return JSONResponse(self._keys.jwks(), headers=CACHEABLE)

    async def _rotate(self, _: Request) -> Response:
        return JSONResponse({"kid": self._keys.rotate()})

    async def _ask(self, request: Request) -> Response:
        asked = read_request(self._provider, request.query_params)
        if isinstance(asked, Refused):
            return self._refuse(asked)
        if "none" in asked.prompts:
            return self._send_back(asked, {"error": "login_required"})
        if asks_for_more(asked):
            return consent_page(self._provider, asked, PEOPLE)
        return self._sign_in_page(asked)

    async def _answer(self, request: Request) -> Response:
        asked = read_request(self._provider, request.query_params)
        if isinstance(asked, Refused):
            return self._refuse(asked)
        form = await request.form()
        if "cancel" in form:
            error = "user_cancelled_authorize" if self._provider.is_apple else "access_denied"
            return self._send_back(asked, {"error": error})
        email = _text(form, "email").strip()
        if not _is_address(email):
            return self._refuse(Refused("invalid_email", "This is not an e-mail address."))
        if asks_for_more(asked):
            asked = replace(asked, scopes=ticked(asked, [str(box) for box in form.getlist("scope")]))
        return self._send_back(asked, self._grant(asked, Person(email)))

    def _grant(self, asked: AuthorizationRequest, person: Person) -> dict[str, str]:
        now = self._clock.now()
        code = self.grants.issue_code(asked, person, now)
        answer = {"code": code}
        if not self._provider.is_apple:
            return answer | {"scope": " ".join(_google_scopes(asked.scopes)), "authuser": "0", "prompt": "consent"}
        if asked.response_type == "code id_token":
            issue = Issue(self._provider, person, asked.scopes, asked.nonce, now, None, code)
            answer["id_token"] = id_token(self._keys, issue)
        if self._is_first_time(person) and asked.scopes & {"name", "email"}:
            answer["user"] = json.dumps(_apple_user(person, asked.scopes))
        self._consented.add(person.email.lower())
        return answer

    def _is_first_time(self, person: Person) -> bool:
        return person.email.lower() not in self._consented

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        if not self._is_client(request, form):
            return self._client_refused()
        match _text(form, "grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(form)
            case _:
                return _error("unsupported_grant_type", "The grant_type is not known.")

    def _exchange(self, form: FormData) -> Response:
        code = self.grants.spend_code(_text(form, "code"), self._clock.now())
        if code is None:
            return _error("invalid_grant", "The code has expired or has been revoked.")
        if _text(form, "redirect_uri") != code.request.redirect_uri:
            return _error("invalid_grant", "The redirect_uri is not the one of the authorization request.")
        if not _fits(code.request.challenge, _text(form, "code_verifier")):
            return _error("invalid_grant", "The code_verifier does not fit the code_challenge.")
        if code.person.fault == "token-error":
            return JSONResponse({"error": "temporarily_unavailable"}, status_code=503)
        token = Token(code.person, code.request.scopes)
        return JSONResponse(self._tokens(token, code.request), headers=NOT_STORED)

    def _tokens(self, token: Token, asked: AuthorizationRequest) -> dict[str, Any]:
        answer = self._access_answer(token, asked.nonce or None)
        if self._provider.is_apple:
            return answer | {"refresh_token": self.grants.issue_token("refresh", token, self._clock.now())}
        if asked.is_offline and (self._is_first_time(token.person) or "consent" in asked.prompts):
            answer["refresh_token"] = self.grants.issue_token("refresh", token, self._clock.now())
        self._consented.add(token.person.email.lower())
        return answer

    def _access_answer(self, token: Token, nonce: str | None) -> dict[str, Any]:
        now = self._clock.now()
        access = self.grants.issue_token("access", token, now)
        answer: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": ACCESS_LIFETIME_S}
        if not self._provider.is_apple:
            answer["scope"] = " ".join(_google_scopes(token.scopes))
        if token.person.fault != "no-id-token" and (self._provider.is_apple or "openid" in token.scopes):
            issue = Issue(self._provider, token.person, token.scopes, nonce, now, access, None)
            answer["id_token"] = id_token(self._keys, issue)
        return answer

    def _refresh(self, form: FormData) -> Response:
        token = self.grants.open_token("refresh", _text(form, "refresh_token"), self._clock.now())
        if token is None:
            return _error("invalid_grant", "Token has been expired or revoked.")
        return JSONResponse(self._access_answer(token, None), headers=NOT_STORED)

    async def _revoke(self, request: Request) -> Response:
        form = await request.form()
        if self._provider.is_apple and not self._is_client(request, form):
            return self._client_refused()
        text, now = _text(form, "token"), self._clock.now()
        token = self.grants.open_token("refresh", text, now) or self.grants.open_token("access", text, now)
        if token is not None:
            self.grants.revoke(token.person)
            self._consented.discard(token.person.email.lower())
        elif not self._provider.is_apple:
            return JSONResponse({"error": "invalid_token"}, status_code=400)
        return Response(status_code=200)

    async def _userinfo(self, request: Request) -> Response:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        token = self.grants.open_token("access", text, self._clock.now())
        if scheme.lower() != "bearer" or token is None:
            return JSONResponse({"error": "invalid_token"}, 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return JSONResponse({"sub": token.person.subject(self._provider)} | google_profile(token.person, token.scopes))

    def _is_client(self, request: Request, form: FormData) -> bool:
        client_id, secret = _credentials(request, form)
        if client_id != self._provider.client_id:
            return False
        if self._provider.is_apple:
            return is_valid_secret(secret, self._file.read("apple_private_key"), self._provider, self._clock.now())
        return hmac.compare_digest(secret.encode(), GOOGLE_SECRET.encode())

    def _client_refused(self) -> Response:
        status = 400 if self._provider.is_apple else 401
        return _error("invalid_client", "The client is unknown or its secret is wrong.", status)

    def _refuse(self, refused: Refused) -> Response:
        return refusal_page(refused.sentence, refused.code, posts_to=self._provider.app_url)

    def _send_back(self, asked: AuthorizationRequest, answer: dict[str, str]) -> Response:
        fields = answer | {"state": asked.state}
        if asked.response_mode == "form_post":
            form = f'<form method="post" action="{escape(asked.redirect_uri)}">{hidden_fields(fields)}'
            body = f"{form}<p>Back to the app.</p><button>Continue</button></form>"
            return page("Continue", body, posts_to=self._provider.app_url, script=SUBMIT_SCRIPT)
        return RedirectResponse(f"{asked.redirect_uri}?{urlencode(fields)}", status_code=303)

    def _sign_in_page(self, asked: AuthorizationRequest) -> Response:
        buttons = "".join(f'<button name="email" value="{email}">Sign in as {email}</button>' for email in PEOPLE)
        body = (
            f"<p>This page stands in for {self._provider.title}. Nothing typed here leaves this machine.</p>"
            f'<form method="post">{buttons}</form>'
            '<form method="post"><label for="email">Email</label><input id="email" name="email" type="email" '
            f'autocomplete="email" required value="{escape(asked.login_hint)}"><button>Sign in</button></form>'
            '<form method="post"><button name="cancel" value="1">Cancel</button></form>'
        )
        return page(f"Sign in with {self._provider.title}", body, posts_to=self._provider.app_url)


def _configuration(provider: Provider) -> dict[str, Any]:
    issuer = provider.issuer
    common: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "revocation_endpoint": f"{issuer}/revoke",
        "jwks_uri": f"{issuer}/keys",
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    return common | (_APPLE_CONFIGURATION if provider.is_apple else _google_configuration(issuer))


_APPLE_CONFIGURATION: dict[str, Any] = {
    "response_types_supported": ["code"],
    "response_modes_supported": ["query", "fragment", "form_post"],
    "subject_types_supported": ["pairwise"],
    "scopes_supported": ["openid", "email", "name"],
    "token_endpoint_auth_methods_supported": ["client_secret_post"],
    "claims_supported": ["aud", "email", "email_verified", "exp", "iat", "is_private_email", "iss", "nonce", "sub"],
}


def _google_configuration(issuer: str) -> dict[str, Any]:
    return {
        "userinfo_endpoint": f"{issuer}/userinfo",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            "aud",
            "email",
            "email_verified",
            "exp",
            "family_name",
            "given_name",
            "iat",
            "iss",
            "name",
            "sub",
        ],
    }


def _google_scopes(scopes: frozenset[str]) -> list[str]:
    prefix = "https://www.googleapis.com/auth/userinfo."
    return [f"{prefix}{scope}" if scope in {"email", "profile"} else scope for scope in sorted(scopes)]


def _apple_user(person: Person, scopes: frozenset[str]) -> dict[str, Any]:
    user: dict[str, Any] = {}
    if "name" in scopes:
        user["name"] = {"firstName": person.first_name, "lastName": "Sandbox"}
    if "email" in scopes:
        user["email"] = person.email
    return user


def _credentials(request: Request, form: FormData) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return _text(form, "client_id"), _text(form, "client_secret")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)


def _fits(challenge: str, verifier: str) -> bool:
    return hmac.compare_digest(b64url(hashlib.sha256(verifier.encode()).digest()), challenge)


def _is_address(email: str) -> bool:
    local, _, domain = email.rpartition("@")
    return bool(local and domain) and len(email) <= 254 and email.isprintable() and " " not in email


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _error(code: str, description: str, status: int = 400) -> JSONResponse:
    return JSONResponse({"error": code, "error_description": description}, status, NOT_STORED)
