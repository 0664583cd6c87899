"""How an app gets into the sandbox's Todoist: the consent page, token exchange, refresh, revocation."""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote_plus, urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from oo_app.sandbox.faults import Faults
from oo_app.sandbox.pages import page
from oo_app.sandbox.todoist_grants import CLIENT_ID, CLIENT_SECRET, LEGACY_CLIENT_ID, Code, Grants

ACCOUNTS = ("ada", "ben", "author", "new")
ACCOUNT_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
CLIENTS = frozenset({CLIENT_ID, LEGACY_CLIENT_ID})
SCOPES = frozenset({"task:add", "data:read", "data:read_write", "data:delete", "project:delete", "backups:read"})


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorization request that passed every check."""

    client_id: str
    scopes: frozenset[str]
    state: str
    redirect_uri: str | None


class TodoistAuth:
    """The OAuth endpoints."""

    def __init__(self, app_url: str, grants: Grants, faults: Faults) -> None:
        """Know the one registered redirect URI."""
        self._faults = faults
        self._app_url = app_url
        self._callback = f"{app_url}/connect/todoist/callback"
        self._grants = grants

    def routes(self) -> Sequence[Route]:
        """Return the routes below /sandbox/todoist."""
        return (
            Route("/oauth/authorize", self._ask, methods=["GET"]),
            Route("/oauth/authorize", self._answer, methods=["POST"]),
            Route("/oauth/access_token", self._token, methods=["POST"]),
            Route("/api/v1/access_tokens", self._revoke_by_query, methods=["DELETE"]),
            Route("/api/v1/revoke", self._revoke_by_form, methods=["POST"]),
        )

    async def _ask(self, request: Request) -> Response:
        asked = self._read(request.query_params)
        return asked if isinstance(asked, Response) else self._consent_page(asked)

    async def _answer(self, request: Request) -> Response:
        asked = self._read(request.query_params)
        if isinstance(asked, Response):
            return asked
        form = await request.form()
        if form.get("answer") != "agree":
            return self._send_back(asked.state, {"error": "access_denied"})
        account = str(form.get("account", ""))
        if not ACCOUNT_NAME.fullmatch(account):
            return _error("invalid_request", "unknown account")
        code = Code(account, asked.client_id, asked.scopes, asked.redirect_uri, self._grants.code_end())
        return self._send_back(asked.state, {"code": self._grants.issue_code(code)})

    def _read(self, query: QueryParams) -> Asked | Response:
        client_id, redirect_uri, state = query.get("client_id", ""), query.get("redirect_uri"), query.get("state")
        # As at Todoist, these two are answered to the browser: nobody is sent to an address that is not registered.
        if client_id not in CLIENTS:
            return _error("invalid_client", "client_id is not registered")
        if redirect_uri not in {None, self._callback}:
            return _error("invalid_redirect_uri", f"redirect_uri is not {self._callback}")
        if not state or query.get("response_type", "code") != "code":
            return _error("invalid_request", "state is required, and response_type can only be code")
        scopes = frozenset(query.get("scope", "").split(","))
        if not scopes <= SCOPES:
            return self._send_back(state, {"error": "invalid_scope"})
        return Asked(client_id, scopes, state, redirect_uri)

    def _send_back(self, state: str, answer: dict[str, str]) -> Response:
        return RedirectResponse(f"{self._callback}?{urlencode(answer | {'state': state})}", status_code=303)

    def _consent_page(self, asked: Asked) -> Response:
        options = "".join(f'<option value="{name}">{name}</option>' for name in ACCOUNTS)
        scopes = ", ".join(sorted(asked.scopes))
        body = (
            "<p>This page stands in for Todoist. Its tasks are made up and stay on this machine.</p>"
            f"<p>oO asks for: {scopes}.</p>"
            '<form method="post"><label for="account">Account</label>'
            f'<select id="account" name="account">{options}</select>'
            '<button name="answer" value="agree">Agree</button>'
            '<button name="answer" value="cancel">Cancel</button></form>'
        )
        return page("Let oO use your Todoist?", body, posts_to=self._app_url)

    async def _token(self, request: Request) -> Response:
        await self._faults.meet(request.url.path)
        fields = await _fields(request)
        client_id = _client(fields.get("client_id", ""), fields.get("client_secret", ""))
        if client_id is None:
            return _error("incorrect_application_credentials", "client_id or client_secret is wrong")
        if fields.get("grant_type") == "refresh_token":
            answer = self._grants.refresh(fields.get("refresh_token", ""), client_id)
            return JSONResponse(answer) if answer else _error("invalid_grant", "the refresh token is over")
        grant = self._grants.spend_code(fields.get("code", ""), client_id, fields.get("redirect_uri"))
        if grant is None:
            return _error("bad_authorization_code", "the code is wrong, used or over")
        return JSONResponse(self._grants.answer(grant, with_refresh_token=True))

    async def _revoke_by_query(self, request: Request) -> Response:
        await self._faults.meet(request.url.path)
        query = request.query_params
        client_id = _client(query.get("client_id", ""), query.get("client_secret", ""))
        return self._revoke(client_id, query.get("access_token", ""))

    async def _revoke_by_form(self, request: Request) -> Response:
        await self._faults.meet(request.url.path)
        fields = await _fields(request)
        return self._revoke(_client(*_basic(request)), fields.get("token", ""))

    def _revoke(self, client_id: str | None, token: str) -> Response:
        if client_id is None:
            return _error("incorrect_application_credentials", "client_id or client_secret is wrong")
        if self._grants.is_refresh_token(token):
            return _error("unsupported_token_type", "only access tokens can be revoked", 403)
        self._grants.revoke_token(token, client_id)
        return JSONResponse(None)


async def _fields(request: Request) -> Mapping[str, str]:
    # The official client of Todoist sends JSON, the documentation says form: both are taken.
    if not request.headers.get("content-type", "").startswith("application/json"):
        form = await request.form()
        return {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        body: Any = json.loads(await request.body())
    except ValueError:
        return {}
    items = cast("dict[str, Any]", body).items() if isinstance(body, dict) else ()
    return {name: value for name, value in items if isinstance(value, str)}


def _client(client_id: str, secret: str) -> str | None:
    is_right = hmac.compare_digest(secret.encode(), CLIENT_SECRET.encode())
    return client_id if is_right and client_id in CLIENTS else None


def _basic(request: Request) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)


def _error(code: str, description: str, status: int = 400) -> JSONResponse:
    return JSONResponse({"error": code, "error_description": description}, status)
