"""Signing in and out as a browser meets it: where each story ends, and whether somebody is signed in then."""

from pathlib import Path

import pytest

from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.flows.door import SESSION, callback_of, cookies_of, ended, is_signed_in
from tests.outside import lies_readable, moved


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


async def test_two_tabs_may_sign_in_one_after_the_other(browser: Browser):
    first, second = await callback_of(browser), await callback_of(browser)

    assert ended(await browser.open(str(first))) == "/connect"
    assert ended(await browser.open(str(second))) == "/connect"


async def test_keys_that_rotate_while_somebody_signs_in_do_no_harm(browser: Browser):
    await browser.sign_in("ben@sandbox.test")
    await browser.open("/auth/google/start")
    await browser.client.post(f"{browser.rt.settings.google_issuer}/rotate-keys")

    response = await browser.press("Sign in as ada@sandbox.test")

    assert ended(response) == "/connect"
    assert (await browser.get("/api/v1/me")).json()["email"] == "ada@sandbox.test"


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


async def test_a_token_is_no_way_around_the_origin_where_the_cookie_decides(browser: Browser):
    await browser.sign_in("ada@sandbox.test")

    response = await browser.client.post("/auth/signout", headers={"Authorization": "Bearer junk"})

    assert response.status_code == 403
    assert await is_signed_in(browser)


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
    _, person = kept.pop(f"{prefix}oo_person")  # for scripts; it opens nothing
    assert (person["samesite"], person["path"]) == ("lax", "/")
    assert (person.get("secure") == "True") is is_secure
    assert set(kept) == {f"{prefix}oo_flow", f"{prefix}oo_session"}
    for _, options in kept.values():
        assert options["httponly"] == "True"
        assert options["samesite"] == "lax"
        assert options["path"] == "/"
        assert "domain" not in options
        assert (options.get("secure") == "True") is is_secure
    assert kept[f"{prefix}oo_session"][1]["max-age"] == str(90 * 86_400)
    assert kept[f"{prefix}oo_flow"][1]["max-age"] == "600"
