import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from oo_app.kit.clock import FakeClock
from tests.sandbox.conftest import APP, client_of, mounted
from tests.sandbox.flows import API, TODOIST, Todoist, connect, consent, token_call

ASKED = {"client_id": "oo-sandbox-todoist", "scope": "data:read_write", "state": "s"}


async def test_the_consent_page_says_sandbox_and_has_its_buttons(http: httpx.AsyncClient):
    page = (await http.get(f"{TODOIST}/oauth/authorize", params=ASKED)).text

    assert "Sandbox" in page
    assert ">Agree</button>" in page
    assert ">Cancel</button>" in page
    assert '<label for="account">Account</label>' in page


async def test_cancelling_tells_the_app(http: httpx.AsyncClient):
    answer = await http.post(f"{TODOIST}/oauth/authorize", params=ASKED, data={"answer": "cancel"})

    assert answer.headers["location"] == f"{APP}/connect/todoist/callback?error=access_denied&state=s"


@pytest.mark.parametrize(
    "changes", [{"client_id": "x"}, {"redirect_uri": f"{APP}/elsewhere"}, {"state": ""}, {"response_type": "token"}]
)
async def test_a_request_not_as_registered_is_answered_to_the_browser(http: httpx.AsyncClient, changes: dict[str, str]):
    answer = await http.get(f"{TODOIST}/oauth/authorize", params=ASKED | changes)

    assert answer.status_code == 400
    assert "error" in answer.json()


async def test_an_unknown_scope_is_told_to_the_app(http: httpx.AsyncClient):
    answer = await http.get(f"{TODOIST}/oauth/authorize", params=ASKED | {"scope": "data:read_write,world:peace"})

    assert answer.headers["location"].endswith("error=invalid_scope&state=s")


async def test_an_app_gets_an_hour_and_a_refresh_token(http: httpx.AsyncClient):
    todoist = await connect(http)

    assert re.fullmatch(r"[0-9a-f]{40}", todoist.tokens["access_token"])
    assert todoist.tokens["expires_in"] == 3600
    assert todoist.tokens["refresh_token"].startswith("rt_")
    assert (await todoist.get("/user")).json()["email"] == "ada@sandbox.test"


async def test_an_older_app_gets_ten_years_and_no_refresh_token(http: httpx.AsyncClient, clock: FakeClock):
    todoist = await connect(http, client_id="oo-sandbox-todoist-legacy")
    clock.advance(timedelta(days=365))

    assert "refresh_token" not in todoist.tokens
    assert todoist.tokens["expires_in"] == 315_360_000
    assert (await todoist.get("/user")).status_code == 200


async def test_a_code_works_once_for_its_app_and_five_minutes(http: httpx.AsyncClient, clock: FakeClock):
    used, foreign, late = [(await consent(http))["code"] for _ in range(3)]
    await token_call(http, code=used)
    again = await token_call(http, code=used)
    other_app = await token_call(http, code=foreign, client_id="oo-sandbox-todoist-legacy")
    clock.advance(timedelta(minutes=5))
    too_late = await token_call(http, code=late)

    for answer in (again, other_app, too_late):
        assert (answer.status_code, answer.json()["error"]) == (400, "bad_authorization_code")


async def test_the_redirect_uri_must_be_the_same_at_both_ends(http: httpx.AsyncClient):
    callback = f"{APP}/connect/todoist/callback"
    first, second = [(await consent(http, redirect_uri=callback))["code"] for _ in range(2)]

    assert (await token_call(http, code=first)).status_code == 400
    assert (await token_call(http, code=second, redirect_uri=callback)).status_code == 200


async def test_wrong_credentials_are_refused(http: httpx.AsyncClient):
    answer = await token_call(http, code=(await consent(http))["code"], client_secret="wrong")

    assert (answer.status_code, answer.json()["error"]) == (400, "incorrect_application_credentials")


async def test_an_access_token_ends_after_an_hour_and_is_renewed(http: httpx.AsyncClient, clock: FakeClock):
    todoist = await connect(http)
    clock.advance(timedelta(hours=1))
    expired = await todoist.get("/user")
    renewed = (await refresh(http, todoist)).json()

    assert (expired.status_code, expired.json()["error_tag"]) == (401, "UNAUTHORIZED")
    assert renewed["refresh_token"] != todoist.tokens["refresh_token"]
    assert (await Todoist(http, renewed).get("/user")).status_code == 200


