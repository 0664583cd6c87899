"""The source's own door, with the made-up Todoist behind it."""

from collections.abc import AsyncIterator

import pytest

from oo_app.kit.clock import FakeClock
from oo_app.kit.config import Settings
from oo_app.kit.http import Http
from oo_app.sources import Door
from tests.sources.todoist import Todoist


@pytest.fixture
def there() -> Todoist:
    return Todoist()


@pytest.fixture
async def door(there: Todoist, clock: FakeClock) -> AsyncIterator[Door]:
    settings = Settings.model_validate({"todoist_client_id": "our-id", "todoist_client_secret": "our-secret"})
    http = Http(clock, there)
    yield Door(http, settings, "a-token", clock.now())
    await http.stop()
