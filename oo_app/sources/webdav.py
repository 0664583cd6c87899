"""The little of WebDAV that CalDAV needs (RFC 4918, 4791, 6578): asking, and reading what is told of many resources."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

import httpx
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from oo_app.kit.answer import Answer
from oo_app.kit.errors import RateLimited, SourceDown
from oo_app.sources.source import Door, NotPermitted, TokenRefused

DAV, CAL = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"
XML = "application/xml; charset=utf-8"
SPACES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Resource:
    """What is told of one resource: its path, how asking for it went, and the properties that it has."""

    path: str
    status: int
    props: Mapping[str, Element]

    def text(self, name: str) -> str:
        """Return a property that is a text; empty where there is none."""
        return (self.props[name].text or "").strip() if name in self.props else ""

    def link(self, name: str) -> str:
        """Return a property that is another resource's address, as it stands there; empty where there is none."""
        found = self.props[name].find(f"{DAV}href") if name in self.props else None
        return "" if found is None else (found.text or "").strip()

    def holds(self, name: str, *tags: str) -> bool:
        """Whether a property holds one of these elements, at any depth."""
        return name in self.props and any(each.tag in tags for each in self.props[name].iter())


@dataclass(frozen=True, slots=True)
class Told:
    """What one answer tells: of which resources, and the token to ask with for what changes after it."""

    url: str
    resources: Sequence[Resource]
    token: str


class Dav:
    """Asks one server, under the login that a person typed."""

    def __init__(self, door: Door) -> None:
        """Go out by a door."""
        self.door = door
        login = door.login
        secret = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {secret}"}

    async def send(self, method: str, url: str, body: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for a resource; who is not let in, or asked too often, is told apart from all other answers."""
        told = {**self._headers, **(headers or {})}
        answer = await self.door.http.foreign.send(method, url, headers=told, body=body.encode() if body else None)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise TokenRefused
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimited(None, retry_after=answer.retry_after, status=answer.status)
        return answer

    async def led_to(self, url: str) -> str:
        """Return where an address leads; only there the password is told."""
        headers = {"Depth": "0", "Content-Type": XML}
        return (await self.door.http.foreign.send("PROPFIND", url, headers=headers)).url

    async def propfind(self, url: str, props: str, *, depth: int) -> Told:
        """Ask for properties of a resource, and at depth 1 of what it holds."""
        return await self.told("PROPFIND", url, f"<propfind {SPACES}><prop>{props}</prop></propfind>", depth)

    async def told(self, method: str, url: str, body: str, depth: int) -> Told:
        """Ask what is answered for many resources; SourceDown with the status where it is not answered so."""
        answer = await self.send(method, url, body, {"Depth": str(depth), "Content-Type": XML})
        if answer.status == HTTPStatus.FORBIDDEN and b"valid-sync-token" not in answer.body:
            raise NotPermitted
        if answer.status != HTTPStatus.MULTI_STATUS:
            raise SourceDown(None, status=answer.status, cause="no multistatus")
        return await asyncio.to_thread(_read, answer)


def at(url: str, href: str) -> str:
    """Return a resource's address on the server that told of it.

    Only the path counts: behind a proxy servers often get their own scheme or port wrong, and nobody's word sends the
    password to another server.
    """
    return str(httpx.URL(url).copy_with(raw_path=path_of(url, href).encode()))


def elsewhere(url: str, href: str) -> str:
    """Return an address that may lie on another server: the one that has the password may name where its lists are."""
    try:
        there = httpx.URL(href.strip())
    except httpx.InvalidURL:
        return at(url, href)
    is_safe = there.scheme == "https" and there.host != httpx.URL(url).host
    return str(there) if is_safe and there.host else at(url, href)


def path_of(url: str, href: str) -> str:
    """Return the path that a reference stands for, written the same however the server writes it."""
    try:
        return httpx.URL(url).join(href.strip()).copy_with(query=None, fragment=None).raw_path.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        return ""


def quoted(text: str) -> str:
    """Return a text as it stands in XML."""
    return escape(text)


def _read(answer: Answer) -> Told:
    """Read a multistatus answer; anything else, and whatever XML can do to its reader, is refused."""
    try:
        root = fromstring(answer.body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise SourceDown(None, status=answer.status, cause="no XML") from error
    if root.tag != f"{DAV}multistatus":
        raise SourceDown(None, status=answer.status, cause="no multistatus")
    resources = [_resource(answer.url, each) for each in root.findall(f"{DAV}response")]
    token = root.findtext(f"{DAV}sync-token") or ""
    return Told(answer.url, [each for each in resources if each.path], token.strip())


def _resource(url: str, response: Element) -> Resource:
    props: dict[str, Element] = {}
    for propstat in response.findall(f"{DAV}propstat"):
        if _status(propstat) in SUCCESS:
            props |= {prop.tag: prop for found in propstat.findall(f"{DAV}prop") for prop in found}
    return Resource(path_of(url, response.findtext(f"{DAV}href") or ""), _status(response), props)


def _status(element: Element) -> int:
    """Read `HTTP/1.1 200 OK`; what has no status of its own went well."""
    parts = (element.findtext(f"{DAV}status") or "").split()
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else HTTPStatus.OK
