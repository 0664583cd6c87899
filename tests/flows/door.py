"""The door as a browser stands before it."""

from http.cookies import SimpleCookie

import httpx

from tests.browser import Browser

CALLBACK = "/auth/google/callback"
SESSION = "oo_session"


def ended(response: httpx.Response) -> str:
    """Return where a redirect leads."""
    assert response.status_code == httpx.codes.SEE_OTHER, response.text
    return response.headers["location"]


async def is_signed_in(browser: Browser) -> bool:
    """Tell whether the browser holds a living session."""
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
