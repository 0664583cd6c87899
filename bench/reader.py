"""A runtime of this process on a folder of its own, with people whose Todoist is elsewhere."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from oo_app import connections, ops
from oo_app.accounts import Person, sign_in
from oo_app.kit import log
from oo_app.kit.config import Settings
from oo_app.runtime import Runtime, build

KEY = "the-key-of-a-database-of-a-bench"
BROWSER = "the-browser-of-the-bench"


def settings_in(folder: Path, variables: Mapping[str, str]) -> Settings:
    """Return settings that write below a folder and lead to a Todoist."""
    named = {name.lower(): value for name, value in variables.items()}
    return Settings.model_validate(
        {"oo_data_dir": folder, "oo_secret_keys": KEY, "oo_encryption_keys": KEY[::-1], "oo_sandbox": False, **named}
    )


@asynccontextmanager
async def reading(folder: Path, variables: Mapping[str, str]) -> AsyncGenerator[Runtime]:
    """Run on a migrated database until the block ends; nothing happens by itself."""
    log.configure(as_json=False)
    settings = settings_in(folder, variables)
    await asyncio.to_thread(ops.migrate, settings)
    rt = build(settings)
    await rt.start()
    try:
        yield rt
    finally:
        await rt.jobs.settle()
        await rt.stop()


async def connected(rt: Runtime, account: str) -> str:
    """Sign somebody in and connect an account of the Todoist there; return the connection's id."""
    person = Person("https://bench.test", account, f"{account}@bench.test", None)
    user_id, _ = await sign_in(rt, person, replacing=None)
    url = await connections.start(rt, user_id, "todoist", BROWSER)
    async with httpx.AsyncClient(trust_env=False) as client:
        back = await client.post(url, data={"account": account, "answer": "agree"})
    told = parse_qs(urlsplit(back.headers["location"]).query)
    code, state = told["code"][0], told["state"][0]
    return await connections.finish(rt, user_id, "todoist", code=code, state=state, browser=BROWSER)
