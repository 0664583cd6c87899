"""What comes of a tip: the chances of every answer, the reward they come to, and the answer that luck draws."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np

from ml.reward import DELAYED_WINDOW, SILENCE, delayed_reward, reaction_reward
from ml.simulator.columns import Flags
from ml.simulator.liking import fullness
from ml.simulator.population import Answers, Index, Traits
from ml.types import Array

ACTIONS = ("done", "snooze", "dismiss")
DONE, SNOOZE, DISMISS, SILENT = range(4)
_AT_ONCE, _AFTER_A_DAY = delayed_reward(timedelta(0)), delayed_reward(DELAYED_WINDOW)
_SLIP_MS = 2_000  # a slip of the finger comes after a look


@dataclass(frozen=True, slots=True)
class Facing:
    """What N tips meet, (N,) each: whose they are, how they are liked, how likely silence is whatever is shown."""

    people: Index
    liking: Array
    weary: Array
    silence: Array
    is_due: Flags  # within a day, or late
    elsewhere: float  # how loudly these two are heard
    slips: float


@dataclass(frozen=True, slots=True)
class Chances:
    """What may come of N tips, (N,) each. What is answered and neither done nor snoozed is dismissed.

    `elsewhere` is the chance that, not answered or snoozed, it is completed in its own app within a day; `mu` what
    reward is to be expected of all that.
    """

    silent: Array
    done: Array
    snooze: Array
    elsewhere: Array
    mu: Array


@dataclass(frozen=True, slots=True)
class Answered:
    """What comes of N tips, (N,) each, if they are shown.

    `first` is the reward known at once: of a slip, where there was one. `reward` is that of the answer that stood.
    `later` replaces it after `wait` minutes where the item is completed elsewhere; NaN where it is not.
    """

    action: Index
    dwell_ms: Array
    first: Array
    reward: Array
    later: Array
    wait: Array


class Reactions:
    """How p people react; `traits` and `answers` are theirs."""

    def __init__(self, answers: Answers, traits: Traits) -> None:
        self.answers, self.traits = answers, traits
        self._ends = np.array(answers.band_ends_ms)
        middles = [int((low + high) / 2) for low, high in pairwise(answers.band_ends_ms)]
        self._table = np.array([[reaction_reward(action, dwell) for dwell in middles] for action in ACTIONS])
        shares = np.array([answers.done_bands, answers.snooze_bands, answers.dismiss_bands])
        self._fresh = self._hasty(shares)  # (p, 3, 4)
        self._weary = self._hasty(np.array([answers.done_bands, answers.weary_bands, answers.weary_bands]))
        # A uniform number to the power a is 1 / (1 + a) on average.
        self._late = _AT_ONCE + (_AFTER_A_DAY - _AT_ONCE) / (1 + answers.elsewhere_soon)

    def _hasty(self, shares: Array) -> Array:
        """Shift shares of dwell bands (3, 4) towards the short ones as far as each person is hasty."""
        bands = np.arange(len(self._ends) - 1, dtype=np.float64)
        shifted = shares * np.exp(-self.traits.haste[:, None, None] * bands)
        return shifted / shifted.sum(axis=2, keepdims=True)

    def chances(self, scene: Facing) -> Chances:
        """Work out the chances of every tip."""
        answers, people = self.answers, scene.people
        done = _sigmoid(scene.liking)
        silent = scene.silence + answers.dull_silence * (1.0 - done)
        silent = np.clip(silent, answers.least_silence, answers.most_silence)
        full = fullness(scene.weary)
        grumpy = self.traits.grumpy[people] + answers.weary_dismissal * full
        dismiss = (1.0 - done) * _sigmoid(grumpy - answers.dismissal * scene.liking)
        snooze = 1.0 - done - dismiss
        away = self.traits.elsewhere[people] * answers.elsewhere_shown * scene.elsewhere
        away = np.minimum(away * np.where(scene.is_due, answers.elsewhere_due, 1.0), answers.elsewhere_most)
        worth = self._worth(people, full)
        open_ended = silent * SILENCE + (1.0 - silent) * snooze * worth[:, SNOOZE]
        is_open = silent + (1.0 - silent) * snooze
        answered = (1.0 - silent) * (done * worth[:, DONE] + dismiss * worth[:, DISMISS])
        mu = answered + (1.0 - away) * open_ended + away * is_open * self._late
        return Chances(silent, (1.0 - silent) * done, (1.0 - silent) * snooze, away, mu)

    def _worth(self, people: Index, full: Array) -> Array:
        """Return the reward to be expected of each action (N, 3), whatever the dwell."""
        fresh, weary = ((bands * self._table).sum(axis=2)[people] for bands in (self._fresh, self._weary))
        return fresh + full[:, None] * (weary - fresh)

    def answered(self, scene: Facing, chances: Chances, noise: dict[str, Array]) -> Answered:
        """Draw what comes of N tips from uniform numbers (N,) of each name."""
        people, luck = scene.people, noise["action"]
        edges = np.cumsum([chances.done, chances.snooze, 1.0 - chances.silent - chances.done - chances.snooze], axis=0)
        action = (luck >= edges).sum(axis=0).astype(np.intp)
        is_silent = action == SILENT
        shown = np.minimum(action, DISMISS)
        full = fullness(scene.weary)[:, None]
        shares = self._fresh[people, shown] * (1.0 - full) + self._weary[people, shown] * full
        band = np.minimum((noise["band"][:, None] >= np.cumsum(shares, axis=1)).sum(axis=1), shares.shape[1] - 1)
        low, high = self._ends[band], self._ends[band + 1]
        dwell_ms = np.floor(low * (high / low) ** noise["dwell"])
        reward = np.where(is_silent, SILENCE, self._table[shown, band])
        wait = noise["soon"] ** self.answers.elsewhere_soon
        is_elsewhere = (is_silent | (action == SNOOZE)) & (noise["elsewhere"] < chances.elsewhere)
        slips = self.traits.slips[people] * scene.slips
        # The same uniform number says whether there is a slip and, within that, which one.
        slip = np.minimum((noise["slip"] / np.maximum(slips, 1e-12) * len(ACTIONS)).astype(np.intp), len(ACTIONS) - 1)
        slipped = np.array([reaction_reward(each, _SLIP_MS) for each in ACTIONS])[slip]
        return Answered(
            action=action,
            dwell_ms=np.where(is_silent, np.nan, dwell_ms),
            first=np.where(noise["slip"] < slips, slipped, reward),
            reward=reward,
            later=np.where(is_elsewhere, _AT_ONCE + (_AFTER_A_DAY - _AT_ONCE) * wait, np.nan),
            wait=wait * (DELAYED_WINDOW / timedelta(minutes=1)),
        )


def _sigmoid(logits: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-logits))
