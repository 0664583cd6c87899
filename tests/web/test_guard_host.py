"""People who type this machine's other name are led to the one that cookies and the websocket know."""

import pytest

from tests.browser import Browser


async def test_a_page_asked_for_by_the_other_name_of_this_machine_moves(browser: Browser) -> None:
    headers = {"Accept": "text/html", "Host": "127.0.0.1:8000"}

    response = await browser.client.get("/tip?a=1", headers=headers)

    assert response.status_code == 307
    assert response.headers["location"] == "http://localhost:8000/tip?a=1"


@pytest.mark.parametrize("host", ["evil.example", "localhost:8000", "[bad", ""])
async def test_a_page_asked_for_by_any_other_name_stays(browser: Browser, host: str) -> None:
    response = await browser.client.get("/tip", headers={"Accept": "text/html", "Host": host})

    assert response.status_code == 303
