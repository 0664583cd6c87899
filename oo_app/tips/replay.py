"""Replay: a stored decision worked out again, from what it was made of, by the policy that made it."""

from dataclasses import dataclass

import numpy as np

from ml.policies import POLICIES
from ml.types import checked, draw
from oo_app import features
from oo_app.kit.errors import Conflict, NotFound
from oo_app.runtime import Runtime
from oo_app.tips.learning import mind_of
from oo_app.tips.models import Decision

CLOSE = 1e-9  # another processor may differ in the last bits


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a decision comes to again. `largest` is the largest difference of a propensity or a score."""

    decision_id: str
    policy: str
    chosen: int
    chosen_again: int
    largest: float

    @property
    def is_same(self) -> bool:
        """Tell whether choice, scores and distribution came out as they were."""
        return self.chosen == self.chosen_again and self.largest <= CLOSE


async def replay(rt: Runtime, decision_id: str) -> Replayed:
    """Work a decision of the last thirty days out again.

    Raises NotFound where there is none, Conflict where its details are gone or its policy is another by now.
    """
    async with rt.db.read() as session:
        kept = await session.get(Decision, decision_id)
    if kept is None:
        msg = "There is no such decision"
        raise NotFound(msg)
    if not kept.context:
        msg = "The details of this decision are older than thirty days and were dropped"
        raise Conflict(msg)
    mind = next((mind_of(each) for each in (rt.policy, *POLICIES.values()) if each.name == kept.policy), None)
    versions = (kept.policy_version, kept.state_version, kept.schema_version)
    if mind is None or versions != (mind.policy.version, mind.version, features.SCHEMA):
        msg = "This decision was made by another version of its policy"
        raise Conflict(msg)
    context, scores, propensities = (np.frombuffer(each) for each in (kept.context, kept.scores, kept.propensities))
    candidates = np.frombuffer(kept.candidates).reshape(len(scores), -1)
    rng = np.random.default_rng(kept.seed)
    again = checked(mind.policy.rank(mind.unpack(kept.state), context, candidates, rng), len(scores))
    apart = [np.abs(again.scores - scores).max(), np.abs(again.propensities - propensities).max()]
    chosen = draw(again.propensities, np.random.default_rng([kept.seed, 1]))
    return Replayed(decision_id, kept.policy, kept.chosen, chosen, float(max(apart)))
