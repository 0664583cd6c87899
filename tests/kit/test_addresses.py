"""Addresses given by people: public ones only, whatever they are wrapped in, but for what the operator names."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_app.kit.addresses import NOT_PUBLIC, Addresses, Ip, Private, is_public, read_url
from oo_app.kit.config import Settings, SettingsError
from oo_app.kit.errors import Invalid
from oo_app.runtime import addresses

PUBLIC, PRIVATE = ip_address("93.184.216.34"), ip_address("10.0.0.5")


def resolving(*found: Ip) -> Addresses:
    """Resolve every name to the same."""

    async def resolve(host: str, port: int) -> Sequence[Ip]:
        if not found:
            raise OSError
        return found

    return Addresses(resolve=resolve)


@given(st.ip_addresses(v=4))
def test_no_v4_address_is_public_that_python_calls_otherwise(address: IPv4Address):
    assert not is_public(address) or (address.is_global and not address.is_multicast and not address.is_reserved)


@given(st.ip_addresses(v=6))
def test_no_v6_address_is_public_that_python_calls_otherwise(address: IPv6Address):
    assert not is_public(address) or address.is_global or address.sixtofour or address.teredo


@given(st.ip_addresses(v=4))
def test_what_wraps_an_address_is_as_public_as_what_it_wraps(inner: IPv4Address):
    number = int(inner)
    mapped = IPv6Address(0xFFFF << 32 | number)
    six_to_four = IPv6Address(0x2002 << 112 | number << 80)
    nat64 = IPv6Address((0x64FF9B << 96) | number)
    teredo = IPv6Address(0x20010000 << 96 | (number ^ 0xFFFFFFFF))

    assert {is_public(each) for each in (mapped, six_to_four, nat64, teredo)} == {is_public(inner)}


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "64:ff9b:1::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
async def test_an_address_that_is_not_public_is_refused(address: str):
    assert not is_public(ip_address(address))
    with pytest.raises(Invalid, match="public"):
        await resolving(ip_address(address)).check("https://calendar.example/feed.ics")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not an address",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "gopher://example.com",
        "https://",
        "https:///feed.ics",
        "https://user:secret@example.com/",
        "https://example.com\\@10.0.0.5/",
        "https://exam ple.com/",
        "https://example.com/a\nb",
        "https://example.com:0/",
        "https://example.com:70000/",
        "https://example.com:22/",
        "https://example.com:6379/",
        "https://[fe80::1%25eth0]/",
        "//example.com/feed.ics",
        "https://example.com/" + "x" * 2000,
    ],
)
async def test_what_is_no_address_of_ours_is_refused_with_its_field(url: str):
    with pytest.raises(Invalid) as refused:
        await resolving(PUBLIC).check(url)

    assert refused.value.facts["field"] == "url"
    assert refused.value.detail.startswith("url: ")
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "LOCALHOST.", "[::1]", "①②⑦.0.0.1"]
)
async def test_ways_to_write_this_machine_are_refused(host: str):
    with pytest.raises(Invalid):
        await Addresses().check(f"http://{host}/")


async def test_one_private_address_among_public_ones_refuses_the_name():
    with pytest.raises(Invalid):
        await resolving(PUBLIC, PRIVATE).check("https://example.com/")


async def test_a_name_that_leads_nowhere_is_refused_like_a_private_one():
    with pytest.raises(Invalid) as nowhere:
        await resolving().check("https://example.com/")

    assert nowhere.value.detail == NOT_PUBLIC


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("webcal://example.com/a.ics", "https://example.com/a.ics"),
        ("webcals://example.com/a.ics", "https://example.com/a.ics"),
        (" https://example.com/a.ics#part ", "https://example.com/a.ics"),
        ("http://example.com:8080/a?b=c", "http://example.com:8080/a?b=c"),
    ],
)
def test_addresses_are_read_as_people_write_them(told: str, read: str):
    assert str(read_url(told)) == read


async def test_production_wants_https_of_what_is_public():
    async def resolve(host: str, port: int) -> Sequence[Ip]:
        return [PUBLIC if host == "example.com" else PRIVATE]

    strict = Addresses(Private.read("nas.local"), is_strict=True, resolve=resolve)

    with pytest.raises(Invalid, match="https"):
        await strict.check("http://example.com/")
    await strict.check("https://example.com/")
    await strict.check("http://nas.local/")


@pytest.mark.parametrize(
    ("allowed", "host", "address", "is_allowed"),
    [
        ("", "nas.local", "10.0.0.5", False),
        ("nas.local", "nas.local", "10.0.0.5", True),
        ("NAS.local.", "nas.local", "10.0.0.5", True),
        ("nas.local", "other.local", "10.0.0.5", False),
        ("nas.local:5232", "nas.local", "10.0.0.5", True),
        ("nas.local:80", "nas.local", "10.0.0.5", False),
        ("10.0.0.5", "nas.local", "10.0.0.5", True),
        ("10.0.0.0/8, 192.168.0.0/16", "nas.local", "192.168.1.1", True),
        ("10.0.0.0/8", "nas.local", "192.168.1.1", False),
        ("1", "nas.local", "10.0.0.5", True),
        ("true", "nas.local", "127.0.0.1", True),
        ("*", "nas.local", "169.254.169.254", False),
        ("169.254.0.0/16", "nas.local", "169.254.169.254", False),
        ("169.254.169.254", "nas.local", "169.254.169.254", True),
        ("false", "nas.local", "10.0.0.5", False),
        ("fd00::/8", "nas.local", "fd00::5", True),
    ],
)
def test_the_operator_names_what_is_let_through(allowed: str, host: str, address: str, *, is_allowed: bool):
    assert Private.read(allowed).allows(host, 5232, ip_address(address)) is is_allowed


@pytest.mark.parametrize("value", ["http://nas.local", "nas.local/x", "a b", "me@nas.local"])
def test_what_is_no_host_stops_the_start(value: str):
    with pytest.raises(SettingsError, match="OO_ALLOW_PRIVATE_HOSTS"):
        Settings.load(oo_allow_private_hosts=value)


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("http://127.0.0.1:8000/sandbox/calendar/ada/basic.ics", True),
        ("http://127.0.0.1:8000/sandbox/calendar/../../healthz", False),
        ("http://127.0.0.1:8000/sandbox/calendar/%2e%2e/todoist", False),
        ("http://127.0.0.1:8000/sandbox/calendar/..%2f..%2fhealthz", False),
        ("http://127.0.0.1:8000/sandbox/calendar/%252e%252e/", False),
        ("http://127.0.0.1:8000/healthz", False),
        ("http://127.0.0.1:8001/sandbox/calendar/ada/basic.ics", False),
        ("http://localhost:8000/sandbox/calendar/ada/basic.ics", False),
        ("http://127.0.0.1:8000/sandbox/calendar@evil/", False),
    ],
)
async def test_of_this_machine_only_the_sandboxs_calendar_is_let_through(url: str, *, is_ours: bool):
    checked = addresses(Settings.model_validate({"oo_sandbox": True}))

    if is_ours:
        assert await checked.check(url) == httpx.URL(url)
    else:
        with pytest.raises(Invalid):
            await checked.check(url)


async def test_without_the_sandbox_nothing_of_this_machine_is_let_through():
    checked = addresses(Settings.model_validate({"oo_sandbox": False}))

    with pytest.raises(Invalid):
        await checked.check("http://127.0.0.1:8000/sandbox/calendar/ada/basic.ics")
