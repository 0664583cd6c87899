"""Signing in and out: the browser's side of the OpenID Connect round trip."""

from typing import Annotated, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from pydantic import BaseModel, BeforeValidator, Field
from starlette.responses import RedirectResponse, Response

from oo_app import accounts, connections
from oo_app.kit import log
from oo_app.kit.crypto import new_token
from oo_app.kit.errors import Invalid, NotFound, OoError, TooMany, Unavailable
from oo_app.runtime import Runtime, current

FLOW_SECONDS = 600
PARCEL_SECONDS = 120
DENIED = frozenset({"access_denied", "user_cancelled_authorize"})
LONG = 4096
CODES = ((Unavailable, "unavailable"), (TooMany, "busy"))


def _cut(text: object) -> object:
    """Take nothing of what no provider would send: the person reads a sentence, as after any other misfit."""
    return "" if isinstance(text, str) and len(text) > LONG else text


Text = Annotated[str, BeforeValidator(_cut)]


class Returned(BaseModel):
    """What a provider or a source sends the browser back with; whatever else it adds is not for us."""

    code: Text = ""
    state: Text = ""
    error: Text = ""


class Parcelled(Returned):
    """The same, or what `form_callback` made of it."""

    parcel: Annotated[str, Field(max_length=4 * LONG)] = ""  # sealing lengthens what a form post brought


def _known(provider: str) -> accounts.Provider:
    if provider not in accounts.TITLES:
        raise NotFound
    return cast("accounts.Provider", provider)


Provider = Annotated[accounts.Provider, Depends(_known)]

router = APIRouter(tags=["sign-in"])
_log = log.get(__name__)


@router.get("/auth/{provider}/start", status_code=303, response_class=RedirectResponse)
async def start(provider: Provider, request: Request) -> Response:
    """Send the browser to Google or Apple."""
    rt = current()
    browser = browser_secret(rt, request)
    try:
        begun = await accounts.begin_flow(rt, f"sign-in:{provider}", browser)
        url = await accounts.authorization_url(rt, provider, begun)
    except OoError as error:
        return refusal("/", error)
    return bind_browser(rt, RedirectResponse(url, status_code=303), browser)


@router.get("/auth/{provider}/callback", status_code=303, response_class=RedirectResponse)
async def callback(provider: Provider, request: Request, answer: Annotated[Parcelled, Query()]) -> Response:
    """Take the answer, in the browser that asked."""
    rt = current()
    try:
        returned = _unpacked(rt, answer.parcel) if answer.parcel else answer
        browser = request.cookies.get(rt.settings.flow_cookie, "")
        taken = await accounts.take_flow(rt, f"sign-in:{provider}", returned.state, browser)
        if returned.error or not returned.code:
            raise Invalid(None, code="denied" if returned.error in DENIED else "unknown")
        person = await accounts.identify(rt, provider, returned.code, taken)
        replacing = request.cookies.get(rt.settings.session_cookie)
        user_id, token = await accounts.sign_in(rt, person, replacing=replacing)
    except OoError as refused:
        return refusal("/", refused)
    request.state.user_id = user_id
    target = "/tip" if await connections.has_any(rt, user_id) else "/connect"
    response = RedirectResponse(target, status_code=303)
    set_cookie(rt, response, rt.settings.session_cookie, token, max_age=int(accounts.ABSOLUTE.total_seconds()))
    name_person(rt, response, user_id)
    return response


@router.post("/auth/{provider}/callback", status_code=303, response_class=RedirectResponse)
async def form_callback(provider: Provider, answer: Annotated[Returned, Form()]) -> Response:
    """Take Apple's cross-site form post, and have the browser come again by itself.

    A Lax cookie does not travel with a cross-site post, so the binding to the browser is checked at the GET that
    follows.
    """
    if provider != "apple":
        raise NotFound
    parcel = current().vault.box(answer.model_dump_json())
    return RedirectResponse(f"/auth/apple/callback?{urlencode({'parcel': parcel})}", status_code=303)


def _unpacked(rt: Runtime, parcel: str) -> Returned:
    try:
        return Returned.model_validate_json(rt.vault.unbox(parcel, within_seconds=PARCEL_SECONDS))
    except Invalid as error:
        raise Invalid(error.detail, code="expired") from error


@router.post("/auth/signout", status_code=303, response_class=RedirectResponse)
async def sign_out(request: Request) -> Response:
    """End the session on the server and clear what the browser keeps."""
    rt = current()
    await accounts.close_session(rt, request.cookies.get(rt.settings.session_cookie))
    response = RedirectResponse("/", status_code=303, headers={"Clear-Site-Data": '"cache", "storage"'})
    set_cookie(rt, response, rt.settings.session_cookie, "", max_age=0)
    response.delete_cookie(rt.settings.person_cookie, path="/", secure=rt.settings.is_https, samesite="lax")
    return response


def browser_secret(rt: Runtime, request: Request) -> str:
    """Return the secret that names this browser in OAuth round trips, a new one if it has none."""
    kept = request.cookies.get(rt.settings.flow_cookie, "")
    return kept if len(kept) == len(new_token()) else new_token()


def bind_browser(rt: Runtime, response: Response, browser: str) -> Response:
    """Leave the browser its secret."""
    set_cookie(rt, response, rt.settings.flow_cookie, browser, max_age=FLOW_SECONDS)
    return response


def set_cookie(rt: Runtime, response: Response, name: str, value: str, *, max_age: int) -> None:
    """Set (or, with no time left, remove) a cookie no script can read."""
    response.set_cookie(
        name, value, max_age=max_age, path="/", secure=rt.settings.is_https, httponly=True, samesite="lax"
    )


def name_person(rt: Runtime, response: Response, user_id: str) -> None:
    """Tell the page's scripts whose browser this is, so that what they kept for one person never meets another.

    It opens nothing: whoever changes it sees only what lies in their own browser.
    """
    max_age = int(accounts.ABSOLUTE.total_seconds())
    name, is_https = rt.settings.person_cookie, rt.settings.is_https
    response.set_cookie(name, user_id, max_age=max_age, path="/", secure=is_https, samesite="lax")


def refusal(page: str, error: OoError) -> Response:
    """Send the browser back to a page, which says in one sentence what happened."""
    code = str(error.facts.get("code") or next((name for kind, name in CODES if isinstance(error, kind)), "unknown"))
    _log.info("flow.refused", code=code, cause=error.facts.get("cause"))
    return RedirectResponse(f"{page}?{urlencode({'error': code})}", status_code=303)
