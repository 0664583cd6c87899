"""Puts the web application together: runtime, pages, routes, lifespan, errors."""

import reflex as rx
from fastapi import FastAPI
from pydantic import SecretStr
from reflex.constants import CompileContext, Dirs
from reflex.utils.exec import get_compile_context
from reflex.utils.prerequisites import get_web_dir
from starlette.types import ASGIApp, Receive, Scope, Send

from oo_app import runtime, sandbox, web, wiring
from oo_app.kit.config import Settings
from oo_app.kit.crypto import new_token
from pages import PAGES
from pages.parts import icon
from state.base import SessionBinding, answer_only_who_asked
from state.errors import on_browser_error, on_error


def loaded() -> Settings:
    """Return the settings; the export of the front end needs no secrets, so it gets some that nobody keeps."""
    if get_compile_context() is CompileContext.EXPORT:
        return Settings(oo_secret_keys=SecretStr(new_token()), oo_encryption_keys=SecretStr(new_token()))
    settings = Settings.load()
    if settings.has_sandbox:
        return settings.with_stand_ins(sandbox.apple_private_key(settings.oo_data_dir))
    return settings


def routes(rt: runtime.Runtime) -> FastAPI:
    """Return the HTTP routes, with the stand-ins among them where they are served."""
    api = web.build()
    if rt.settings.has_sandbox:
        options = sandbox.SandboxOptions(rt.settings.base_url, rt.settings.sandbox_url, rt.settings.oo_data_dir)
        api.mount("/sandbox", sandbox.build(options, rt.clock))
    return api


def documents(app: ASGIApp) -> ASGIApp:
    """Serve each page at its own address; the file server would first send every visitor on to the one with a slash."""
    addresses = {page.route for page in PAGES}

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in addresses - {"/"}:
            scope = {**scope, "path": f"{scope['path']}/"}
        await app(scope, receive, send)

    return served


def assembled(rt: runtime.Runtime) -> rx.App:
    """Return the application around a runtime."""
    app = rx.App(
        theme=None,
        toaster=None,
        reset_style=False,
        app_wraps={},  # no toasts, no banner, no boundary of Reflex: the pages have their own words
        stylesheets=["/oo.css", "/tip.css", "/pages.css", "/adapt.css"],
        head_components=[*icon()],
        html_lang="en",
        api_transformer=[documents, routes(rt)],
        backend_exception_handler=on_error,
        frontend_exception_handler=on_browser_error,
    )
    for page in PAGES:
        app.add_page(  # pyright: ignore[reportUnknownMemberType] -- Reflex's events are untyped
            page.component,
            route=page.route,
            title=page.title,
            description=page.description,
            image="/favicon.svg",
            on_load=page.on_load,
        )
    app.add_middleware(SessionBinding(), index=0)
    answer_only_who_asked(app)

    app.register_lifespan_task(wiring.running, rt=rt)  # pyright: ignore[reportUnknownMemberType]
    return app


def serving() -> ASGIApp:
    """Return what is served: the guard around everything, also around what Reflex answers before our routes."""
    return web.guard(rt, web.inline_scripts(get_web_dir() / Dirs.STATIC))(app())


rt = runtime.build(loaded())
runtime.use(rt)
app = assembled(rt)
