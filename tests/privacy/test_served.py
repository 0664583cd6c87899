"""The same search around the application as people run it: its folder, its log, its built pages."""

import json
from pathlib import Path

import httpx
import pytest

from tests.browser import Forms
from tests.commands import start
from tests.privacy.marks import files_below, found_in
from tests.served import ROOT, Served, served

MAIL = "zq7served.mail@sandbox.test"
TASK = "Zq7ServedTask"


class Visitor:
    """Somebody whose browser keeps cookies of both names of this machine and follows every redirect."""

    def __init__(self, site: Served, client: httpx.Client) -> None:
        self.site = site
        self.client = client

    def press(self, page: httpx.Response, button: str, **fields: str) -> httpx.Response:
        """Press a button of a plain page, filling fields first."""
        assert page.status_code == 200, page.text
        parser = Forms()
        parser.feed(page.text)
        form = next(each for each in parser.forms if button in each.buttons)
        sent = form.fields | fields | dict([form.buttons[button] or ("", "")])
        sent.pop("", None)
        target = page.url.join(form.action)
        if form.method == "get":
            return self.client.get(target, params=sent)
        origin = f"{page.url.scheme}://{page.url.netloc.decode()}"
        return self.client.post(target, data=sent, headers={"Origin": origin})

    def post(self, path: str, body: object) -> httpx.Response:
        """Change something, as a page of ours does."""
        return self.client.post(path, json=body, headers={"Origin": self.site.url})


@pytest.mark.browser
def test_marked_strings_lie_readable_nowhere_around_a_running_oo(tmp_path: Path):
    with served(tmp_path) as site, httpx.Client(base_url=site.url, follow_redirects=True, timeout=30) as client:
        visit(Visitor(site, client), tmp_path)


def visit(visitor: Visitor, folder: Path) -> None:
    """Leave words behind, look for them, be deleted, look for oneself."""
    todoist = visitor.client.get(f"http://127.0.0.1:{httpx.URL(visitor.site.url).port}/sandbox/todoist/?account=ada")
    visitor.press(todoist, "Add task", content=TASK)
    visitor.press(visitor.client.get("/auth/google/start"), "Sign in", email=MAIL)
    visitor.press(visitor.client.get("/connect/todoist/start"), "Agree")
    tip = visitor.post("/api/v1/recommend", {"surface": "web"}).json()["tip"]
    visitor.post("/api/v1/feedback", {"impression_id": tip["impression_id"], "action": "dismiss"})
    visitor.post("/api/v1/feedback", {"impression_id": TASK, "action": MAIL})
    told = visitor.client.get("/api/v1/me/export").text
    metrics = visitor.client.get("/metrics").content
    assert start("backup", folder=folder).code == start("backup", "--keys", folder=folder).code == 0
    written = [*files_below(folder), *files_below(ROOT / ".web" / "build"), ("metrics", metrics)]

    assert all(mark in told for mark in (MAIL, TASK, "Call Mum", tip["content"]))
    assert {"oo.db", "oo.db-wal", "keys.db", "served.log"} <= {where for where, _ in written}
    assert found_in(written, [MAIL, TASK, "Call Mum", tip["content"]]) == []

    assert visitor.client.delete("/api/v1/me", headers={"Origin": visitor.site.url}).json()["deleted"] is True
    user_id = json.loads(told)["account"]["id"]
    # The log may name ids, and a backup of before holds them; neither opens anything.
    here = [each for each in files_below(folder) if not each[0].startswith(("backups/oo-", "served.log"))]
    assert found_in(here, [user_id]) == []
