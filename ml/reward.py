"""`reward_v1`: what a reaction, a silence and a completion elsewhere are worth."""

from datetime import timedelta

VERSION = "reward_v1"
SILENCE = -0.05
UNTOLD_DWELL_MS = 8_000  # a notification's button tells no dwell; it reads as the band from 2 to 15 s
DELAYED_WINDOW = timedelta(hours=24)
_BAND_ENDS_MS = (2_000, 15_000)
_MAGIC_ENDS_MS = 120_000  # two minutes, itself still inside
_TABLE = {
    "done": (0.6, 0.8, 1.0, 0.7),
    "snooze": (-0.2, 0.0, 0.1, 0.0),
    "dismiss": (-1.0, -0.6, -0.4, -0.3),
}


def reaction_reward(action: str, dwell_ms: int | None) -> float:
    """Value a reaction by the time the tip was visible before it: [0, 2 s), [2 s, 15 s), [15 s, 2 min], > 2 min."""
    dwell = UNTOLD_DWELL_MS if dwell_ms is None else dwell_ms
    band = sum(dwell >= end for end in _BAND_ENDS_MS) + (dwell > _MAGIC_ENDS_MS)
    return _TABLE[action][band]


def delayed_reward(elapsed: timedelta) -> float:
    """Value a completion in the item's own app: +0.7 at once, falling linearly to +0.3 after 24 hours."""
    share = min(max(elapsed / DELAYED_WINDOW, 0.0), 1.0)
    return 0.7 - 0.4 * share
