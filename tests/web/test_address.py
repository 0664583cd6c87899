"""Which address a request is counted under: never one that the client can write itself."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_app.web.address import client_address, is_direct

HERE = ("host", "localhost:8000")
FORWARDING = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded",
    "X-Real-IP",
    "CF-Connecting-IP",
    "Via",
]


def scope(peer: str | None, *headers: tuple[str, str]) -> dict[str, Any]:
    """Return a request from a peer."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {"type": "http", "client": (peer, 1) if peer is not None else None, "headers": raw}


def told(*values: str) -> tuple[tuple[str, str], ...]:
    return tuple(("x-forwarded-for", value) for value in values)


@pytest.mark.parametrize(
    ("values", "hops", "address"),
    [
        (("192.0.2.1",), 0, "10.0.0.1"),
        ((), 1, "10.0.0.1"),
        (("192.0.2.1",), 1, "192.0.2.1"),
        (("made-up, 192.0.2.1",), 1, "192.0.2.1"),
        (("203.0.113.7, 192.0.2.1, 10.0.0.2",), 2, "192.0.2.1"),
        (("192.0.2.1",), 2, "10.0.0.1"),
        (("203.0.113.7", "192.0.2.1"), 1, "192.0.2.1"),
        (("203.0.113.7", "192.0.2.1"), 2, "203.0.113.7"),
        (("192.0.2.1:4711",), 1, "192.0.2.1"),
        (("[2001:db8::1]:4711",), 1, "2001:db8::1"),
        (("2001:DB8::1",), 1, "2001:db8::1"),
        (("unknown",), 1, "10.0.0.1"),
        (("192.0.2.1,",), 1, "10.0.0.1"),
        (("",), 1, "10.0.0.1"),
    ],
)
def test_the_nth_from_the_right_counts_and_else_the_peer(values: tuple[str, ...], hops: int, address: str):
    assert client_address(scope("10.0.0.1", *told(*values)), hops) == address


def test_a_socket_of_this_machine_has_no_address():
    assert client_address(scope(None), 0) == ""


@given(
    forged=st.lists(st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20), max_size=4),
    hops=st.integers(1, 3),
)
def test_whatever_a_client_writes_the_proxies_words_count(forged: list[str], hops: int):
    proxies = ["192.0.2.1", "10.0.0.2", "10.0.0.3"][:hops]

    assert client_address(scope("10.0.0.4", *told(*forged, ", ".join(proxies))), hops) == "192.0.2.1"


@pytest.mark.parametrize("name", FORWARDING)
def test_what_was_passed_on_is_not_direct(name: str):
    assert not is_direct(scope("127.0.0.1", HERE, (name.lower(), "x")))
    assert is_direct(scope("127.0.0.1", HERE, ("accept", "x")))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[oops"])
def test_a_name_that_was_bent_to_this_machine_is_not_direct(host: str):
    assert not is_direct(scope("127.0.0.1", ("host", host)))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_this_machines_own_names_are_direct(host: str):
    assert is_direct(scope("::1", ("host", host)))
    assert not is_direct(scope("192.0.2.1", ("host", host)))
