"""Nothing readable at rest: marked strings are looked for in every byte that is written, and after deletion with every
key there is.
"""

import base64
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from shutil import copytree

import httpx
import pytest
from cryptography.fernet import InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oo_app import accounts, ops, wiring
from oo_app.kit.crypto import PersonVault, Place, Vault
from oo_app.kit.errors import Invalid
from oo_app.runtime import Runtime
from tests.browser import Browser
from tests.conftest import Faults
from tests.deliveries import a_delivery
from tests.people import exported
from tests.privacy.marks import (
    APPLE_MAIL,
    CONTENT,
    LABEL,
    MAIL,
    MARKS,
    TOKEN_NAME,
    PlantedTodoist,
    files_below,
    forms_of,
    found_in,
    spellings_of,
)

pytestmark = pytest.mark.long


@pytest.fixture
def planted(faults: Faults) -> PlantedTodoist:
    """A Todoist whose every word is marked."""
    faults.fault = todoist = PlantedTodoist()
    return todoist


async def live_a_little(rt: Runtime, app: httpx.ASGITransport, browser: Browser, todoist: PlantedTodoist) -> list[str]:
    """Use everything there is, so that everything is written that can be; return the secrets the browsers hold."""
    async with Browser(rt, app) as apple:
        await apple.sign_in(APPLE_MAIL, "apple")
        held = secrets_of(apple)
    await browser.sign_in(MAIL)
    await browser.connect_todoist()
    for action in ("snooze", "done", "dismiss"):
        served = await browser.recommend()
        assert CONTENT.split()[0] in served["tip"]["content"] or "Recurring" in served["tip"]["content"]
        await browser.react(served["tip"]["impression_id"], action)
    await browser.client.get("/connect/todoist/start")
    await browser.client.get("/auth/google/callback", params={"state": MAIL, "code": CONTENT, "error": CONTENT})
    await browser.post("/api/v1/feedback", {"impression_id": CONTENT, "action": MAIL})
    await browser.post("/api/v1/tokens", {"name": TOKEN_NAME})
    await a_delivery(browser, user_id="4711", event_data={"id": "i1", "content": CONTENT, "labels": [LABEL]})
    await browser.get("/api/v1/me/export")
    for job in wiring.jobs(rt):
        await job.run()
    await rt.bus.drain()
    await rt.jobs.settle()
    return [*held, *secrets_of(browser)]


def secrets_of(browser: Browser) -> list[str]:
    """Return what opens something here; `oo_person` only names somebody."""
    return [cookie.value for cookie in browser.client.cookies.jar if cookie.value and cookie.name != "oo_person"]


async def test_marked_strings_lie_readable_nowhere(
    rt: Runtime,
    app: httpx.ASGITransport,
    browser: Browser,
    planted: PlantedTodoist,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
):
    secrets = await live_a_little(rt, app, browser, planted)
    ops.backup(rt.settings, None, rt.clock.now())
    ops.backup_keys(rt.settings, None, rt.clock.now())
    metrics = await browser.get("/metrics")
    said = capfd.readouterr()

    written = [*files_below(tmp_path), ("log", (said.out + said.err).encode()), ("metrics", metrics.content)]

    assert {"oo.db", "oo.db-wal", "keys.db"} <= {where for where, _ in written}
    assert len([where for where, _ in written if where.startswith("backups/")]) == 2
    (user_id,) = await people(rt, MAIL)
    assert CONTENT in {item["content"] for item in (await exported(rt, user_id))["item"]}  # it is all there, sealed
    assert found_in(written, MARKS) == []
    assert found_in(written, secrets, forms=spellings_of) == []  # random, so that their hashes tell nothing


async def people(rt: Runtime, email: str) -> list[str]:
    found = await accounts.find_by_email(rt, email)
    assert found
    return found


@pytest.mark.parametrize("mark", MARKS)
def test_the_search_finds_a_mark_in_every_form(mark: str):
    for form in forms_of(mark):
        assert found_in([("somewhere", b"..." + form + b"...")], MARKS) == [("somewhere", mark)]


