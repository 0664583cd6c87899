from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc.errors import JoseError

from oo_app.kit.clock import FakeClock
from tests.sandbox.conftest import APP, OWN, client_of, mounted
from tests.sandbox.flows import VERIFIER, claims_of, google_request, google_token, sign_in

AUTHORIZE = "/sandbox/google/authorize"


async def id_token_for(http: httpx.AsyncClient, email: str) -> str:
    callback = await sign_in(http, "google", email)
    return (await google_token(http, callback["code"])).json()["id_token"]


async def test_discovery_names_addresses_below_the_issuer(http: httpx.AsyncClient):
    found = (await http.get("/sandbox/google/.well-known/openid-configuration")).json()

    assert found["issuer"] == f"{OWN}/sandbox/google"
    assert found["token_endpoint"] == f"{OWN}/sandbox/google/token"
    assert found["code_challenge_methods_supported"] == ["S256"]


async def test_the_sign_in_page_says_sandbox_and_has_its_buttons(http: httpx.AsyncClient):
    page = (await http.get(AUTHORIZE, params=google_request())).text

    assert "Sandbox" in page
    assert "stands in for Google" in page
    for name in ("ada", "ben", "admin"):
        assert f">Sign in as {name}@sandbox.test</button>" in page
    assert '<label for="email">Email</label>' in page
    assert ">Sign in</button>" in page
    assert ">Cancel</button>" in page


async def test_signing_in_gives_a_token_with_nonce_and_verified_address(http: httpx.AsyncClient, clock: FakeClock):
    callback = await sign_in(http, "google", "ada@sandbox.test")
    tokens = (await google_token(http, callback["code"])).json()
    claims = await claims_of(http, "google", tokens["id_token"])

    assert callback["state"] == "the-state"
    assert claims["iss"] == f"{OWN}/sandbox/google"
    assert claims["aud"] == "oo-sandbox-google"
    assert claims["nonce"] == "the-nonce"
    assert claims["email"] == "ada@sandbox.test"
    assert claims["email_verified"] is True
    assert claims["exp"] == clock.now().timestamp() + 3600


async def test_the_subject_stays_the_same_for_an_address(http: httpx.AsyncClient):
    subjects = [
        (await claims_of(http, "google", await id_token_for(http, email)))["sub"]
        for email in ("ada@sandbox.test", "Ada@sandbox.test", "ben@sandbox.test")
    ]

    assert subjects[0] == subjects[1] != subjects[2]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "somebody-else"}, "invalid_client"),
        ({"redirect_uri": f"{APP}/auth/google/callback/"}, "redirect_uri_mismatch"),
        ({"redirect_uri": None}, "redirect_uri_mismatch"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"state": None}, "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
    ],
)
async def test_a_wrong_request_is_refused_on_the_page(http: httpx.AsyncClient, changes: dict[str, str], error: str):
    asked = await http.get(AUTHORIZE, params=google_request(**changes))
    answered = await http.post(AUTHORIZE, params=google_request(**changes), data={"email": "ada@sandbox.test"})

    assert (asked.status_code, answered.status_code) == (400, 400)
    assert error in asked.text


async def test_cancelling_tells_the_app_access_denied(http: httpx.AsyncClient):
    answer = await http.post(AUTHORIZE, params=google_request(), data={"cancel": "1"})

    back = urlsplit(answer.headers["location"])
    assert answer.status_code == 303
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"{APP}/auth/google/callback"
    assert dict(parse_qsl(back.query)) == {"error": "access_denied", "state": "the-state"}


async def test_prompt_none_finds_nobody_signed_in(http: httpx.AsyncClient):
    answer = await http.get(AUTHORIZE, params=google_request(prompt="none"))

    assert "error=login_required" in answer.headers["location"]


async def test_text_that_is_no_address_is_refused(http: httpx.AsyncClient):
    answer = await http.post(AUTHORIZE, params=google_request(), data={"email": "nobody"})

    assert answer.status_code == 400


async def test_the_login_hint_is_shown_escaped(http: httpx.AsyncClient):
    page = (await http.get(AUTHORIZE, params=google_request(login_hint='"><script>x</script>'))).text

    assert "<script>x" not in page
    assert "&quot;&gt;&lt;script&gt;" in page


async def test_a_code_works_once_and_its_second_use_ends_the_grant(http: httpx.AsyncClient):
    callback = await sign_in(http, "google", "ada@sandbox.test")
    first = await google_token(http, callback["code"])
    second = await google_token(http, callback["code"])
    bearer = {"Authorization": f"Bearer {first.json()['access_token']}"}
    userinfo = await http.get("/sandbox/google/userinfo", headers=bearer)

    assert first.status_code == 200
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    assert userinfo.status_code == 401


