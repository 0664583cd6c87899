"""A policy at work: what it shares in its present version; people's states as bytes, and as folds of their rounds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ml.store import head_from_bytes, head_to_bytes
from ml.types import Logged, Policy, Schema, Sharing


@dataclass(frozen=True, slots=True)
class Mind:
    """A policy over columns of a schema, on a version of what everybody shares; None where nothing is shared."""

    policy: Policy[Any]
    schema: Schema
    shared: Any = None

    @property
    def version(self) -> str:
        """Return what a state must have been learnt under, to be of use."""
        return self.policy.version if self.shared is None else f"{self.policy.version}.{self.shared.version}"

    def fresh(self) -> Any:
        """Return the state of somebody of whom nothing is known."""
        sharing = shares(self.policy)
        return sharing.join(self.shared) if sharing else self.policy.fresh(self.schema)

    def replay(self, rounds: Sequence[Logged]) -> Any:
        """Return the state that folding all of somebody's rounds comes to."""
        if sharing := shares(self.policy):
            return sharing.replay(self.shared, rounds)
        state = self.fresh()
        for logged in rounds:
            state = self.policy.learn(state, logged)
        return state

    def pack(self, state: Any) -> bytes:
        """Write a state down; nothing where a policy keeps none."""
        return b"" if state is None else head_to_bytes(state.head, self.schema)

    def unpack(self, stored: bytes) -> Any:
        """Read a state; ValueError when it was learnt in other columns."""
        fresh = self.fresh()
        if fresh is None:
            return None
        if (head := head_from_bytes(stored, self.schema)) is None or head.pull.shape != fresh.head.pull.shape:
            msg = "this state was learnt in other columns"
            raise ValueError(msg)
        return replace(fresh, head=head)


def mind(policy: Policy[Any], schema: Schema) -> Mind:
    """Put a policy to work, on what it shares to begin with."""
    sharing = shares(policy)
    return Mind(policy, schema, sharing.begin(schema) if sharing else None)


def shares(policy: Policy[Any]) -> Sharing[Any, Any] | None:
    """Return the policy as one in which people share something, if they do."""
    return policy if isinstance(policy, Sharing) else None
