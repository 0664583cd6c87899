"""The policies by their registered names."""

from ml.policies import uniform
from ml.types import Policy

POLICIES: dict[str, Policy] = {policy.name: policy for policy in (uniform.POLICY,)}