async def test_a_repeat_within_a_minute_gets_the_same_token_without_a_refresh_token(
    http: httpx.AsyncClient, clock: FakeClock
):
    todoist = await connect(http)
    first = (await refresh(http, todoist)).json()
    clock.advance(timedelta(seconds=60))
    repeat = (await refresh(http, todoist)).json()

    assert repeat["access_token"] == first["access_token"]
    assert "refresh_token" not in repeat
    assert (await refresh(http, Todoist(http, first))).status_code == 200


async def test_a_repeat_after_the_minute_ends_all_tokens_of_that_person_and_app(
    http: httpx.AsyncClient, clock: FakeClock
):
    stolen, second_device, other_person = await connect(http), await connect(http), await connect(http, "ben")
    other_app = await connect(http, client_id="oo-sandbox-todoist-legacy")
    renewed = Todoist(http, (await refresh(http, stolen)).json())
    clock.advance(timedelta(seconds=61))
    replay = await refresh(http, stolen)

    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert (await refresh(http, renewed)).status_code == 400
    assert [(await each.get("/user")).status_code for each in (renewed, second_device)] == [401, 401]
    assert [(await each.get("/user")).status_code for each in (other_person, other_app)] == [200, 200]


async def test_both_ways_of_revoking_end_the_grant_for_good(data_dir: Path, clock: FakeClock):
    credentials = {"client_id": "oo-sandbox-todoist", "client_secret": "oo-sandbox-todoist-secret"}
    async with client_of(mounted(data_dir, clock)) as http:
        first, second, kept = await connect(http), await connect(http), await connect(http)
        by_query = await http.delete(
            f"{API}/access_tokens", params=credentials | {"access_token": first.tokens["access_token"]}
        )
        by_form = await http.post(
            f"{API}/revoke",
            data={"token": second.tokens["access_token"]},
            auth=("oo-sandbox-todoist", "oo-sandbox-todoist-secret"),
        )
    async with client_of(mounted(data_dir, clock)) as http:
        statuses = [(await Todoist(http, each.tokens).get("/user")).status_code for each in (first, second, kept)]
        refreshed = await refresh(http, first)

    assert [(answer.status_code, answer.json()) for answer in (by_query, by_form)] == [(200, None), (200, None)]
    assert statuses == [401, 401, 200]
    assert refreshed.status_code == 400


async def test_a_refresh_token_cannot_be_revoked(http: httpx.AsyncClient):
    todoist = await connect(http)
    auth = ("oo-sandbox-todoist", "oo-sandbox-todoist-secret")
    answer = await http.post(f"{API}/revoke", data={"token": todoist.tokens["refresh_token"]}, auth=auth)

    assert answer.status_code == 403


async def test_scopes_are_kept_apart(http: httpx.AsyncClient):
    reader = await connect(http, scope="data:read")
    adder = await connect(http, scope="task:add")
    task = await reader.task("Dentist")

    assert (await reader.post(f"/tasks/{task['id']}/close")).status_code == 403
    assert (await adder.get("/tasks")).status_code == 403
    assert (await adder.post("/tasks", {"content": "New"})).status_code == 200
    assert (await (await connect(http, scope="data:read_write")).delete(f"/tasks/{task['id']}")).status_code == 403


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer x", "Bearer " + "0" * 40, "Basic abc", "Bearer é"])
async def test_a_made_up_token_is_refused(http: httpx.AsyncClient, token: str):
    answer = await http.get(f"{API}/tasks", headers=[(b"Authorization", token.encode())])

    assert answer.status_code == 401


async def test_the_person_can_take_access_back_in_the_settings(http: httpx.AsyncClient):
    ada, ben = await connect(http), await connect(http, "ben")
    answer = await http.post(f"{TODOIST}/control/revoke", json={"account": "ada"})

    assert answer.json() == {"revoked": 1}
    assert [(await each.get("/user")).status_code for each in (ada, ben)] == [401, 200]
    assert (await refresh(http, ada)).status_code == 400


async def test_access_can_be_made_to_expire_early(http: httpx.AsyncClient):
    todoist = await connect(http)
    await http.post(f"{TODOIST}/control/expire", json={"account": "ada"})
    expired = await todoist.get("/user")
    renewed = Todoist(http, (await refresh(http, todoist)).json())

    assert expired.status_code == 401
    assert (await renewed.get("/user")).status_code == 200


async def refresh(http: httpx.AsyncClient, todoist: Todoist) -> httpx.Response:
    return await token_call(http, grant_type="refresh_token", refresh_token=todoist.tokens["refresh_token"])
