"""Who somebody is: sign-in, sessions, consent, preferences."""

from oo_app.accounts.flows import Begun, Taken, begin_flow, purge_flows, take_flow
from oo_app.accounts.oidc import TITLES, Person, Provider, authorization_url, identify, is_available, issuer, revoke_identity
from oo_app.accounts.service import (
    DOCUMENTS,
    Agreed,
    Chosen,
    Profile,
    choose,
    erase,
    find_by_email,
    identity_tokens,
    preferences,
    profile,
    sign_in,
    suggest_time_zone,
)
from oo_app.accounts.sessions import ABSOLUTE, Caller, caller, close_session, find_caller, purge_sessions

__all__ = [
    "ABSOLUTE",
    "DOCUMENTS",
    "TITLES",
    "Agreed",
    "Begun",
    "Caller",
    "Chosen",
    "Person",
    "Profile",
    "Provider",
    "Taken",
    "authorization_url",
    "begin_flow",
    "caller",
    "choose",
    "close_session",
    "erase",
    "find_by_email",
    "find_caller",
    "identify",
    "identity_tokens",
    "is_available",
    "issuer",
    "preferences",
    "profile",
    "purge_flows",
    "purge_sessions",
    "revoke_identity",
    "sign_in",
    "suggest_time_zone",
    "take_flow",
]
