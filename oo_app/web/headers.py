"""What every answer tells the browser: what it may run, embed, keep and pass on."""

import base64
import hashlib
from collections.abc import Sequence
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import Scope

from oo_app.kit.config import Settings

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
TRANSPORT = "max-age=31536000; includeSubDomains"
SERVICE_WORKER = "/sw.js"
PICTURE = "image/svg+xml"
IMMUTABLE = "public, max-age=31536000, immutable"
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
# A worker is held to the policy that its own script came with.
WORKER = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
# The stand-ins' pages send forms on to the app, as the real ones do, and Apple's sends one by itself.
SANDBOX = "frame-ancestors 'none'; base-uri 'self'; object-src 'none'"


class AnswerHeaders:
    """Completes answers; made once a process."""

    def __init__(self, settings: Settings, scripts: Sequence[str]) -> None:
        """Take the hashes of the scripts written out in the exported pages, as `inline_scripts` gives them."""
        self._always = ALWAYS | ({"Strict-Transport-Security": TRANSPORT} if settings.is_https else {})
        self._page = _policy(settings.base_url, scripts)

    def complete(self, headers: MutableHeaders, scope: Scope, status: int) -> None:
        """Add what is missing to an answer; a script with `?v=` names what it holds, as built files do."""
        path: str = scope["path"]
        is_script = path.endswith(".js") and path != SERVICE_WORKER
        is_named_by_content = path.startswith("/assets/") or (is_script and scope["query_string"].startswith(b"v="))
        if is_named_by_content and status == HTTPStatus.OK:
            headers["Cache-Control"] = IMMUTABLE
        is_page = headers.get("content-type", "").startswith("text/html")
        for name, value in self._always.items():
            headers.setdefault(name, value)
        if headers.get("content-type") == PICTURE:
            headers["content-type"] = f"{PICTURE}; charset=utf-8"  # the file server says so of text/… only
        if scope["state"]["is_sandbox"]:
            headers.setdefault("Content-Security-Policy", SANDBOX)
        elif path == SERVICE_WORKER:
            headers.setdefault("Content-Security-Policy", WORKER)
            headers.setdefault("Cache-Control", "no-cache")
        else:
            # "Not modified" tells no type, and its headers replace those the browser had kept (RFC 9111, section 3.2).
            allows = is_page or status == HTTPStatus.NOT_MODIFIED
            headers.setdefault("Content-Security-Policy", self._page if allows else NOTHING)
        if is_page:
            headers.setdefault("Cache-Control", "no-cache")  # a page is asked for again, so that its guard is too
        elif path.startswith("/api/"):
            headers.setdefault("Cache-Control", "no-store")


def inline_scripts(folder: Path) -> tuple[str, ...]:
    """Return the sources (CSP Level 3, section 2.3.1) of all scripts written out in the documents of a folder."""
    found: set[str] = set()
    for document in folder.rglob("*.html"):
        reader = _Scripts()
        reader.feed(document.read_text())
        found.update(_source(script) for script in reader.scripts)
    return tuple(sorted(found))


class _Scripts(HTMLParser):
    """Collects the scripts that stand in a document itself."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_inside = tag == "script" and "src" not in dict(attrs)
        if self._is_inside:
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._is_inside:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._is_inside = False


def _source(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _policy(base_url: str, scripts: Sequence[str]) -> str:
    """Allow our own files and socket, and the scripts we wrote out; nothing else runs, loads or frames."""
    base = urlsplit(base_url)
    socket = f"{'wss' if base.scheme == 'https' else 'ws'}://{base.netloc}"  # older Safari takes 'self' for http only
    directives = {
        "default-src": ("'none'",),
        "script-src": ("'self'", *scripts),
        "style-src": ("'self'",),
        "img-src": ("'self'", "data:"),
        "font-src": ("'self'",),
        "connect-src": ("'self'", socket),
        "manifest-src": ("'self'",),
        "worker-src": ("'self'",),
        "form-action": ("'self'",),
        "frame-ancestors": ("'none'",),
        "base-uri": ("'none'",),
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in directives.items())
