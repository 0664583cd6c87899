"""A browser without a screen: cookies per site, redirects, forms of the sandbox's pages."""

from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin

import httpx

from oo_app.runtime import Runtime


class Form:
    """A form on a page: where it goes, its fields, its buttons by their text."""

    def __init__(self, attrs: dict[str, str | None]) -> None:
        self.action = attrs.get("action") or ""
        self.method = (attrs.get("method") or "get").lower()
        self.fields: dict[str, str] = {}
        self.buttons: dict[str, tuple[str, str] | None] = {}


class Forms(HTMLParser):
    """Reads the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._button: tuple[str, str] | None = None
        self._text: str | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append(Form(given))
        elif tag == "input" and self.forms and given.get("name"):
            is_choice = given.get("type") in {"radio", "checkbox"}
            if not is_choice or "checked" in given:
                self.forms[-1].fields[str(given["name"])] = given.get("value") or ""
        elif tag == "select":
            self._select = str(given.get("name"))
        elif tag == "option" and self.forms and ("selected" in given or self._select not in self.forms[-1].fields):
            self.forms[-1].fields[self._select] = given.get("value") or ""
        elif tag == "button":
            name = given.get("name")
            self._button = (name, given.get("value") or "") if name else None
            self._text = ""

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._text is not None and self.forms:
            self.forms[-1].buttons[self._text.strip()] = self._button
            self._text = None


class Browser:
    """Follows redirects as a browser does, keeps cookies, presses buttons of plain pages."""

    def __init__(self, rt: Runtime, app: httpx.AsyncBaseTransport) -> None:
        self.rt = rt
        self.base = rt.settings.base_url
        self.client = httpx.AsyncClient(transport=app, base_url=self.base, follow_redirects=False)
        self.page: httpx.Response | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()

    async def open(self, url: str, method: str = "GET", **parts: Any) -> httpx.Response:
        """Open an address and follow redirects while they lead to pages that are served here."""
        response = await self.client.request(method, urljoin(self.base, url), **parts)
        while response.is_redirect:
            target = urljoin(str(response.url), response.headers["location"])
            self.page = response
            if target.startswith(self.base) and target.removeprefix(self.base).split("?")[0] in {
                "/",
                "/tip",
                "/connect",
            }:
                return response
            response = await self.client.get(target)
        self.page = response
        return response

    async def press(self, button: str, **fields: str) -> httpx.Response:
        """Press a button of the page that is open, filling fields first."""
        assert self.page is not None
        parser = Forms()
        parser.feed(self.page.text)
        form = next(f for f in parser.forms if button in f.buttons)
        sent = form.fields | fields
        if pressed := form.buttons[button]:
            sent[pressed[0]] = pressed[1]
        target = urljoin(str(self.page.url), form.action)
        if form.method == "get":
            return await self.open(target, params=sent)
        origin = f"{self.page.url.scheme}://{self.page.url.netloc.decode()}"
        return await self.open(target, "POST", data=sent, headers={"Origin": origin})

    async def sign_in(self, email: str, provider: str = "google") -> httpx.Response:
        """Sign in at the sandbox; return where it ended."""
        await self.open(f"/auth/{provider}/start")
        response = await self.press("Sign in", email=email)
        if provider == "apple" and not response.is_redirect:
            response = await self.press("Continue")
        return response

    async def connect_todoist(self) -> httpx.Response:
        """Agree at the sandbox's Todoist; return where it ended."""
        await self.open("/connect/todoist/start")
        response = await self.press("Agree")
        await self.rt.bus.drain()
        await self.rt.jobs.settle()
        return response

    async def get(self, path: str) -> httpx.Response:
        """Read."""
        return await self.client.get(path)

    async def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """Change something, as a page of ours does."""
        return await self.client.post(path, json=body, headers={"Origin": self.base, **headers})

    async def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Change something by another verb."""
        return await self.client.request(method, path, json=body, headers={"Origin": self.base})

    async def recommend(self, surface: str = "web") -> dict[str, Any]:
        """Ask for the tip."""
        response = await self.post("/api/v1/recommend", {"surface": surface})
        assert response.status_code == httpx.codes.OK, response.text
        return response.json()

    async def react(self, impression_id: str, action: str, **fields: Any) -> httpx.Response:
        """Answer the tip."""
        body = {"impression_id": impression_id, "action": action, "dwell_ms": 5000, **fields}
        return await self.post("/api/v1/feedback", body)
