"""What a person has connected: grants, tokens kept alive, freshness."""

from oo_app.connections.oauth import REVOKE_TIMEOUT_S, finish, revoke, start, with_access
from oo_app.connections.service import (
    ConnectionView,
    Reading,
    count_needing_attention,
    disconnect,
    due,
    has_any,
    mark_failed,
    mark_read,
    overview,
    readings,
    seal_place,
    wished,
)
from oo_app.connections.store import Held, connection_id_of, held, rehash_owners, source_of, sources_by_name

__all__ = [
    "REVOKE_TIMEOUT_S",
    "ConnectionView",
    "Held",
    "Reading",
    "connection_id_of",
    "count_needing_attention",
    "disconnect",
    "due",
    "finish",
    "has_any",
    "held",
    "mark_failed",
    "mark_read",
    "overview",
    "readings",
    "rehash_owners",
    "revoke",
    "seal_place",
    "source_of",
    "sources_by_name",
    "start",
    "wished",
    "with_access",
]
