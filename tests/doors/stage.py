"""The victim, whose words are marked, and those who come without a session, with a stranger's, or with a dead one."""

import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from oo_app.kit.crypto import hash_token
from tests.doors.inventory import Doors, inventory
from tests.doors.watch import change, select
from tests.elsewhere import Account, Elsewhere, elsewhere
from tests.served import RUN, Served, free_port, served

WORDS = "Zebrafisch"  # in every task of the victim, and nowhere else
A_DAY_MS = "86400000"
LONG_AGO = "2020-01-01 00:00:00.000000"
# Where tests/doors/planted.py opens doors without a lock.
LEAKY_ROUTE = "/planted/{user_id}"
CHANGING_ROUTE = "/planted/rest/{user_id}"


@dataclass(frozen=True)
class Somebody:
    """A person as their browser and the database know them."""

    user_id: str
    cookie: str
    email: str
    session: str
    connection: str
    token: str = ""


@dataclass(frozen=True)
class Stage:
    """The application, its doors, and the people around it."""

    site: Served
    doors: Doors
    elsewhere: Elsewhere
    victim: Somebody
    account: Account
    impression: str
    item: str

    def stranger(self) -> Somebody:
        """Sign a new person in, connected, with tasks and a tip of their own."""
        return signed_in(self.site, f"stranger-{secrets.token_hex(4)}@sandbox.test", f"a{secrets.token_hex(4)}")

    def signed_in_again(self) -> str:
        """Return the cookie of one more session of the victim's."""
        return cookie_of(self.site, self.victim.email)

    def make_stale(self) -> None:
        """Let tasks have been read, and tips answered, long ago: the next decision reads them again first."""
        change(self.site.folder, "UPDATE connection SET last_read_at = ?", LONG_AGO)
        change(self.site.folder, "UPDATE reaction SET received_at = ?", LONG_AGO)

    def expired(self) -> str:
        """Return the cookie of a session of the victim's that ran out."""
        cookie = self.signed_in_again()
        change(self.site.folder, "UPDATE session SET seen_at = ? WHERE id = ?", LONG_AGO, hash_token(cookie))
        return cookie

    def signed_out(self) -> str:
        """Return the cookie of a session of the victim's that was ended."""
        cookie = self.signed_in_again()
        cookies = {"oo_session": cookie}
        httpx.post(f"{self.site.url}/auth/signout", cookies=cookies, headers={"Origin": self.site.url}, trust_env=False)
        return cookie

    def program(self) -> Somebody:
        """Return a stranger who comes with a token for programs instead of a session."""
        return replace(stranger := self.stranger(), cookie="", token=self._minted(stranger.cookie)[1])

    def ended_program(self) -> Somebody:
        """Return the victim's program whose token was withdrawn."""
        token_id, token = self._minted(self.victim.cookie)
        call(self.site, self.victim.cookie, "DELETE", f"/api/v1/tokens/{token_id}").raise_for_status()
        return Somebody("", "", "", "", "", token)

    def _minted(self, cookie: str) -> tuple[str, str]:
        minted = call(self.site, cookie, "POST", "/api/v1/tokens", json={"name": "a program"}).raise_for_status().json()
        return str(minted["id"]), str(minted["token"])

    @property
    def marks(self) -> dict[str, str]:
        """What is the victim's and nobody else's to read."""
        return {
            "words": WORDS,
            "mail": self.victim.email,
            "user id": self.victim.user_id,
            "session": self.victim.session,
            "cookie": self.victim.cookie,
            "connection": self.victim.connection,
            "impression": self.impression,
            "item": self.item,
        }

    @property
    def ids(self) -> tuple[str, ...]:
        """By what rows are the victim's."""
        return (self.victim.user_id, self.victim.session, self.victim.connection, self.impression, self.item)


def signed_in(site: Served, email: str, account: str) -> Somebody:
    """Sign a person in and connect an account; a tip is opened for them."""
    cookie = cookie_of(site, email, account)
    found = select(site.folder, "SELECT user_id FROM session WHERE id = ?", hash_token(cookie))
    user_id = str(found[0][0])
    connection = select(site.folder, "SELECT id FROM connection WHERE user_id = ?", user_id)[0][0]
    call(site, cookie, "POST", "/api/v1/recommend", json={"surface": "web"}).raise_for_status()
    return Somebody(user_id, cookie, email, hash_token(cookie), str(connection))


def cookie_of(site: Served, email: str, account: str | None = None) -> str:
    """Sign in at the sandbox, and connect an account if one is told; return the session's cookie."""
    with httpx.Client(base_url=site.url, follow_redirects=True, timeout=30, trust_env=False) as client:
        _answer(client, client.get("/auth/google/start"), email=email)
        if account:
            _answer(client, client.get("/connect/todoist/start"), account=account, answer="agree")
        return str(client.cookies["oo_session"])


def _answer(client: httpx.Client, page: httpx.Response, **fields: str) -> None:
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    origin = {"Origin": f"{page.url.scheme}://{page.url.netloc.decode()}"}
    client.post(str(page.url), data=hidden | fields, headers=origin)


def call(site: Served, cookie: str | None, method: str, path: str, **parts: Any) -> httpx.Response:
    """Ask as a page of ours would."""
    cookies = {"oo_session": cookie} if cookie else {}
    headers = {"Origin": site.url}
    with httpx.Client(base_url=site.url, cookies=cookies, headers=headers, timeout=30, trust_env=False) as client:
        return client.request(method, path, **parts)


@contextmanager
def staged(folder: Path, *planted: str, command: tuple[str, ...] = RUN) -> Generator[Stage]:
    """Run everything, the victim settled: connected, one tip answered and one open."""
    port = free_port()
    quiet = {"TODOIST_SYNC_INTERVAL_MS": A_DAY_MS}
    with elsewhere(f"http://localhost:{port}", folder) as world:
        account = world.account("new-victim")
        for number in range(5):
            account.add(f"{WORDS} {number}", description=f"{WORDS} too")
        with served(folder, port=port, command=command, **world.variables(), **quiet) as site:
            victim = signed_in(site, "victim@sandbox.test", account.name)
            open_one = call(site, victim.cookie, "POST", "/api/v1/recommend", json={"surface": "web"}).json()["tip"]
            answer = {"impression_id": open_one["impression_id"], "action": "snooze", "dwell_ms": 5000}
            call(site, victim.cookie, "POST", "/api/v1/feedback", json=answer).raise_for_status()
            tip = call(site, victim.cookie, "POST", "/api/v1/recommend", json={"surface": "web"}).json()["tip"]
            doors = inventory(folder, *planted)
            yield Stage(site, doors, world, victim, account, tip["impression_id"], tip["id"])
