"""Identifiers that sort by the time they were made, and the seeds of decisions."""

import hashlib
import secrets
from datetime import UTC, datetime
from uuid import UUID


def new_id(now: datetime) -> str:
    """Make a UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, 74 random bits."""
    milliseconds = int(now.timestamp() * 1000) & (1 << 48) - 1
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(UUID(int=value))


def made_at(made: str) -> datetime:
    """Return when an id was made, to the millisecond."""
    return datetime.fromtimestamp((UUID(made).int >> 80) / 1000, UTC)


def spread(text: str) -> float:
    """Return a number in [0, 1) that is the same for the same text, and as good as drawn for another."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest()) / 2**48


def new_seed() -> int:
    """Draw the 63-bit seed of a decision; it is stored, so that the decision replays."""
    return secrets.randbits(63)
