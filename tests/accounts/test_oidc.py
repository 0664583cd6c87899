import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from oo_app.accounts import (
    Begun,
    Person,
    Provider,
    Taken,
    authorization_url,
    begin_flow,
    identify,
    is_available,
    revoke_identity,
)
from oo_app.kit.clock import FakeClock
from oo_app.kit.errors import Invalid, NotFound, SourceDown
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.conftest import Faults
from tests.outside import sent, with_settings

DISCOVERY = "/.well-known/openid-configuration"


async def begin(rt: Runtime, provider: Provider = "google") -> Begun:
    return await begin_flow(rt, f"sign-in:{provider}", "a browser")


def taken(begun: Begun) -> Taken:
    return Taken(nonce=begun.nonce, verifier=begun.verifier, user_id=None)


async def code_for(browser: Browser, begun: Begun, email: str, provider: Provider = "google") -> str:
    """Sign in at the provider, as a person does, and return the code it answers with."""
    url = await authorization_url(browser.rt, provider, begun)
    answer = await browser.client.post(url, data={"email": email})
    if provider == "apple":
        return answer.text.partition('name="code" value="')[2].partition('"')[0]
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


async def person_of(browser: Browser, email: str, provider: Provider = "google") -> Person:
    begun = await begin(browser.rt, provider)
    code = await code_for(browser, begun, email, provider)
    return await identify(browser.rt, provider, code, taken(begun))


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def answering(path: str, change: Callable[[], httpx.Response]) -> Callable[[httpx.Request], httpx.Response | None]:
    return lambda request: change() if request.url.path.endswith(path) else None


async def test_google_is_asked_for_a_code_with_pkce_state_and_nonce(rt: Runtime):
    begun = await begin(rt)

    url = await authorization_url(rt, "google", begun)

    digest = hashlib.sha256(begun.verifier.encode()).digest()
    assert url.startswith(f"{rt.settings.google_issuer}/authorize?")
    assert query_of(url) == {
        "response_type": "code",
        "client_id": "oo-sandbox-google",
        "redirect_uri": "http://localhost:8000/auth/google/callback",
        "scope": "openid email",
        "prompt": "select_account",
        "state": begun.state,
        "nonce": begun.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }


async def test_apple_is_asked_for_the_address_only_and_to_answer_by_post(rt: Runtime):
    asked = query_of(await authorization_url(rt, "apple", await begin(rt, "apple")))

    assert (asked["response_mode"], asked["scope"]) == ("form_post", "email")


async def test_spaces_travel_as_apple_wants_them(rt: Runtime):
    assert "scope=openid%20email" in await authorization_url(rt, "google", await begin(rt, "google"))


@pytest.mark.parametrize("provider", ["google", "apple"])
async def test_the_address_holds_no_secret(rt: Runtime, provider: Provider):
    begun = await begin(rt, provider)

    url = await authorization_url(rt, provider, begun)

    assert begun.verifier not in url
    assert "secret" not in url


async def test_a_provider_with_a_query_in_its_address_keeps_it(rt: Runtime, faults: Faults):
    metadata = described(rt) | {"authorization_endpoint": f"{rt.settings.google_issuer}/authorize?tenant=1"}
    faults.fault = answering(DISCOVERY, lambda: httpx.Response(200, json=metadata))

    url = await authorization_url(rt, "google", await begin(rt))

    assert query_of(url)["tenant"] == "1"
    assert query_of(url)["client_id"] == "oo-sandbox-google"


@pytest.mark.parametrize("provider", ["google", "apple"])
async def test_without_credentials_there_is_no_such_sign_in(rt: Runtime, provider: Provider):
    bare = with_settings(rt, google_client_id="", apple_client_id="")

    assert not is_available(bare.settings, provider)
    with pytest.raises(NotFound):
        await authorization_url(bare, provider, await begin(bare, provider))


async def test_google_tells_who_somebody_is(browser: Browser):
    found = await person_of(browser, "ada@sandbox.test")

    assert (found.issuer, found.email) == (browser.rt.settings.google_issuer, "ada@sandbox.test")
    assert found.subject.isdigit()
    assert found.refresh_token is None


@pytest.mark.parametrize("email", ["ada@sandbox.test", "swapped-types@sandbox.test", "x7k2@privaterelay.appleid.com"])
async def test_apple_tells_who_somebody_is(browser: Browser, email: str):
    found = await person_of(browser, email, "apple")

    assert (found.issuer, found.email) == (browser.rt.settings.apple_issuer, email)
    assert found.refresh_token


