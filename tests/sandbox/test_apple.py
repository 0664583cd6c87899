import json
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from oo_app.kit.clock import FakeClock
from oo_app.sandbox import apple_private_key
from oo_app.sandbox.signing import b64url, unb64url
from tests.sandbox.conftest import APP
from tests.sandbox.flows import SIX_MONTHS_S, VERIFIER, apple_request, apple_secret, claims_of, sign_in

AUTHORIZE = "/sandbox/apple/authorize"


async def apple_call(http: httpx.AsyncClient, path: str, secret: str, **fields: str) -> httpx.Response:
    form = {"client_id": "oo-sandbox-apple", "client_secret": secret} | fields
    return await http.post(f"/sandbox/apple/{path}", data=form)


async def exchange(http: httpx.AsyncClient, secret: str, code: str) -> httpx.Response:
    fields = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
    return await apple_call(http, "token", secret, redirect_uri=f"{APP}/auth/apple/callback", **fields)


@pytest.fixture
def secret(data_dir: Path, clock: FakeClock) -> str:
    return apple_secret(apple_private_key(data_dir), int(clock.now().timestamp()))


async def test_the_answer_is_a_form_posted_to_the_app_by_itself(http: httpx.AsyncClient):
    page = await http.post(AUTHORIZE, params=apple_request(), data={"email": "ada@sandbox.test"})

    assert f'<form method="post" action="{APP}/auth/apple/callback">' in page.text
    assert "<button>Continue</button>" in page.text
    assert "document.forms[0].submit()" in page.text
    assert f"form-action 'self' {APP}" in page.headers["content-security-policy"]


async def test_the_user_field_comes_the_first_time_only(http: httpx.AsyncClient, secret: str):
    first = await sign_in(http, "apple", "ada@sandbox.test")
    second = await sign_in(http, "apple", "ada@sandbox.test")
    tokens = (await exchange(http, secret, second["code"])).json()
    await apple_call(http, "revoke", secret, token=tokens["refresh_token"])
    after_revocation = await sign_in(http, "apple", "ada@sandbox.test")

    assert json.loads(first["user"])["name"] == {"firstName": "Ada", "lastName": "Sandbox"}
    assert "user" not in second
    assert "user" in after_revocation


async def test_flags_are_texts_and_a_relay_address_is_private(http: httpx.AsyncClient, secret: str):
    callback = await sign_in(http, "apple", "x7k2@privaterelay.appleid.com")
    tokens = (await exchange(http, secret, callback["code"])).json()
    claims = await claims_of(http, "apple", tokens["id_token"])

    assert (claims["email_verified"], claims["is_private_email"]) == ("true", "true")
    assert claims["nonce"] == "the-nonce"


async def test_flags_can_be_booleans_on_demand(http: httpx.AsyncClient, secret: str):
    callback = await sign_in(http, "apple", "swapped-types@lies.test")
    tokens = (await exchange(http, secret, callback["code"])).json()
    claims = await claims_of(http, "apple", tokens["id_token"])

    assert (claims["email_verified"], claims["is_private_email"]) == (True, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"response_mode": None},
        {"response_mode": "query"},
        {"response_mode": "query", "scope": "", "response_type": "code id_token"},
        {"scope": "name email calendar"},
        {"redirect_uri": f"{APP}/auth/google/callback"},
        {"code_challenge": None},
    ],
)
async def test_a_wrong_request_is_refused_on_the_page(http: httpx.AsyncClient, changes: dict[str, str]):
    answer = await http.get(AUTHORIZE, params=apple_request(**changes))

    assert answer.status_code == 400


async def test_without_scopes_the_answer_may_be_a_redirect_with_the_subject_only(http: httpx.AsyncClient, secret: str):
    callback = await sign_in(http, "apple", "ada@sandbox.test", scope="", response_mode="query")
    tokens = (await exchange(http, secret, callback["code"])).json()
    claims = await claims_of(http, "apple", tokens["id_token"])

    assert "user" not in callback
    assert "email" not in claims


async def test_an_id_token_may_come_with_the_code(http: httpx.AsyncClient):
    callback = await sign_in(http, "apple", "ada@sandbox.test", response_type="code id_token")

    assert "c_hash" in await claims_of(http, "apple", callback["id_token"])


async def test_cancelling_is_posted_back(http: httpx.AsyncClient):
    answer = await http.post(AUTHORIZE, params=apple_request(), data={"cancel": "1"})

    assert 'name="error" value="user_cancelled_authorize"' in answer.text
    assert 'name="state" value="the-state"' in answer.text


async def test_refreshing_gives_new_tokens_but_no_new_refresh_token(http: httpx.AsyncClient, secret: str):
    callback = await sign_in(http, "apple", "ada@sandbox.test")
    tokens = (await exchange(http, secret, callback["code"])).json()
    fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    refreshed = (await apple_call(http, "token", secret, **fields)).json()
    await apple_call(http, "revoke", secret, token=tokens["refresh_token"])
    after_revocation = await apple_call(http, "token", secret, **fields)
    again = await apple_call(http, "revoke", secret, token=tokens["refresh_token"])

    assert "id_token" in refreshed
    assert "refresh_token" not in refreshed
    assert after_revocation.json()["error"] == "invalid_grant"
    assert again.status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "ANOTHERTEAM"},
        {"sub": "oo-sandbox-google"},
        {"aud": "https://appleid.apple.com"},
        {"kid": "ANOTHERKEY"},
        {"exp": 0},
        {"exp": None},
        {"iat": 4_000_000_000, "exp": 4_000_003_600},
    ],
)
async def test_a_wrong_client_secret_is_refused(
    http: httpx.AsyncClient, data_dir: Path, clock: FakeClock, changes: dict[str, object]
):
    secret = apple_secret(apple_private_key(data_dir), int(clock.now().timestamp()), **changes)

    answer = await exchange(http, secret, "any")

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


async def test_a_client_secret_lasts_six_months_at_most(http: httpx.AsyncClient, data_dir: Path, clock: FakeClock):
    now, pem = int(clock.now().timestamp()), apple_private_key(data_dir)
    longest = await exchange(http, apple_secret(pem, now, exp=now + SIX_MONTHS_S), "any")
    too_long = await exchange(http, apple_secret(pem, now, exp=now + SIX_MONTHS_S + 1), "any")

    assert longest.json()["error"] == "invalid_grant"
    assert too_long.json()["error"] == "invalid_client"


async def test_a_secret_signed_with_another_key_or_as_der_is_refused(
    http: httpx.AsyncClient, secret: str, clock: FakeClock
):
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    foreign = apple_secret(pem, int(clock.now().timestamp()))
    signed, _, signature = secret.rpartition(".")
    raw = unb64url(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    for wrong in (foreign, f"{signed}.{b64url(der)}", "nonsense", "", "a.b.c", "W10.e30.x"):
        assert (await exchange(http, wrong, "any")).json()["error"] == "invalid_client"


def test_the_private_key_is_made_once_and_kept_private(tmp_path: Path):
    key = apple_private_key(tmp_path / "data")

    assert key == apple_private_key(tmp_path / "data")
    assert "BEGIN PRIVATE KEY" in key
    assert (tmp_path / "data" / "sandbox.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["sandbox.json"]
