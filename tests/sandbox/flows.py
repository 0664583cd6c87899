"""What a client of the sandbox does, in few words: sign in, connect, call."""

import base64
import hashlib
import re
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from tests.sandbox.conftest import APP, OWN

VERIFIER = "a-verifier-that-is-long-enough-to-be-one-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
TODOIST = "/sandbox/todoist"
API = f"{TODOIST}/api/v1"
SIX_MONTHS_S = 15_777_000


def google_request(**changes: str | None) -> dict[str, str]:
    request = {
        "client_id": "oo-sandbox-google",
        "redirect_uri": f"{APP}/auth/google/callback",
        "response_type": "code",
        "scope": "openid email profile",
        "state": "the-state",
        "nonce": "the-nonce",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changes
    return {name: value for name, value in request.items() if value is not None}


def apple_request(**changes: str | None) -> dict[str, str]:
    apple = {
        "client_id": "oo-sandbox-apple",
        "redirect_uri": f"{APP}/auth/apple/callback",
        "scope": "name email",
        "response_mode": "form_post",
    }
    return google_request(**(apple | changes))


def apple_secret(pem: str, now: int, **changes: Any) -> str:
    claims = {
        "iss": "SANDBOXTEAM",
        "sub": "oo-sandbox-apple",
        "aud": f"{OWN}/sandbox/apple",
        "iat": now,
        "exp": now + 3600,
    }
    header = {"alg": "ES256", "kid": changes.pop("kid", "SANDBOXKEY")}
    return jwt.encode(header, claims | changes, ECKey.import_key(pem), algorithms=["ES256"])


async def sign_in(http: httpx.AsyncClient, provider: str, email: str, **changes: str | None) -> dict[str, str]:
    """Return what the callback receives, whether by redirect or by form."""
    request = google_request(**changes) if provider == "google" else apple_request(**changes)
    answer = await http.post(f"/sandbox/{provider}/authorize", params=request, data={"email": email})
    if answer.status_code == 303:
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    return form_fields(answer.text)


def form_fields(html: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', html)
    return {name: unescape(value) for name, value in found}


async def google_token(http: httpx.AsyncClient, code: str, **changes: str | None) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": "oo-sandbox-google",
        "client_secret": "oo-sandbox-google-secret",
        "redirect_uri": f"{APP}/auth/google/callback",
        "code_verifier": VERIFIER,
    } | changes
    return await http.post("/sandbox/google/token", data={k: v for k, v in form.items() if v is not None})


async def claims_of(http: httpx.AsyncClient, provider: str, id_token: str) -> dict[str, Any]:
    """Return the claims of an ID token whose signature fits the published keys."""
    keys = KeySet.import_key_set((await http.get(f"/sandbox/{provider}/keys")).json())
    return jwt.decode(id_token, keys, algorithms=["RS256"]).claims


@dataclass
class Todoist:
    """An app that a person let into an account."""

    http: httpx.AsyncClient
    tokens: dict[str, Any]

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.http.get(API + path, params=params, headers=self.headers)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.http.post(API + path, json=body, headers=self.headers)

    async def delete(self, path: str) -> httpx.Response:
        return await self.http.delete(API + path, headers=self.headers)

    async def sync(self, token: str = "*", resources: str = '["items"]', **fields: str) -> httpx.Response:
        form = {"sync_token": token, "resource_types": resources} | fields
        return await self.http.post(f"{API}/sync", data=form, headers=self.headers)

    async def task(self, content: str) -> dict[str, Any]:
        found = (await self.get("/tasks", limit=200)).json()["results"]
        return next(task for task in found if task["content"] == content)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}


async def consent(http: httpx.AsyncClient, account: str = "ada", **changes: str) -> dict[str, str]:
    request = {
        "client_id": "oo-sandbox-todoist",
        "scope": "data:read_write,data:delete",
        "state": "the-state",
    } | changes
    form = {"account": account, "answer": "agree"}
    answer = await http.post(f"{TODOIST}/oauth/authorize", params=request, data=form)
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


async def token_call(http: httpx.AsyncClient, **fields: str) -> httpx.Response:
    form = {"client_id": "oo-sandbox-todoist", "client_secret": "oo-sandbox-todoist-secret"} | fields
    return await http.post(f"{TODOIST}/oauth/access_token", data=form)


async def connect(http: httpx.AsyncClient, account: str = "ada", **changes: str) -> Todoist:
    callback = await consent(http, account, **changes)
    client_id = changes.get("client_id", "oo-sandbox-todoist")
    answer = await token_call(http, code=callback["code"], client_id=client_id)
    return Todoist(http, answer.json())