async def test_the_verifier_goes_to_the_token_endpoint_and_nowhere_else(browser: Browser):
    begun = await begin(browser.rt)
    await identify(browser.rt, "google", await code_for(browser, begun, "ada@sandbox.test"), taken(begun))

    calls = [call for call in sent(browser.rt, "/google/") if begun.verifier.encode() in call.content]
    assert [call.url.path for call in calls] == ["/sandbox/google/token"]


async def test_a_wrong_verifier_is_refused_by_the_provider(browser: Browser):
    begun, other = await begin(browser.rt), await begin(browser.rt)
    code = await code_for(browser, begun, "ada@sandbox.test")

    with pytest.raises(Invalid) as refused:
        await identify(browser.rt, "google", code, Taken(begun.nonce, other.verifier, None))

    assert refused.value.facts == {"code": "untrusted", "cause": "invalid_grant"}


async def test_a_code_is_taken_once(browser: Browser):
    begun = await begin(browser.rt)
    code = await code_for(browser, begun, "ada@sandbox.test")
    await identify(browser.rt, "google", code, taken(begun))

    with pytest.raises(Invalid, match="did not accept"):
        await identify(browser.rt, "google", code, taken(begun))


@pytest.mark.parametrize("provider", ["google", "apple"])
async def test_the_description_and_the_keys_are_asked_for_once_an_hour(
    browser: Browser, clock: FakeClock, provider: Provider
):
    for _ in range(2):
        await person_of(browser, "ada@sandbox.test", provider)
        clock.advance(timedelta(minutes=30))

    assert len(sent(browser.rt, DISCOVERY)) == len(sent(browser.rt, "/keys")) == 1


async def test_keys_that_rotate_in_the_middle_are_looked_at_afresh(browser: Browser):
    begun = await begin(browser.rt)
    url = await authorization_url(browser.rt, "google", begun)
    (await browser.client.post(f"{browser.rt.settings.google_issuer}/rotate-keys")).raise_for_status()
    code = await code_for(browser, begun, "ada@sandbox.test")

    found = await identify(browser.rt, "google", code, taken(begun))

    assert url
    assert found.email == "ada@sandbox.test"
    assert len(sent(browser.rt, "/keys")) == 2


async def test_a_key_that_is_never_published_is_looked_for_once_and_refused(browser: Browser):
    with pytest.raises(Invalid) as refused:
        await person_of(browser, "unknown-kid@sandbox.test")

    assert refused.value.facts["code"] == "untrusted"
    assert len(sent(browser.rt, "/keys")) == 2


async def test_keys_of_a_kind_nobody_knows_are_passed_over(browser: Browser, faults: Faults):
    keys = (await browser.client.get(f"{browser.rt.settings.google_issuer}/keys")).json()["keys"]
    strange: list[dict[str, Any]] = [{"kty": "AKP", "kid": "new", "alg": "ML-DSA-44", "pub": "AA"}, {"kid": "bare"}]
    faults.fault = answering("/keys", lambda: httpx.Response(200, json={"keys": [*strange, *keys]}))

    assert (await person_of(browser, "ada@sandbox.test")).email == "ada@sandbox.test"


@pytest.mark.parametrize("keys", [{}, [], {"keys": 5}, {"keys": ["x"]}, {"keys": [{"kty": "RSA", "kid": "1"}]}])
async def test_keys_that_cannot_be_read_mean_the_provider_is_down(rt: Runtime, faults: Faults, keys: object):
    faults.fault = answering("/keys", lambda: httpx.Response(200, json=keys))

    with pytest.raises(SourceDown):
        await authorization_url(rt, "google", await begin(rt))


def described(rt: Runtime, **changes: Any) -> dict[str, Any]:
    issuer = rt.settings.google_issuer
    right = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/keys",
    }
    return right | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://issuer.invalid"},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"token_endpoint": 5},
        {"jwks_uri": None},
    ],
)
async def test_a_description_that_is_not_the_providers_own_is_no_description(
    rt: Runtime, faults: Faults, changes: dict[str, Any]
):
    faults.fault = answering(DISCOVERY, lambda: httpx.Response(200, json=described(rt, **changes)))

    with pytest.raises(SourceDown):
        await authorization_url(rt, "google", await begin(rt))


