"""Tokens for a person's programs; only the person, signed in, makes and ends them."""

from dataclasses import asdict

from fastapi import APIRouter

from oo_app import accounts
from oo_app.runtime import current
from oo_app.web import schemas
from oo_app.web.security import SignedIn

router = APIRouter(prefix="/api/v1/tokens", tags=["api"])


@router.get("")
async def list_tokens(caller: SignedIn) -> list[schemas.TokenOut]:
    """Return the tokens that live, without their secrets."""
    return [schemas.TokenOut.model_validate(asdict(view)) for view in await accounts.tokens(current(), caller.user_id)]


@router.post("")
async def mint(body: schemas.TokenIn, caller: SignedIn) -> schemas.MintedOut:
    """Make a token, which is shown this once and lives for 90 days; at most 20 a person."""
    return schemas.MintedOut.model_validate(asdict(await accounts.mint(current(), caller.user_id, body.name)))


@router.delete("/{token_id}", status_code=204)
async def withdraw(token_id: str, caller: SignedIn) -> None:
    """End a token at once."""
    await accounts.withdraw_token(current(), caller.user_id, token_id)
