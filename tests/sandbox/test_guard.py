from pathlib import Path

import httpx
import pytest

from oo_app.kit.clock import FakeClock
from oo_app.sandbox import SandboxOptions, build
from tests.sandbox.conftest import APP, OWN, client_of, mounted

PAGE = "/sandbox/todoist/"


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via"])
async def test_a_forwarded_request_is_refused(http: httpx.AsyncClient, name: str):
    answer = await http.get(PAGE, headers={name: "127.0.0.1"})

    assert answer.status_code == 403
    assert answer.text.endswith(".")


@pytest.mark.parametrize("host", ["sandbox.example.com", "localhost.example.com", "10.0.0.1:8000", "", "[oops"])
async def test_a_foreign_host_is_refused(http: httpx.AsyncClient, host: str):
    assert (await http.get(PAGE, headers={"Host": host})).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:8000", "[::1]:8000"])
async def test_a_loopback_host_is_answered(http: httpx.AsyncClient, host: str):
    assert (await http.get(PAGE, headers={"Host": host})).status_code == 200


async def test_another_machine_is_refused(data_dir: Path, clock: FakeClock):
    transport = httpx.ASGITransport(mounted(data_dir, clock), client=("192.168.0.7", 5000))
    async with httpx.AsyncClient(transport=transport, base_url=OWN) as http:
        assert (await http.get(PAGE)).status_code == 403


@pytest.mark.parametrize(("origin", "status"), [("https://example.com", 403), ("null", 403), (OWN, 204), (APP, 204)])
async def test_only_local_pages_may_steer_it(http: httpx.AsyncClient, origin: str, status: int):
    answer = await http.post("/sandbox/todoist/control/reset", headers={"Origin": origin})

    assert answer.status_code == status


@pytest.mark.parametrize(
    "url", ["https://oo.example.com", "http://0.0.0.0:8000", "http://10.1.1.1", "localhost:8000", ""]
)
def test_it_is_not_built_for_other_addresses(tmp_path: Path, clock: FakeClock, url: str):
    for options in (SandboxOptions(url, OWN, tmp_path), SandboxOptions(APP, url, tmp_path)):
        with pytest.raises(ValueError, match="loopback"):
            build(options, clock)


async def test_building_touches_no_file(tmp_path: Path, clock: FakeClock):
    app = mounted(tmp_path, clock)
    before = names_in(tmp_path)
    async with client_of(app) as http:
        await http.get("/sandbox/apple/keys")

    assert before == []
    assert names_in(tmp_path) == ["sandbox.json"]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
