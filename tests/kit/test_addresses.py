"""Addresses given by people: public ones only, whatever they are wrapped in, but for what the operator names."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
    assert not is_public(address) or address.is_global


@given(st.ip_addresses(v=4))
def test_what_wraps_an_address_is_not_public_but_where_names_resolve_to_it(inner: IPv4Address):
    number = int(inner)
    compatible, mapped = IPv6Address(number), IPv6Address(0xFFFF << 32 | number)
    six_to_four = IPv6Address(0x2002 << 112 | number << 80)
    teredo = IPv6Address(0x20010000 << 96 | (number ^ 0xFFFFFFFF))
    nat64 = IPv6Address((0x64FF9B << 96) | number)
    local_nat64 = IPv6Address((0x64FF9B0001 << 80) | number)

    assert not any(map(is_public, (compatible, mapped, six_to_four, teredo, local_nat64)))
    assert is_public(nat64) is is_public(inner)


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "2001:4860:4860::8888"])
def test_ordinary_servers_are_public(address: str):
    assert is_public(ip_address(address))


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
        "192.88.99.1",
        "168.63.129.16",
        "3fff::1",
        "4000::1",
        "::ffff:0:808:808",
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
        "https://./",
        "https://xn--a/",
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


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example"])
async def test_a_name_that_nobody_can_ask_for_is_refused_like_a_private_one(host: str):
    with pytest.raises(Invalid) as refused:
        await Addresses().check(f"https://{host}/")

    assert refused.value.detail == NOT_PUBLIC


async def test_names_are_asked_for_in_threads_of_their_own():
    busy = ThreadPoolExecutor()
    busy.shutdown()
    asyncio.get_running_loop().set_default_executor(busy)

    with pytest.raises(Invalid):
        await Addresses().check("http://127.1/")


async def test_a_name_in_any_alphabet_is_allowed_as_it_is_connected_to():
    async def resolve(host: str, port: int) -> Sequence[Ip]:
        return [PRIVATE]

    allowing = Addresses(Private.read("bücher.local"), resolve=resolve)

    checked = await allowing.check("https://bücher.local/")
    assert await allowing.to_connect(checked.raw_host.decode(), 443) == [PRIVATE]


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
        ("https://EXAMPLE.com./a.ics", "https://example.com/a.ics"),
    ],
)
def test_addresses_are_read_as_people_write_them(told: str, read: str):
    assert str(read_url(told)) == read


async def test_production_wants_https_of_what_is_public():
    async def resolve(host: str, port: int) -> Sequence[Ip]:
        return {"example.com": [PUBLIC], "both.local": [PRIVATE, PUBLIC]}.get(host, [PRIVATE])

    strict = Addresses(Private.read("nas.local, both.local"), is_strict=True, resolve=resolve)

    with pytest.raises(Invalid, match="https"):
        await strict.check("http://example.com/")
    await strict.check("https://example.com/")
    with pytest.raises(Invalid, match="https"):
        await strict.check("http://both.local/")
    await strict.check("http://nas.local/")


@pytest.mark.parametrize(
    ("allowed", "host", "address", "is_allowed"),
    [
        ("", "nas.local", "10.0.0.5", False),
        ("nas.local", "nas.local", "10.0.0.5", True),
        ("NAS.local.", "nas.local", "10.0.0.5", True),
        ("nas.local", "other.local", "10.0.0.5", False),
        ("nas.local:5232", "nas.local", "10.0.0.5", True),
        ("10.0.0.5", "nas.local", "10.0.0.5", True),
        ("10.0.0.0/8, 192.168.0.0/16", "nas.local", "192.168.1.1", True),
        ("10.0.0.0/8", "nas.local", "192.168.1.1", False),
        ("1", "nas.local", "10.0.0.5", True),
        ("true", "nas.local", "127.0.0.1", True),
        ("*", "nas.local", "169.254.169.254", False),
        ("169.254.0.0/16", "nas.local", "169.254.169.254", False),
        ("169.254.169.254", "nas.local", "169.254.169.254", True),
        ("*", "nas.local", "::ffff:169.254.169.254", False),
        ("*", "nas.local", "::169.254.169.254", False),
        ("*", "nas.local", "64:ff9b::a9fe:a9fe", False),
        ("*", "nas.local", "64:ff9b:1::1", False),
        ("*", "nas.local", "169.254.170.2", False),
        ("*", "nas.local", "fd00:ec2::254", False),
        ("*", "nas.local", "168.63.129.16", False),
        ("*", "nas.local", "fd20:ce::254", False),
        ("fd00::/8", "nas.local", "fd20:ce::254", False),
        ("*", "nas.local", "224.0.0.1", False),
        ("*", "nas.local", "ff02::1", False),
        ("*", "nas.local", "255.255.255.255", False),
        ("*", "nas.local", "240.0.0.1", False),
        ("metadata.internal", "metadata.internal", "169.254.169.254", True),
        ("[fd00::5]:5232", "fd00::5", "fd00::5", True),
        ("[fd00::5]:80", "fd00::5", "fd00::5", False),
        ("nas.local:80", "nas.local", "10.0.0.5", False),
        ("false", "nas.local", "10.0.0.5", False),
        ("fd00::/8", "nas.local", "fd00::5", True),
    ],
)
def test_the_operator_names_what_is_let_through(allowed: str, host: str, address: str, *, is_allowed: bool):
    assert Private.read(allowed).allows(host, 5232, ip_address(address)) is is_allowed


@pytest.mark.parametrize(
    "value",
    ["http://nas.local", "nas.local/x", "a b", "me@nas.local", "*.local", "nas.local:0", "nas.local:99999", "a..b"],
)
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
