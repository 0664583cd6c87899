"""One person in one tab of the served application, with the sandbox's knobs and the network in reach."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import BrowserContext, Locator, Page, WebSocketRoute, expect

from tests.served import Served

CLIENT = {"client_id": "oo-sandbox-todoist", "client_secret": "oo-sandbox-todoist-secret"}
TIP = "[data-testid=tip][data-impression]"
READ_ONLY, READ_WRITE = "data:read", "data:read_write"
PATIENCE_S = 20


class Visit:
    """What a person does, what their network does, and what the sandbox is told to do."""

    def __init__(self, site: Served, context: BrowserContext, page: Page) -> None:
        self.site = site
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        self.expects_failures = False
        self._sockets: list[tuple[WebSocketRoute, WebSocketRoute]] = []
        self._is_held = False
        page.on("console", lambda said: self._complain(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self._complain(str(error)))

    def _complain(self, text: str) -> None:
        if not self.expects_failures:
            self.complaints.append(text)

    async def open(self, path: str) -> None:
        """Open an address of the application and wait until its handlers have answered."""
        await self.page.goto(f"{self.site.url}{path}")

    # --- the network

    async def watch_line(self) -> None:
        """Let the tab's websocket pass through here, so that it can be held and cut."""
        await self.page.route_web_socket("**/_event/**", self._on_socket)

    async def _on_socket(self, socket: WebSocketRoute) -> None:
        if not self._is_held:
            self._sockets.append((socket, socket.connect_to_server()))

    def hold_line(self) -> None:
        """Let the next websocket wait for its first answer."""
        self._is_held = True

    async def cut_line(self) -> None:
        """Take the network away from the browser, and with it the websocket that is open."""
        self.expects_failures = True
        await self.context.set_offline(True)
        for socket, server in self._sockets:
            await server.close()
            await socket.close()

    async def free_line(self) -> None:
        """Let everything through again."""
        self._is_held, self.expects_failures = False, False
        await self.context.set_offline(False)

    # --- the person

    async def sign_in(self, email: str) -> None:
        """Sign in with Google."""
        await self.open("/auth/google/start")
        await self.page.get_by_label("Email").fill(email)
        await self.page.get_by_role("button", name="Sign in", exact=True).click()
        await self.page.wait_for_url(f"{self.site.url}/*")

    async def connect(self, account: str, *, scope: str = READ_WRITE) -> None:
        """Agree at Todoist, perhaps to less than was asked for."""
        await self.open("/connect/todoist/start")
        await self.page.goto(self.page.url.replace("data%3Aread_write", scope))
        await self.page.get_by_label("Account").select_option(account)
        await self.page.get_by_role("button", name="Agree").click()
        await expect(self.source().get_by_text("Connected", exact=True)).to_be_visible()

    async def disconnect(self) -> None:
        """Take the grant back."""
        await self.page.get_by_role("button", name="Disconnect Todoist").click()
        await expect(self.source().get_by_text("Not connected", exact=True)).to_be_visible()

    def source(self, name: str = "Todoist") -> Locator:
        """Return a source on /connect."""
        heading = self.page.get_by_role("heading", name=name, exact=True)
        return self.page.get_by_role("list", name="Sources").get_by_role("listitem").filter(has=heading)

    async def answer(self, name: str) -> None:
        """Press an answer, and wait until its tip is gone."""
        impression = await self.page.locator(TIP).get_attribute("data-impression")
        await self.page.get_by_role("button", name=name, exact=True).click()
        await expect(self.page.locator(f"[data-impression='{impression}']")).to_have_count(0)

    async def reload_until(self, text: str) -> None:
        """Open the page again and again until a text is on it."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.page.get_by_text(text).is_visible():
                await self.page.reload()
                await expect(self.source()).to_be_visible()

    # --- the sandbox

    async def turn(self, knob: str, **settings: Any) -> None:
        """Turn one of the knobs of the sandbox's Todoist."""
        answer = await self.context.request.post(f"{self._todoist}/control/{knob}", data=settings)
        assert answer.ok, await answer.text()

    async def add_tasks(self, account: str, *tasks: dict[str, str]) -> None:
        """Add tasks to an account at Todoist, as another app of theirs would."""
        ask = f"{self._todoist}/oauth/authorize?client_id={CLIENT['client_id']}&state=tests&scope={READ_WRITE}"
        agreed = await self.context.request.post(ask, form={"answer": "agree", "account": account}, max_redirects=0)
        code = parse_qs(urlsplit(agreed.headers["location"]).query)["code"][0]
        token = await self.context.request.post(f"{self._todoist}/oauth/access_token", form={**CLIENT, "code": code})
        headers = {"Authorization": f"Bearer {(await token.json())['access_token']}"}
        for task in tasks:
            answer = await self.context.request.post(f"{self._todoist}/api/v1/tasks", data=task, headers=headers)
            assert answer.ok, await answer.text()

    @property
    def _todoist(self) -> str:
        return f"{self.site.url.replace('localhost', '127.0.0.1')}/sandbox/todoist"
