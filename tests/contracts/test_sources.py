"""Every source passes every check of the conformance kit, as `oo source check NAME` makes them."""

from pathlib import Path

import pytest

from oo_app.conformance import CHECKS, Check, prepare, stand_for, tried
from oo_app.sources import SOURCES, Source

pytestmark = pytest.mark.long


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database for checks to begin with a copy of."""
    return prepare(tmp_path_factory.mktemp("template"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
async def test_a_source_holds(source: Source, check: Check, template: Path):
    verdict = await tried(check, source, stand_for(source.name, None), template)

    assert verdict.came != "FAILED", verdict.said
