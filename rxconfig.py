"""Reflex's settings, derived from ours. No secret is read: the export of the front end needs none."""

from pathlib import Path
from typing import Any

import reflex as rx
from reflex.plugins import RadixThemesPlugin, SitemapPlugin

from oo_app.kit.config import Settings

settings = Settings()
ADDRESS = "  const endpoint = new URL(url_str);\n"
PRELOAD = '<link rel="modulepreload" '
LATER = f'{PRELOAD}fetchpriority="low" '
OWN_ORIGIN = '  if (typeof window !== "undefined") return new URL(new URL(url_str).pathname, window.location.href);\n'


class SameOrigin(rx.plugins.Plugin):
    """Let the built pages speak to the origin they came from.

    Reflex bakes `api_url` with its port into the bundle (env.json), and its client changes only the host name of it at
    run time, so another PORT or a proxy would need another build. One line in the client's `getBackendURL` takes the
    page's own origin instead; whatever `api_url` says then does not matter.
    """

    def pre_compile(self, **context: Any) -> None:
        """Add the line once the client's files lie in `.web`."""
        context["add_modify_task"]("utils/state.js", to_own_origin)


def to_own_origin(script: str) -> str:
    """Return Reflex's client with the line added; a client that has no place for it stops the build."""
    if OWN_ORIGIN in script:
        return script
    if script.count(ADDRESS) != 1:
        msg = "Reflex's client builds its address in another way now: look at getBackendURL"
        raise ValueError(msg)
    return script.replace(ADDRESS, ADDRESS + OWN_ORIGIN)


class StyleFirst(rx.plugins.Plugin):
    """Let the style sheet arrive before the scripts.

    A page is written out and readable without its scripts, but browsers ask for modules as urgently as for the sheet
    that its first picture waits for: on a slow line that picture came after all of them (2.2 s against 0.9 s in
    Lighthouse's model of a phone).
    """

    def post_build(self, **context: Any) -> None:
        """Mark the scripts' preloads in the exported documents, before Reflex compresses them."""
        for document in Path(context["static_dir"]).rglob("*.html"):
            document.write_text(document.read_text().replace(PRELOAD, LATER))


config = rx.Config(
    app_name="oo_app",
    backend_host=settings.host,
    backend_port=settings.port,
    cors_allowed_origins=[settings.base_url],
    state_manager_mode=rx.constants.StateManagerMode.MEMORY,
    default_color_mode="dark",
    frontend_compression_formats=["gzip", "brotli"],
    frontend_lazy_bundled_libraries=True,  # nothing is evaluated at run time, so nothing is kept ready for it
    plugins=[SameOrigin(), StyleFirst()],
    disable_plugins=[RadixThemesPlugin, SitemapPlugin],
    show_built_with_reflex=False,
    telemetry_enabled=False,
)
