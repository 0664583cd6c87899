"""Sign-ins that end at the door, with one sentence and without a session."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from oo_app.kit.clock import FakeClock
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.conftest import Faults
from tests.flows.door import CALLBACK, SESSION, callback_of, ended, is_signed_in


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
    "sent",
    [
        {"files": {"code": ("a.txt", b"x")}},
        {"content": b"--no boundary", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"content": b"&".join(b"f%d=1" % number for number in range(3000))},
    ],
    ids=["a file", "torn", "too many fields"],
)
async def test_a_form_nobody_would_send_ends_at_the_door(browser: Browser, sent: dict[str, Any]):
    sent["headers"] = {"Content-Type": "application/x-www-form-urlencoded"} | sent.get("headers", {})
    if "files" in sent:
        del sent["headers"]

    response = await browser.client.post("/auth/apple/callback", **sent)

    assert (response.status_code, response.headers["location"]) == (303, "/?error=unknown")


async def test_a_parcel_nobody_would_send_ends_at_the_door(browser: Browser):
    response = await browser.client.get(f"/auth/google/callback?parcel={'x' * 20_000}")

    assert (response.status_code, response.headers["location"]) == (303, "/?error=unknown")
