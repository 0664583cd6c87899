"""Marked strings, and the forms in which they might lie somewhere."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx

MAIL = "zq7planted.mail@sandbox.test"
APPLE_MAIL = "zq7planted.apple@sandbox.test"
CONTENT = "Zq7PlantedContent Grüße"
RECURRING = "Zq7PlantedRecurring"
DETAIL = "Zq7PlantedDescription"
PROJECT = "Zq7PlantedProject"
ACCESS = "zq7-planted-access-token"
REFRESH = "zq7-planted-refresh-token"
OWNER_NAME = "Zq7PlantedOwner"
TOKEN_NAME = "Zq7PlantedTokenName"
LABEL = "Zq7PlantedLabel"
MARKS = (MAIL, APPLE_MAIL, CONTENT, RECURRING, DETAIL, PROJECT, ACCESS, REFRESH, OWNER_NAME, TOKEN_NAME, LABEL)


class PlantedTodoist:
    """A Todoist whose every word is marked: tokens, tasks, projects, the owner's name."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response | None:
        """Answer what is asked of Todoist; everything else goes on to the sandbox."""
        path = request.url.path
        if path.endswith("/todoist/oauth/access_token"):
            grant = {"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": 3600, "token_type": "Bearer"}
            return httpx.Response(200, json=grant)
        if path.endswith("/todoist/api/v1/sync"):
            return self._sync(parse_qs(request.content.decode()))
        if path.endswith("/completed/by_completion_date"):
            return httpx.Response(200, json={"items": [], "next_cursor": None})
        if path.endswith("/activities"):
            return httpx.Response(200, json={"results": [], "next_cursor": None})
        if path.endswith("/access_tokens"):
            return httpx.Response(204)
        return None

    def _sync(self, form: dict[str, list[str]]) -> httpx.Response:
        if "commands" in form:
            (command,) = json.loads(form["commands"][0])
            self.closed.append(command["args"]["id"])
            return httpx.Response(200, json={"sync_status": {command["uuid"]: "ok"}, "sync_token": "t"})
        is_full = form["sync_token"] == ["*"]
        owner = {"id": "4711", "full_name": OWNER_NAME, "email": MAIL, "tz_info": {"timezone": "Europe/Berlin"}}
        answer: dict[str, Any] = {"sync_token": "t", "full_sync": is_full, "items": [], "projects": [], "user": owner}
        if is_full:
            answer["projects"] = [{"id": "p1", "name": PROJECT}]
            answer["items"] = [
                {
                    "id": "i1",
                    "content": CONTENT,
                    "description": DETAIL,
                    "project_id": "p1",
                    "checked": False,
                    "labels": [LABEL],
                },
                {"id": "i2", "content": CONTENT, "description": "", "project_id": "p1", "checked": False},
                {
                    "id": "i3",
                    "content": RECURRING,
                    "project_id": "p1",
                    "checked": False,
                    "due": {"date": "2026-11-23", "is_recurring": True},
                },
            ]
        return httpx.Response(200, json=answer)


def forms_of(mark: str) -> set[bytes]:
    """Return a text as it might be written: encodings, hex, base64 at each alignment, and what can be guessed from."""
    return spellings_of(mark) | hashes_of(mark)


def spellings_of(mark: str) -> set[bytes]:
    """Return a text in several encodings."""
    raw = mark.encode()
    forms = {raw, mark.encode("utf-16-le"), mark.encode("utf-16-be"), repr(mark)[1:-1].encode(), raw[::-1]}
    forms |= {raw.hex().encode(), raw.hex().upper().encode()}
    for skipped in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * skipped + raw)
            forms.add(whole[(skipped * 8 + 5) // 6 : len(whole) - 4])  # without what neighbours would change
    return forms


def hashes_of(mark: str) -> set[bytes]:
    """Return hashes without a key, by which a guessed text could be confirmed."""
    forms: set[bytes] = set()
    for digest in (hashlib.sha256, hashlib.sha1, hashlib.md5):
        for text in (mark.encode(), mark.lower().encode()):
            forms |= {digest(text).digest(), digest(text).hexdigest().encode()}
    return forms


def found_in(
    written: Iterable[tuple[str, bytes]], marks: Iterable[str], *, forms: Callable[[str], set[bytes]] = forms_of
) -> list[tuple[str, str]]:
    """Name where which mark lies readable, in whatever form."""
    known = [(mark, form) for mark in marks for form in forms(mark)]
    return sorted({(where, mark) for where, content in written for mark, form in known if form in content})


def files_below(folder: Path) -> Iterable[tuple[str, bytes]]:
    """Read every file but the sandbox's own: it stands in for Google, Apple and Todoist, who know these words."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.name.startswith("sandbox"):
            yield str(file.relative_to(folder)), file.read_bytes()
