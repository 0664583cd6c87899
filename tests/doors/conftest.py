"""One application for all attacks; the victim in it stays as they are."""

from collections.abc import Generator

import pytest

from tests.doors.stage import Stage, staged


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """The application, the victim and the doors."""
    with staged(tmp_path_factory.mktemp("doors")) as standing:
        yield standing
