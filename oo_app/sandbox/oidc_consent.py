"""The consent page of the sandbox's Google for what goes beyond signing in: a box for each thing, to be unticked."""

from html import escape

from starlette.responses import Response

from oo_app.sandbox.oidc_request import CONSENTS, AuthorizationRequest, Provider
from oo_app.sandbox.pages import page


def asks_for_more(asked: AuthorizationRequest) -> bool:
    """Whether a request goes beyond signing in."""
    return bool(asked.scopes & CONSENTS.keys())


def ticked(asked: AuthorizationRequest, boxes: list[str]) -> frozenset[str]:
    """Return the scopes that were agreed to: what signing in needs, and the boxes left ticked."""
    return frozenset(scope for scope in asked.scopes if scope not in CONSENTS or scope in boxes)


def consent_page(provider: Provider, asked: AuthorizationRequest, people: tuple[str, ...]) -> Response:
    """Return the page: whose account, what is allowed, and the way back."""
    boxes = "".join(
        f'<label><input type="checkbox" name="scope" value="{escape(scope)}" checked> {escape(CONSENTS[scope])}</label>'
        for scope in sorted(asked.scopes & CONSENTS.keys())
    )
    known = "".join(f'<option value="{email}">' for email in people)
    body = (
        f"<p>This page stands in for {provider.title}. Its calendar is made up and stays on this machine.</p>"
        '<form method="post"><label for="email">Account</label><input id="email" name="email" type="email" required '
        f'autocomplete="email" list="people" value="{escape(asked.login_hint or people[0])}">'
        f'<datalist id="people">{known}</datalist>'
        f"<fieldset><legend>oO wants to</legend>{boxes}</fieldset>"
        '<button name="agree" value="1">Agree</button></form>'
        '<form method="post"><button name="cancel" value="1">Cancel</button></form>'
    )
    return page(f"Let oO use your {provider.title} account?", body, posts_to=provider.app_url)
