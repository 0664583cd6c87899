"""Ids that sort by time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from oo_app.kit.ids import made_at, new_id, new_seed

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis wants naive bounds


@given(at=MOMENTS)
def test_an_id_is_a_uuid_of_version_7(at: datetime):
    made = UUID(new_id(at))

    assert (made.version, made.variant) == (7, UUID(int=0x8 << 60).variant)
    assert str(made) == str(made).lower()


@given(first=MOMENTS, second=MOMENTS)
def test_ids_sort_by_the_millisecond_they_were_made_in(first: datetime, second: datetime):
    if int(first.timestamp() * 1000) < int(second.timestamp() * 1000):
        assert new_id(first) < new_id(second)


def test_ids_of_one_moment_differ():
    assert len({new_id(NOW) for _ in range(1_000)}) == 1_000


def test_an_id_tells_when_it_was_made():
    later = NOW + timedelta(milliseconds=7)

    assert UUID(new_id(later)).int >> 80 == int(later.timestamp() * 1000)
    assert made_at(new_id(later)) == later


def test_seeds_fit_a_signed_column_and_differ():
    seeds = {new_seed() for _ in range(1_000)}

    assert len(seeds) == 1_000
    assert all(0 <= seed < 2**63 for seed in seeds)
