"""Apple answers by a cross-site form post, which brings no Lax cookie: the round trip goes on at a GET of our own."""

from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from oo_app.runtime import Runtime
from tests.browser import Browser

CALLBACK = "/auth/apple/callback"
APPLE = {"Origin": "https://appleid.apple.com"}


class Fields(HTMLParser):
    """The hidden fields of the page that posts itself back."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("name"):
            self.found[str(given["name"])] = given.get("value") or ""


async def posted_by(browser: Browser, email: str = "ada@sandbox.test") -> dict[str, str]:
    """Sign in at the sandbox's Apple; return what its page would post."""
    await browser.open("/auth/apple/start")
    page = await browser.press("Sign in", email=email)
    return Fields(page.text).found


async def post(app: httpx.ASGITransport, browser: Browser, fields: dict[str, str]) -> httpx.Response:
    """Post across sites, as a browser does: without any of our cookies."""
    async with httpx.AsyncClient(transport=app, base_url=browser.base) as bare:
        return await bare.post(CALLBACK, data=fields, headers=APPLE)


async def test_the_post_only_asks_the_browser_to_come_again(app: httpx.ASGITransport, browser: Browser):
    fields = await posted_by(browser)

    response = await post(app, browser, fields)

    location = response.headers["location"]
    assert response.status_code == 303
    assert location.startswith(f"{CALLBACK}?parcel=")
    assert "set-cookie" not in response.headers
    assert fields["code"] not in location
    assert fields["state"] not in location


async def test_the_get_that_follows_signs_in(app: httpx.ASGITransport, browser: Browser):
    response = await post(app, browser, await posted_by(browser))

    back = await browser.open(response.headers["location"])

    assert back.headers["location"] == "/connect"
    assert (await browser.get("/api/v1/me")).json()["email"] == "ada@sandbox.test"


async def test_the_name_that_apple_tells_once_is_not_needed(app: httpx.ASGITransport, browser: Browser):
    fields = await posted_by(browser)
    response = await post(app, browser, fields | {"user": "not even json", "id_token": "neither is this"})

    back = await browser.open(response.headers["location"])

    assert "user" in fields
    assert back.headers["location"] == "/connect"


async def test_a_parcel_carried_to_another_browser_signs_nobody_in(
    rt: Runtime, app: httpx.ASGITransport, browser: Browser
):
    response = await post(app, browser, await posted_by(browser))

    async with Browser(rt, app) as victim:
        await victim.open("/auth/apple/start")
        back = await victim.open(response.headers["location"])

        assert back.headers["location"] == "/?error=mismatch"
        assert (await victim.get("/api/v1/me")).status_code == 401


async def test_a_parcel_is_opened_once(app: httpx.ASGITransport, browser: Browser):
    response = await post(app, browser, await posted_by(browser))
    await browser.open(response.headers["location"])

    again = await browser.open(response.headers["location"])

    assert again.headers["location"] == "/?error=expired"


async def test_a_parcel_that_was_tampered_with_does_not_open(app: httpx.ASGITransport, browser: Browser):
    response = await post(app, browser, await posted_by(browser))
    parcel = parse_qs(urlsplit(response.headers["location"]).query)["parcel"][0]

    back = await browser.open(f"{CALLBACK}?parcel={parcel[:-8]}AAAAAAA=")

    assert back.headers["location"] == "/?error=expired"


async def test_a_parcel_says_what_went_wrong_at_apple(app: httpx.ASGITransport, browser: Browser):
    fields = await posted_by(browser)
    refused = {"state": fields["state"], "error": "user_cancelled_authorize"}

    response = await post(app, browser, refused)

    assert (await browser.open(response.headers["location"])).headers["location"] == "/?error=denied"


async def test_a_post_of_nothing_ends_at_the_door(app: httpx.ASGITransport, browser: Browser):
    response = await post(app, browser, {})

    assert (await browser.open(response.headers["location"])).headers["location"] == "/?error=expired"


@pytest.mark.parametrize("path", ["/auth/google/callback", "/auth/signout", "/auth/apple/start"])
async def test_only_apples_callback_takes_a_post_from_another_site(
    app: httpx.ASGITransport, browser: Browser, path: str
):
    async with httpx.AsyncClient(transport=app, base_url=browser.base) as bare:
        response = await bare.post(path, data={"code": "x"}, headers=APPLE)

    assert response.status_code == 403
