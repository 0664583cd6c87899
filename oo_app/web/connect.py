"""Connecting a source by OAuth: the browser's side."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from oo_app import accounts, connections, signals
from oo_app.kit.errors import Invalid, NotFound, OoError
from oo_app.runtime import current
from oo_app.web.auth import DENIED, Returned, bind_browser, browser_secret, refusal
from oo_app.web.security import count_write

FIRST_READING_S = 4.0

router = APIRouter(tags=["connect"])


@router.get("/connect/{source}/start", status_code=303, response_class=RedirectResponse)
async def start(source: str, request: Request) -> Response:
    """Send the browser to the source's consent page."""
    rt = current()
    caller = await accounts.find_caller(rt, request.cookies.get(rt.settings.session_cookie))
    if caller is None:
        return RedirectResponse("/", status_code=303)
    request.state.user_id = caller.user_id
    if source not in connections.sources_by_name():
        raise NotFound
    browser = browser_secret(rt, request)
    try:
        count_write(rt, caller)
        url = await connections.start(rt, caller.user_id, source, browser)
    except OoError as error:
        return refusal("/connect", error)
    return bind_browser(rt, RedirectResponse(url, status_code=303), browser)


@router.get("/connect/{source}/callback", status_code=303, response_class=RedirectResponse)
async def callback(source: str, request: Request, answer: Annotated[Returned, Query()]) -> Response:
    """Take the grant, and read the source for the first time before the page is shown."""
    rt = current()
    caller = await accounts.find_caller(rt, request.cookies.get(rt.settings.session_cookie))
    if caller is None:
        return RedirectResponse("/", status_code=303)
    request.state.user_id = caller.user_id
    if source not in connections.sources_by_name():
        raise NotFound
    browser = request.cookies.get(rt.settings.flow_cookie, "")
    try:
        if answer.error or not answer.code:
            await accounts.take_flow(rt, f"connect:{source}", answer.state, browser)
            raise Invalid(None, code="denied" if answer.error in DENIED else "unknown")
        connection_id = await connections.finish(
            rt, caller.user_id, source, code=answer.code, state=answer.state, browser=browser
        )
    except OoError as refused:
        return refusal("/connect", refused)
    unsent = await signals.first_reading(rt, connection_id, wait_s=FIRST_READING_S)
    return RedirectResponse(f"/connect?unsent={unsent}" if unsent else "/connect", status_code=303)
