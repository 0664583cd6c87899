"""How a page of the sandbox looks: black, plain, self-contained, and saying "Sandbox" in plain sight."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape

from starlette.responses import HTMLResponse

STYLE = """
:root{color-scheme:dark}
*{box-sizing:border-box}
body{margin:0;background:#000;color:#f2f2f2;font:16px/1.5 system-ui,sans-serif}
main{max-width:34rem;margin:0 auto;padding:2rem 1rem 4rem}
.sandbox{display:inline-block;margin:0;padding:.1rem .6rem;border:1px solid #f5c451;border-radius:1rem;color:#f5c451}
h1{font-size:1.6rem;font-weight:600;line-height:1.25;margin:1rem 0}
p{color:#c8c8c8}
form{margin:0 0 .75rem}
label{display:block;margin:.5rem 0 .25rem}
button,input,select{width:100%;min-height:44px;padding:.5rem .75rem;font:inherit;color:#f2f2f2;background:#111;
border:1px solid #767676;border-radius:.5rem}
button{cursor:pointer;margin-top:.5rem}
button:hover{background:#222}
:focus-visible{outline:3px solid #8ab4f8;outline-offset:2px}
fieldset{margin:1rem 0 .5rem;padding:.25rem .75rem .5rem;border:1px solid #767676;border-radius:.5rem}
input[type=checkbox]{width:22px;min-height:22px;margin:0 .75rem 0 0;flex:none}
label:has(input){display:flex;align-items:center;min-height:44px;margin:0}
ul{list-style:none;margin:0;padding:0}
li{display:flex;gap:.75rem;align-items:center;padding:.5rem 0;border-top:1px solid #2a2a2a;overflow-wrap:anywhere}
li>span{flex:1;min-width:0}
li form{margin:0}
li button{width:auto;margin:0}
.entry{flex-wrap:wrap}
.entry>span{flex:1 1 100%}
.deeds{display:flex;flex-wrap:wrap;gap:.5rem}
h2{font-size:1.1rem;margin:1.5rem 0 .5rem}
a{color:#8ab4f8;overflow-wrap:anywhere}
small{display:block;color:#a8a8a8}
"""
SUBMIT_SCRIPT = "document.forms[0].submit()"


def page(title: str, body: str, *, posts_to: str, script: str = "", status: int = 200) -> HTMLResponse:
    """Return a whole page; `body` is HTML already escaped, `posts_to` the origin its forms may end at."""
    tail = f"<script>{script}</script>" if script else ""
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · Sandbox</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex"><link rel="icon" href="data:,">'
        f'<style>{STYLE}</style></head><body><main><p class="sandbox">Sandbox</p><h1>{escape(title)}</h1>'
        f"{body}</main>{tail}</body></html>"
    )
    return HTMLResponse(html, status_code=status, headers=_headers(posts_to, script))


def refusal_page(sentence: str, code: str, *, posts_to: str) -> HTMLResponse:
    """Show an error that is not sent back to the app, as the real providers do."""
    body = f"<p>{escape(sentence)}</p><p>Error: <code>{escape(code)}</code></p>"
    return page("This request was refused", body, posts_to=posts_to, status=400)


def hidden_fields(fields: Mapping[str, str]) -> str:
    """Return hidden inputs that carry these values through a form."""
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items()
    )


def _headers(posts_to: str, script: str) -> dict[str, str]:
    scripts = f"'sha256-{_sha256(script)}'" if script else "'none'"
    # Browsers apply form-action to the redirect after a form as well, hence the app's origin.
    policy = (
        f"default-src 'none'; style-src 'sha256-{_sha256(STYLE)}'; script-src {scripts}; img-src data:; "
        f"form-action 'self' {posts_to}; frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        # A stricter policy would turn the Origin of these pages' own forms into "null", which the guard refuses.
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