async def test_a_description_that_was_no_use_is_not_kept(rt: Runtime, faults: Faults):
    faults.fault = answering(DISCOVERY, lambda: httpx.Response(200, json={"captive": "portal"}))
    with pytest.raises(SourceDown):
        await authorization_url(rt, "google", await begin(rt))

    faults.fault = None

    assert await authorization_url(rt, "google", await begin(rt))


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b'{"access_token"', b"", b"\xff"])
async def test_a_torn_token_answer_means_the_provider_is_down(browser: Browser, faults: Faults, body: bytes):
    faults.fault = answering("/token", lambda: httpx.Response(200, content=body))

    with pytest.raises(SourceDown):
        await person_of(browser, "ada@sandbox.test")


@pytest.mark.parametrize("token", [{}, {"id_token": None}, {"id_token": 5}, {"id_token": "a.b.c"}, {"id_token": "ä"}])
async def test_a_token_answer_without_a_true_id_token_is_refused(
    browser: Browser, faults: Faults, token: dict[str, Any]
):
    faults.fault = answering("/token", lambda: httpx.Response(200, json=token))

    with pytest.raises(Invalid) as refused:
        await person_of(browser, "ada@sandbox.test")

    assert refused.value.facts["code"] == "untrusted"


@pytest.mark.parametrize("status", [400, 401])
async def test_a_refused_exchange_is_not_an_outage(browser: Browser, faults: Faults, status: int):
    faults.fault = answering("/token", lambda: httpx.Response(status, json={"error": "invalid_client"}))

    with pytest.raises(Invalid) as refused:
        await person_of(browser, "ada@sandbox.test")

    assert refused.value.facts == {"code": "untrusted", "cause": "invalid_client"}


def secret_in(request: httpx.Request) -> tuple[dict[str, Any], dict[str, Any]]:
    secret = parse_qs(request.content.decode())["client_secret"][0]
    header, claims = (json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in secret.split(".")[:2])
    return header, claims


async def test_apple_gets_a_fresh_client_secret_each_time(browser: Browser, clock: FakeClock):
    for _ in range(2):
        clock.advance(timedelta(hours=1))
        await person_of(browser, "ada@sandbox.test", "apple")

    secrets = [secret_in(call) for call in sent(browser.rt, "/apple/token")]
    assert [header for header, _ in secrets] == [{"alg": "ES256", "typ": "JWT", "kid": "SANDBOXKEY"}] * 2
    assert [claims["iat"] for _, claims in secrets] == [
        int((clock.now() - timedelta(hours=1)).timestamp()),
        int(clock.now().timestamp()),
    ]
    assert {claims["exp"] - claims["iat"] for _, claims in secrets} == {600}
    assert {(claims["iss"], claims["sub"], claims["aud"]) for _, claims in secrets} == {
        ("SANDBOXTEAM", "oo-sandbox-apple", browser.rt.settings.apple_issuer)
    }


async def test_a_wrong_apple_team_is_refused_by_apple(browser: Browser):
    wrong = with_settings(browser.rt, apple_team_id="OTHERTEAM")
    browser.rt = wrong

    with pytest.raises(Invalid) as refused:
        await person_of(browser, "ada@sandbox.test", "apple")

    assert refused.value.facts == {"code": "untrusted", "cause": "invalid_client"}


async def test_apple_is_told_when_somebody_leaves(browser: Browser):
    found = await person_of(browser, "ada@sandbox.test", "apple")

    await revoke_identity(browser.rt, "apple", str(found.refresh_token))

    form = {"grant_type": "refresh_token", "refresh_token": str(found.refresh_token), "client_id": "oo-sandbox-apple"}
    form["client_secret"] = parse_qs(sent(browser.rt, "/apple/revoke")[0].content.decode())["client_secret"][0]
    answer = await browser.client.post(f"{browser.rt.settings.apple_issuer}/token", data=form)
    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("status", [400, 503])
async def test_a_revocation_that_was_not_taken_is_told(browser: Browser, faults: Faults, status: int):
    faults.fault = answering("/revoke", lambda: httpx.Response(status, json={"error": "invalid_client"}))

    with pytest.raises(SourceDown):
        await revoke_identity(browser.rt, "apple", "a token")


async def test_a_provider_that_cannot_revoke_is_told_from_one_that_did(rt: Runtime, faults: Faults):
    faults.fault = answering(DISCOVERY, lambda: httpx.Response(200, json=described(rt)))

    with pytest.raises(SourceDown):
        await revoke_identity(rt, "google", "a token")
