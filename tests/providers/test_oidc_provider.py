"""Our OpenID client against a certified provider that we did not write (npm oidc-provider), over real sockets.

Our own sandbox checks PKCE as we understood it; this one checks it as the standard says.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest

from oo_app.accounts import Begun, Taken, authorization_url, begin_flow, identify, take_flow
from oo_app.kit.errors import Invalid
from oo_app.runtime import Runtime, build
from tests.conftest import settings_in
from tests.served import free_port

pytestmark = pytest.mark.server

NODE = Path(sys.executable).with_name("node")
FOLDER = Path(__file__).resolve().parents[1] / "node"
REDIRECT_URI = "http://localhost:8000/auth/google/callback"
BROWSER = "the secret of this browser"
PURPOSE = "sign-in:google"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The provider, running on a free port until the tests of this file are over."""
    assert (FOLDER / "node_modules").exists(), "make test installs it: cd tests/node && npm ci"
    port = free_port()
    # The environment's node is a small program that starts the real one: they are ended together, as one group.
    process = subprocess.Popen(
        [NODE, "provider.mjs", str(port), REDIRECT_URI],
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with closing(process.stdout) as said:
        try:
            assert said.readline() == "ready\n", "the provider did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            end(process)


def end(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
async def real(tmp_path: Path, migrated: Path, issuer: str) -> AsyncIterator[Runtime]:
    """A runtime with the real clock and the real network, the provider standing for Google."""
    for file in migrated.iterdir():
        shutil.copy(file, tmp_path / file.name)
    client = {"google_client_id": "oo-test", "google_client_secret": "oo-test-secret", "google_issuer": issuer}
    runtime = build(settings_in(tmp_path, **client))
    await runtime.start()
    yield runtime
    await runtime.stop()


async def signed_in(url: str) -> dict[str, str]:
    """Follow the provider as a browser does, until it leads back to us; return what it says there."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        response = await browser.get(url)
        while not response.headers.get("location", "").startswith(REDIRECT_URI):
            assert response.is_redirect, response.text
            response = await browser.get(urljoin(str(response.url), response.headers["location"]))
    query = parse_qs(urlsplit(response.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


async def begun_and_signed_in(rt: Runtime) -> tuple[Begun, dict[str, str]]:
    begun = await begin_flow(rt, PURPOSE, BROWSER)
    return begun, await signed_in(await authorization_url(rt, "google", begun))


async def refusal_of(rt: Runtime, code: str, taken: Taken) -> dict[str, object]:
    with pytest.raises(Invalid) as refused:
        await identify(rt, "google", code, taken)
    return dict(refused.value.facts)


async def test_somebody_signs_in(real: Runtime, issuer: str):
    _, back = await begun_and_signed_in(real)

    taken = await take_flow(real, PURPOSE, back["state"], BROWSER)
    person = await identify(real, "google", back["code"], taken)

    assert (person.issuer, person.subject, person.email) == (issuer, "ada", "ada@example.com")


async def test_a_wrong_verifier_is_refused_there(real: Runtime):
    begun, back = await begun_and_signed_in(real)
    other = await begin_flow(real, PURPOSE, BROWSER)

    taken = Taken(nonce=begun.nonce, verifier=other.verifier, user_id=None)

    assert await refusal_of(real, back["code"], taken) == {"code": "untrusted", "cause": "invalid_grant"}


async def test_the_challenge_is_demanded_there(real: Runtime):
    begun = await begin_flow(real, PURPOSE, BROWSER)
    url = httpx.URL(await authorization_url(real, "google", begun))

    bare = url.copy_remove_param("code_challenge").copy_remove_param("code_challenge_method")

    assert (await signed_in(str(bare)))["error"] == "invalid_request"


async def test_another_nonce_is_refused_here(real: Runtime):
    begun, back = await begun_and_signed_in(real)

    taken = Taken(nonce="another", verifier=begun.verifier, user_id=None)

    assert await refusal_of(real, back["code"], taken) == {"code": "untrusted", "cause": "InvalidClaimError"}


async def test_a_code_is_taken_once_there(real: Runtime):
    begun, back = await begun_and_signed_in(real)
    taken = Taken(nonce=begun.nonce, verifier=begun.verifier, user_id=None)

    await identify(real, "google", back["code"], taken)

    assert await refusal_of(real, back["code"], taken) == {"code": "untrusted", "cause": "invalid_grant"}


async def test_a_wrong_client_secret_is_refused_there(real: Runtime):
    begun, back = await begun_and_signed_in(real)
    wrong = real.settings.model_validate({**real.settings.model_dump(), "google_client_secret": "wrong"})
    taken = Taken(nonce=begun.nonce, verifier=begun.verifier, user_id=None)

    refused = await refusal_of(replace(real, settings=wrong), back["code"], taken)

    assert refused == {"code": "untrusted", "cause": "invalid_client"}


async def test_an_address_not_verified_there_is_refused_here(real: Runtime):
    begun = await begin_flow(real, PURPOSE, BROWSER)
    url = httpx.URL(await authorization_url(real, "google", begun))
    back = await signed_in(str(url.copy_add_param("login_hint", "unverified")))

    taken = await take_flow(real, PURPOSE, back["state"], BROWSER)

    assert (await refusal_of(real, back["code"], taken))["code"] == "unverified"