def test_the_search_finds_a_mark_inside_something_encoded():
    for before in range(3):
        hidden = base64.b64encode(b"x" * before + MAIL.encode() + b"and more")
        assert found_in([("somewhere", hidden)], MARKS) == [("somewhere", MAIL)]


async def test_after_deletion_nothing_opens_with_all_keys_there_are(
    rt: Runtime, app: httpx.ASGITransport, browser: Browser, planted: PlantedTodoist, tmp_path: Path
):
    await live_a_little(rt, app, browser, planted)
    folder = rt.settings.oo_data_dir
    older = tmp_path.parent / f"{tmp_path.name}-older"
    ops.backup(rt.settings, older.with_suffix(".db"), rt.clock.now())
    ops.backup_keys(rt.settings, None, rt.clock.now())
    (user_id,) = await people(rt, MAIL)
    copytree(folder, older, ignore=lambda *_: ["backups"])  # as a snapshot of the disk would, its log included
    (older / "keys.db").unlink()
    sealed = [*seals_of(older / "oo.db", user_id), *seals_of(older.with_suffix(".db"), user_id)]
    # The search can succeed: before, the keys at hand open every one of the seals.
    assert all(opens(place, seal, keys_in(rt.vault, folder)) for place, seal in sealed)
    assert len(sealed) > 10

    assert await ops.delete_everything(rt, user_id) == ops.Deleted((), 0)

    keys = keys_in(rt.vault, folder)
    assert keys  # Apple's person is still there
    assert [place for place, seal in sealed if opens(place, seal, keys)] == []
    assert found_in(files_below(folder), [*MARKS, user_id]) == []
    assert list(seals_of(folder / "oo.db", user_id)) == []


def seals_of(database: Path, user_id: str) -> Iterator[tuple[Place, bytes]]:
    """Return everything sealed of a person in a database, and where it belongs."""
    with closing(sqlite3.connect(database)) as opened:
        opened.row_factory = sqlite3.Row
        tables = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
        for table in tables:
            columns = {row["name"] for row in opened.execute(f"PRAGMA table_info('{table}')")}
            owner = "id" if table == "user" else "user_id"
            if owner not in columns or table in {"decision", "lesson", "policy_state"}:  # whose bytes are numbers
                continue
            for row in opened.execute(f'SELECT * FROM "{table}" WHERE {owner} = ?', (user_id,)):
                for column in columns:
                    if isinstance(row[column], bytes):
                        place_id = user_id if table == "identity" else row["id"]
                        yield Place(table, place_id, column), row[column]


def keys_in(vault: Vault, folder: Path) -> list[PersonVault]:
    """Open every wrapped key that lies anywhere in the files, freed pages and journals included."""
    found: list[PersonVault] = []
    for file in folder.rglob("*"):
        for token in set(re.findall(rb"gAAAAA[\w-]{60,}={0,2}", file.read_bytes() if file.is_file() else b"")):
            for length in range(len(token), 120, -1):  # what follows in the page may look like more of it
                with suppress(InvalidToken, Exception):
                    found.append(PersonVault(AESGCM(vault._wrap.decrypt(token[:length]))))
                    break
    return found


def opens(place: Place, seal: bytes, keys: Iterable[PersonVault]) -> bool:
    """Whether any of the keys opens a seal."""
    for key in keys:
        with suppress(Invalid):
            key.open(seal, place)
            return True
    return False


async def test_an_export_tells_what_is_sealed(
    rt: Runtime, app: httpx.ASGITransport, browser: Browser, planted: PlantedTodoist
):
    await live_a_little(rt, app, browser, planted)

    told = (await browser.get("/api/v1/me/export")).text

    assert MAIL in told
    assert CONTENT in told
    (user_id,) = await people(rt, MAIL)
    assert json.loads(told) == await exported(rt, user_id)
