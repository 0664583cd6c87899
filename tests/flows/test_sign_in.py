"""Signing in and out as a browser meets it: where each story ends, and whether somebody is signed in then."""

from collections.abc import Callable
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest

from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.conftest import Faults
from tests.outside import lies_readable, moved

CALLBACK = "/auth/google/callback"
SESSION = "oo_session"


def ended(response: httpx.Response) -> str:
    assert response.status_code == httpx.codes.SEE_OTHER, response.text
    return response.headers["location"]


async def is_signed_in(browser: Browser) -> bool:
    return (await browser.get("/api/v1/me")).status_code == httpx.codes.OK


async def callback_of(browser: Browser, email: str = "ada@sandbox.test") -> httpx.URL:
    """Sign in at the sandbox's Google, and stop before the browser follows it back."""
    await browser.open("/auth/google/start")
    assert browser.page is not None
    answer = await browser.client.post(browser.page.url, data={"email": email})
    return httpx.URL(answer.headers["location"])


def cookies_of(response: httpx.Response) -> dict[str, tuple[str, dict[str, str]]]:
    """Return the cookies that a response sets: name → value and what stands with it."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for line in response.headers.get_list("set-cookie"):
        for name, morsel in SimpleCookie(line).items():
            found[name] = (morsel.value, {key: str(value) for key, value in morsel.items() if value})
    return found


@pytest.mark.parametrize("provider", ["google", "apple"])
async def test_a_new_person_ends_signed_in_at_connect(browser: Browser, provider: str):
    response = await browser.sign_in("ada@sandbox.test", provider)

    assert ended(response) == "/connect"
    me = (await browser.get("/api/v1/me")).json()
    assert (me["email"], me["role"]) == ("ada@sandbox.test", "user")
    assert {each["document"] for each in me["consents"]} == {"terms", "privacy"}


async def test_somebody_with_a_source_ends_at_the_tip(ada: Browser):
    await ada.post("/auth/signout", None)

    assert ended(await ada.sign_in("ada@sandbox.test")) == "/tip"


async def test_the_sandboxs_admin_ends_as_an_admin(browser: Browser):
    await browser.sign_in("admin@sandbox.test")

    assert (await browser.get("/api/v1/me")).json()["role"] == "admin"


async def test_google_and_apple_with_one_address_are_two_accounts(browser: Browser):
    ids: list[str] = []
    for provider in ("google", "apple"):
        await browser.sign_in("ada@sandbox.test", provider)
        ids.append((await browser.get("/api/v1/me")).json()["id"])

    assert ids[0] != ids[1]


async def test_the_address_is_nowhere_readable_after_signing_in(browser: Browser, tmp_path: Path):
    for provider in ("google", "apple"):
        await browser.sign_in("ada.lovelace@sandbox.test", provider)

    assert lies_readable(tmp_path, "ada.lovelace") == []


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("unverified@sandbox.test", "unverified"),
        ("no-email@sandbox.test", "unverified"),
        ("expired@sandbox.test", "untrusted"),
        ("from-the-future@sandbox.test", "untrusted"),
        ("wrong-iss@sandbox.test", "untrusted"),
        ("old-iss@sandbox.test", "untrusted"),
        ("wrong-aud@sandbox.test", "untrusted"),
        ("many-aud@sandbox.test", "untrusted"),
        ("wrong-nonce@sandbox.test", "untrusted"),
        ("no-nonce@sandbox.test", "untrusted"),
        ("no-sub@sandbox.test", "untrusted"),
        ("wrong-at-hash@sandbox.test", "untrusted"),
        ("alg-none@sandbox.test", "untrusted"),
        ("alg-hs256@sandbox.test", "untrusted"),
        ("bad-signature@sandbox.test", "untrusted"),
        ("unknown-kid@sandbox.test", "untrusted"),
        ("no-id-token@sandbox.test", "untrusted"),
        ("token-error@sandbox.test", "unavailable"),
    ],
)
async def test_a_lie_ends_at_the_door(browser: Browser, email: str, code: str):
    response = await browser.sign_in(email)

    assert ended(response) == f"/?error={code}"
    assert not await is_signed_in(browser)


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("unverified@sandbox.test", "unverified"),
        ("no-email@sandbox.test", "unverified"),
        ("wrong-aud@sandbox.test", "untrusted"),
        ("wrong-nonce@sandbox.test", "untrusted"),
        ("bad-signature@sandbox.test", "untrusted"),
        ("token-error@sandbox.test", "unavailable"),
    ],
)
async def test_a_lie_of_apple_ends_at_the_door(browser: Browser, email: str, code: str):
    response = await browser.sign_in(email, "apple")

    assert ended(response) == f"/?error={code}"
    assert not await is_signed_in(browser)


@pytest.mark.parametrize("provider", ["google", "apple"])
async def test_cancelling_ends_at_the_door(browser: Browser, provider: str):
    await browser.open(f"/auth/{provider}/start")

    response = await browser.press("Cancel")
    if provider == "apple":
        response = await browser.press("Continue")

    assert ended(response) == "/?error=denied"
    assert not await is_signed_in(browser)


async def test_an_answer_played_again_is_refused(browser: Browser):
    callback = await callback_of(browser)
    await browser.open(str(callback))
    browser.client.cookies.delete(SESSION)

    again = await browser.open(str(callback))

    assert ended(again) == "/?error=expired"
    assert not await is_signed_in(browser)


async def test_an_answer_brought_to_another_browser_signs_nobody_in(
    rt: Runtime, app: httpx.ASGITransport, browser: Browser
):
    callback = await callback_of(browser)

    async with Browser(rt, app) as victim:
        await victim.open("/auth/google/start")
        response = await victim.open(str(callback))

        assert ended(response) == "/?error=mismatch"
        assert not await is_signed_in(victim)


async def test_a_browser_that_never_asked_is_refused(rt: Runtime, app: httpx.ASGITransport, browser: Browser):
    callback = await callback_of(browser)

    async with Browser(rt, app) as victim:
        assert ended(await victim.open(str(callback))) == "/?error=mismatch"


async def test_ten_minutes_at_the_provider_are_too_long(browser: Browser, clock: FakeClock):
    callback = await callback_of(browser)

    clock.advance(timedelta(minutes=10))

    assert ended(await browser.open(str(callback))) == "/?error=expired"
    assert not await is_signed_in(browser)


async def test_two_tabs_may_sign_in_one_after_the_other(browser: Browser):
    first, second = await callback_of(browser), await callback_of(browser)

    assert ended(await browser.open(str(first))) == "/connect"
    assert ended(await browser.open(str(second))) == "/connect"


async def test_a_round_trip_of_google_does_not_end_at_apple(browser: Browser):
    callback = await callback_of(browser)

    response = await browser.open(f"/auth/apple/callback?{callback.query.decode()}")

    assert ended(response) == "/?error=expired"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"code": ""}, "unknown"),
        ({"error": "server_error"}, "unknown"),
        ({"error": "access_denied"}, "denied"),
        ({"code": "made up"}, "untrusted"),
        ({"state": ""}, "expired"),
        ({"state": "made up"}, "expired"),
        ({"parcel": "made up"}, "expired"),
    ],
)
async def test_an_answer_that_does_not_fit_ends_at_the_door(browser: Browser, change: dict[str, str], code: str):
    callback = await callback_of(browser)

    response = await browser.open(str(callback.copy_merge_params(change)))

    assert ended(response) == f"/?error={code}"
    assert not await is_signed_in(browser)


async def test_what_else_an_answer_holds_is_not_looked_at(browser: Browser):
    callback = await callback_of(browser)

    more = {"scope": "openid", "authuser": "0", "prompt": "consent", "hd": "sandbox.test", "iss": "https://x.invalid"}

    assert ended(await browser.open(str(callback.copy_merge_params(more)))) == "/connect"


@pytest.mark.parametrize("name", ["next", "redirect", "redirect_uri", "return_to", "parcel"])
async def test_nobody_is_sent_to_an_address_of_a_strangers_choice(browser: Browser, name: str):
    evil = {name: "https://evil.example/"}

    start = await browser.client.get("/auth/google/start", params=evil)
    callback = await callback_of(browser)
    back = await browser.client.get(str(callback.copy_merge_params(evil)))

    assert ended(start).startswith(browser.rt.settings.google_issuer)
    assert "evil" not in ended(start)
    assert ended(back) in {"/connect", "/?error=expired"}


async def test_keys_that_rotate_while_somebody_signs_in_do_no_harm(browser: Browser):
    await browser.sign_in("ben@sandbox.test")
    await browser.open("/auth/google/start")
    await browser.client.post(f"{browser.rt.settings.google_issuer}/rotate-keys")

    response = await browser.press("Sign in as ada@sandbox.test")

    assert ended(response) == "/connect"
    assert (await browser.get("/api/v1/me")).json()["email"] == "ada@sandbox.test"


def unreachable() -> httpx.Response:
    msg = "nobody there"
    raise httpx.ConnectTimeout(msg)


def torn() -> httpx.Response:
    return httpx.Response(200, content=b'{"torn')


def failing(status: int) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, text="<h1>Sorry</h1>")


OUTAGES = pytest.mark.parametrize(
    "outage", [unreachable, torn, failing(503), failing(429)], ids=["unreachable", "torn", "503", "429"]
)


@OUTAGES
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys"])
async def test_a_provider_that_is_down_at_the_start_is_said_at_the_door(
    browser: Browser, faults: Faults, path: str, outage: Callable[[], httpx.Response]
):
    faults.fault = lambda request: outage() if request.url.path.endswith(path) else None

    response = await browser.client.get("/auth/google/start")

    assert ended(response) == "/?error=unavailable"


@OUTAGES
async def test_a_provider_that_is_down_at_the_exchange_is_said_at_the_door(
    browser: Browser, faults: Faults, outage: Callable[[], httpx.Response]
):
    callback = await callback_of(browser)
    faults.fault = lambda request: outage() if request.url.path.endswith("/token") else None

    response = await browser.open(str(callback))

    assert ended(response) == "/?error=unavailable"
    assert not await is_signed_in(browser)


async def test_after_an_outage_one_signs_in_as_ever(browser: Browser, faults: Faults):
    faults.fault = lambda _: unreachable()
    await browser.client.get("/auth/google/start")

    faults.fault = None

    assert ended(await browser.sign_in("ada@sandbox.test")) == "/connect"


async def test_signing_in_changes_the_session(browser: Browser):
    await browser.sign_in("ada@sandbox.test")
    old = browser.client.cookies[SESSION]

    await browser.sign_in("ada@sandbox.test")
    new = browser.client.cookies[SESSION]

    assert new != old
    assert (await browser.client.get("/api/v1/me", headers={"Cookie": f"{SESSION}={old}"})).status_code == 401


async def test_a_session_handed_out_beforehand_is_not_taken_over(browser: Browser):
    browser.client.cookies.set(SESSION, "chosen by a stranger", domain="localhost.local")

    await browser.sign_in("ada@sandbox.test")

    planted = await browser.client.get("/api/v1/me", headers={"Cookie": f"{SESSION}=chosen by a stranger"})
    assert planted.status_code == 401


async def test_signing_in_as_somebody_else_leaves_nothing_of_the_first(browser: Browser):
    await browser.sign_in("ada@sandbox.test")
    old = browser.client.cookies[SESSION]

    await browser.sign_in("ben@sandbox.test")

    assert (await browser.get("/api/v1/me")).json()["email"] == "ben@sandbox.test"
    assert (await browser.client.get("/api/v1/me", headers={"Cookie": f"{SESSION}={old}"})).status_code == 401


async def test_signing_out_ends_the_session_on_the_server_and_clears_the_browser(browser: Browser):
    await browser.sign_in("ada@sandbox.test")
    token = browser.client.cookies[SESSION]

    response = await browser.post("/auth/signout", None)

    assert ended(response) == "/"
    assert response.headers["clear-site-data"] == '"cache", "storage"'
    value, options = cookies_of(response)[SESSION]
    assert (value, options["max-age"]) == ("", "0")
    assert (await browser.client.get("/api/v1/me", headers={"Cookie": f"{SESSION}={token}"})).status_code == 401


async def test_signing_out_twice_is_fine(browser: Browser):
    await browser.sign_in("ada@sandbox.test")

    await browser.post("/auth/signout", None)

    assert ended(await browser.post("/auth/signout", None)) == "/"


async def test_no_other_site_signs_anybody_out(browser: Browser):
    await browser.sign_in("ada@sandbox.test")

    response = await browser.post("/auth/signout", None, Origin="https://evil.example")

    assert response.status_code == 403
    assert await is_signed_in(browser)


@pytest.mark.parametrize("path", ["/auth/facebook/start", "/auth/facebook/callback", "/auth//start"])
async def test_an_unknown_provider_is_not_found(browser: Browser, path: str):
    assert (await browser.client.get(path)).status_code == 404


async def test_google_does_not_answer_by_post(browser: Browser):
    response = await browser.client.post(CALLBACK, data={"code": "x"}, headers={"Origin": browser.base})

    assert response.status_code == 404


@pytest.mark.parametrize("name", ["code", "state", "error"])
async def test_an_answer_beyond_reason_ends_at_the_door(browser: Browser, name: str):
    response = await browser.client.get(CALLBACK, params={name: "x" * 5000})

    assert response.status_code == 303
    assert response.headers["location"].startswith("/?error=")


@pytest.mark.parametrize(
    ("base_url", "prefix", "is_secure"),
    [("http://localhost:8000", "", False), ("https://localhost:8000", "__Host-", True)],
)
async def test_cookies_are_out_of_reach(rt: Runtime, base_url: str, prefix: str, *, is_secure: bool):
    changed, app = moved(rt, base_url)

    async with Browser(changed, app) as browser:
        start = await browser.client.get("/auth/google/start")
        callback = await callback_of(browser)
        back = await browser.client.get(callback)

    kept = cookies_of(start) | cookies_of(back)
    assert set(kept) == {f"{prefix}oo_flow", f"{prefix}oo_session"}
    for _, options in kept.values():
        assert options["httponly"] == "True"
        assert options["samesite"] == "lax"
        assert options["path"] == "/"
        assert "domain" not in options
        assert (options.get("secure") == "True") is is_secure
    assert kept[f"{prefix}oo_session"][1]["max-age"] == str(90 * 86_400)
    assert kept[f"{prefix}oo_flow"][1]["max-age"] == "600"
