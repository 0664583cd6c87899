"""The policies by their registered names."""

from typing import Any

from ml.policies import egreedy, hybrid, linucb, thompson, uniform
from ml.types import Policy

POLICIES: dict[str, Policy[Any]] = {
    policy.name: policy for policy in (uniform.POLICY, linucb.POLICY, egreedy.POLICY, thompson.POLICY, hybrid.POLICY)
}
