"""The socket itself: who may open one, what it takes, and that what it does not take harms nobody else."""

import json
from contextlib import suppress
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.doors.rawsocket import HYDRATE_AND_LOAD, NAMESPACE, TIP, Tab, event, tab
from tests.doors.stage import Somebody, Stage
from tests.doors.watch import changes, rows

pytestmark = pytest.mark.server

TOO_LONG = "x" * (70 * 1024)
GARBAGE = [
    "",
    "4",
    "42",
    "9",
    f"42{NAMESPACE},",
    f"42{NAMESPACE},[",
    f"42{NAMESPACE},[]",
    f"42{NAMESPACE},{{}}",
    f'42{NAMESPACE},["event"]',
    f'42{NAMESPACE},["event",null]',
    f'42{NAMESPACE},["event",7]',
    f'42{NAMESPACE},["event","{{"]',
    f'42{NAMESPACE},["event",{{"name":7}}]',
    f'42{NAMESPACE},["event",{{"name":"{TIP}.load","payload":[]}}]',
    f'42{NAMESPACE},["event",{{"name":"{TIP}.load","router_data":7}}]',
    f'42{NAMESPACE},["client_error",{{"message":"x"}}]',
    f"42{NAMESPACE}," + "[" * 5_000,
    f'451{NAMESPACE},["event",{{"_placeholder":true,"num":0}}]',
    '42/other,["event",{}]',
    "41",
]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1:8000"])
async def test_a_socket_of_another_site_is_refused(stage: Stage, origin: str):
    with pytest.raises(InvalidStatus):
        async with tab(stage.site, stage.victim.cookie, origin=origin):
            pass


async def test_a_socket_without_an_origin_is_refused(stage: Stage):
    with pytest.raises(InvalidStatus):
        async with tab(stage.site, stage.victim.cookie, has_origin=False):
            pass


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("origin", ["https://evil.example", None])
def test_there_is_no_way_round_the_socket(stage: Stage, method: str, origin: str | None):
    headers = {"Cookie": f"oo_session={stage.victim.cookie}"} | ({"Origin": origin} if origin else {})
    address = f"{stage.site.url}/_event/?EIO=4&transport=polling&token={uuid4()}"

    answer = httpx.request(method, address, headers=headers, content=b"40/_event,", trust_env=False)

    assert answer.is_client_error
    assert "sid" not in answer.text
    assert "access-control-allow-origin" not in answer.headers


@pytest.fixture(scope="module")
def bystander(stage: Stage) -> Somebody:
    """Somebody who has a tab open meanwhile."""
    return stage.stranger()


@pytest.mark.parametrize("frame", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_harms_nobody_else(stage: Stage, bystander: Somebody, frame: str):
    before = rows(stage.site.folder)
    async with tab(stage.site, bystander.cookie) as other, tab(stage.site) as attacker:
        await attacker.connection.send(frame)
        await answered_or_closed(attacker)

        await other.send(f"{TIP}.load")
        assert bystander.user_id in await other.settled()
    assert changes(before, rows(stage.site.folder), victim=stage.ids, own=[bystander.user_id], ended=()) == []


@pytest.mark.parametrize("frame", [TOO_LONG, TOO_LONG.encode()], ids=["text", "bytes"])
async def test_a_frame_too_long_closes_the_socket_it_came_by(stage: Stage, bystander: Somebody, frame: str | bytes):
    async with tab(stage.site, bystander.cookie) as other, tab(stage.site) as attacker:
        await attacker.connection.send(frame)
        await attacker.connection.wait_closed()
        assert attacker.connection.close_code == 1009

        await other.send(f"{TIP}.load")
        assert bystander.user_id in await other.settled()


async def test_a_state_cannot_be_filled_from_outside(stage: Stage):
    forged = dict.fromkeys(stage.doors.fields, "forged")
    async with tab(stage.site, boot=event(HYDRATE_AND_LOAD, {"vars": forged, "hashes": ["forged"]})) as attacker:
        for name in stage.doors.handlers:
            if name.endswith(("update_vars_internal", "hydrate_and_load")):
                await attacker.send(name, {"vars": forged})
            if name.endswith(".setvar"):
                for field in stage.doors.fields:
                    await attacker.send(name, {"var_name": field.rpartition(".")[2], "value": "forged"})
        heard = await attacker.settled()

    deltas = [json.loads(line.partition(",")[2])[1].get("delta", {}) for line in heard.splitlines() if "delta" in line]
    forged_to = {name for delta in deltas for values in delta.values() for name in values if values[name] == "forged"}
    assert deltas
    assert forged_to <= {"is_hydrated_rx_state_"}  # the vendor's: whether the page may be drawn yet


async def answered_or_closed(attacker: Tab) -> None:
    """Wait until the server has dealt with what was sent, or has had enough of it."""
    with suppress(ConnectionClosed):
        await attacker.settled()