async def test_a_code_ends_after_five_minutes(http: httpx.AsyncClient, clock: FakeClock):
    callback = await sign_in(http, "google", "ada@sandbox.test")
    clock.advance(timedelta(minutes=5))

    answer = await google_token(http, callback["code"])

    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"code_verifier": "another" + VERIFIER}, 400, "invalid_grant"),
        ({"code_verifier": None}, 400, "invalid_grant"),
        ({"redirect_uri": f"{APP}/elsewhere"}, 400, "invalid_grant"),
        ({"code": "made-up"}, 400, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "oo-sandbox-apple"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
async def test_a_wrong_exchange_is_refused(http: httpx.AsyncClient, changes: dict[str, str], status: int, error: str):
    callback = await sign_in(http, "google", "ada@sandbox.test")

    answer = await google_token(http, **({"code": callback["code"]} | changes))

    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_the_secret_may_come_as_basic_authentication(http: httpx.AsyncClient):
    callback = await sign_in(http, "google", "ada@sandbox.test")
    form = {
        "grant_type": "authorization_code",
        "code": callback["code"],
        "redirect_uri": f"{APP}/auth/google/callback",
        "code_verifier": VERIFIER,
    }

    answer = await http.post("/sandbox/google/token", data=form, auth=("oo-sandbox-google", "oo-sandbox-google-secret"))

    assert answer.status_code == 200


async def test_rotation_signs_with_a_new_key_and_keeps_the_old_ones_published(http: httpx.AsyncClient):
    before = await id_token_for(http, "ada@sandbox.test")
    old_keys = (await http.get("/sandbox/google/keys")).json()["keys"]
    kid = (await http.post("/sandbox/google/rotate-keys")).json()["kid"]
    after = await id_token_for(http, "ada@sandbox.test")

    assert len(old_keys) == 2
    assert kid not in {key["kid"] for key in old_keys}
    assert (await claims_of(http, "google", before))["sub"] == (await claims_of(http, "google", after))["sub"]
    assert all("d" not in key for key in (await http.get("/sandbox/google/keys")).json()["keys"])


async def test_keys_and_tokens_survive_a_restart(data_dir: Path, clock: FakeClock):
    async with client_of(mounted(data_dir, clock)) as before:
        callback = await sign_in(before, "google", "ada@sandbox.test", access_type="offline")
        tokens = (await google_token(before, callback["code"])).json()
    async with client_of(mounted(data_dir, clock)) as after:
        refreshed = await google_token(after, "", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        claims = await claims_of(after, "google", tokens["id_token"])

    assert refreshed.status_code == 200
    assert claims["email"] == "ada@sandbox.test"


async def test_revoking_ends_every_token(http: httpx.AsyncClient):
    callback = await sign_in(http, "google", "ada@sandbox.test", access_type="offline")
    tokens = (await google_token(http, callback["code"])).json()
    revoked = await http.post("/sandbox/google/revoke", data={"token": tokens["access_token"]})
    again = await http.post("/sandbox/google/revoke", data={"token": tokens["access_token"]})
    refreshed = await google_token(http, "", grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    assert (revoked.status_code, again.status_code) == (200, 400)
    assert refreshed.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("fault", "claim", "lie"),
    [
        ("unverified", "email_verified", False),
        ("wrong-iss", "iss", "https://issuer.invalid"),
        ("wrong-aud", "aud", "another-client"),
        ("wrong-nonce", "nonce", "not-the-nonce-that-was-sent"),
        ("old-iss", "iss", "127.0.0.1:8000/sandbox/google"),
        ("many-aud", "azp", "another-client"),
        ("swapped-types", "email_verified", "true"),
        ("no-email", "email", None),
        ("no-nonce", "nonce", None),
        ("no-sub", "sub", None),
    ],
)
async def test_an_address_can_ask_for_a_lie(http: httpx.AsyncClient, fault: str, claim: str, lie: object):
    claims = await claims_of(http, "google", await id_token_for(http, f"{fault}@lies.test"))

    assert claims.get(claim) == lie


async def test_times_can_lie(http: httpx.AsyncClient, clock: FakeClock):
    expired = await claims_of(http, "google", await id_token_for(http, "expired+1@lies.test"))
    early = await claims_of(http, "google", await id_token_for(http, "from-the-future@lies.test"))

    assert expired["exp"] < clock.now().timestamp() < early["iat"]


@pytest.mark.parametrize("fault", ["alg-none", "alg-hs256", "bad-signature", "unknown-kid"])
async def test_a_signature_can_lie(http: httpx.AsyncClient, fault: str):
    token = await id_token_for(http, f"{fault}@lies.test")

    with pytest.raises((JoseError, ValueError)):
        await claims_of(http, "google", token)


async def test_the_token_endpoint_can_fail_or_forget_the_id_token(http: httpx.AsyncClient):
    failing = await sign_in(http, "google", "token-error@lies.test")
    forgetting = await sign_in(http, "google", "no-id-token@lies.test")

    assert (await google_token(http, failing["code"])).status_code == 503
    assert "id_token" not in (await google_token(http, forgetting["code"])).json()
