"""The names under which requests are counted and logged: templates and a few groups, never a path."""

from http import HTTPStatus

from starlette.types import Scope

from oo_app.web.security import page_path

PAGES = frozenset({"/", "/connect", "/tip", "/legal/terms", "/legal/privacy"})
FILES, ASSETS, UNKNOWN = "files", "/assets", "unknown"
GROUPS = (("/sandbox", "/sandbox"), ("/assets", ASSETS), ("/admin", "/admin"))
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE"})
QUIET = frozenset({FILES, ASSETS, "/sandbox", "/healthz", "/readyz", "/metrics"})


def route_of(scope: Scope, status: int) -> str:
    """Return the template of the route that answered, or the group that a path belongs to."""
    path = page_path(scope["path"])
    for beginning, group in GROUPS:
        if path == beginning or path.startswith(f"{beginning}/"):
            return group
    if template := getattr(scope.get("route"), "path", None):
        return str(template)
    if path in PAGES:
        return path
    return UNKNOWN if status >= HTTPStatus.BAD_REQUEST else FILES


def method_of(scope: Scope) -> str:
    """Return the method, if it is one that exists: clients can make them up."""
    return scope["method"] if scope["method"] in METHODS else "other"
