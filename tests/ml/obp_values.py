"""Cases shared with Open Bandit Pipeline, and the script that recorded its values beside this file.

obp 0.5.7 insists on numpy 1.23.5 and on a torch that Python 3.11 has no wheel for, so it was asked in an environment of
its own, with a torch it only imports:
    python3.11 -m venv /tmp/obp && /tmp/obp/bin/pip install --no-deps obp==0.5.7
    /tmp/obp/bin/pip install numpy==1.23.5 scipy==1.10.1 scikit-learn==1.2.2 pandas==1.5.3 \
        torch==2.13.0 matplotlib seaborn pyyaml tqdm
    PYTHONPATH=. /tmp/obp/bin/python tests/ml/obp_values.py > tests/ml/obp_values.json
"""

import importlib
import importlib.metadata
import json
import sys
from dataclasses import dataclass
from random import Random

CASES = {
    "small": (7, 3, 1),
    "ragged": (40, 9, 2),
    "heavy": (300, 20, 3),
    "greedy": (120, 6, 4),
}  # N, most candidates, seed


@dataclass(frozen=True)
class Case:
    """N decisions with n_i candidates each; plain floats, drawn so that every version of Python makes the same."""

    chosen: list[int]
    rewards: list[float]
    logged: list[list[float]]  # N of (n_i,)
    evaluated: list[list[float]]  # N of (n_i,)
    estimates: list[list[float]]  # N of (n_i,): a reward model's


def cases() -> dict[str, Case]:
    """Make them anew, without numpy: its streams may change from version to version, Python's may not."""
    return {name: _case(name, *shape) for name, shape in CASES.items()}


def _case(name: str, decisions: int, most: int, seed: int) -> Case:
    random = Random(seed)
    sizes = [most if name == "small" else random.randint(1, most) for _ in range(decisions)]
    floor, power = (0.05, 6) if name == "heavy" else (0.3, 1)
    return Case(
        chosen=[random.randrange(size) for size in sizes],
        rewards=[random.choice([-1.0, -0.4, -0.05, 0.0, 0.3, 0.8, 1.0]) for _ in sizes],
        logged=[_distribution(random, size, floor, power) for size in sizes],
        evaluated=[_greedy(random, size) if name == "greedy" else _distribution(random, size, 0, 2) for size in sizes],
        estimates=[[random.uniform(-1, 1) for _ in range(size)] for size in sizes],
    )


def _distribution(random: Random, size: int, floor: float, power: int) -> list[float]:
    shares = [random.random() ** power for _ in range(size)]
    return [floor / size + (1 - floor) * share / sum(shares) for share in shares]


def _greedy(random: Random, size: int) -> list[float]:
    best = random.randrange(size)
    return [float(at == best) for at in range(size)]


def record() -> dict[str, dict[str, float]]:
    """Ask obp for every case's values; shorter lists of candidates are filled up with impossible ones."""
    np, ope = importlib.import_module("numpy"), importlib.import_module("obp.ope")
    estimators = {
        "ips": ope.InverseProbabilityWeighting(),
        "snips": ope.SelfNormalizedInverseProbabilityWeighting(),
        "dm": ope.DirectMethod(),
        "dr": ope.DoublyRobust(),
        "sndr": ope.SelfNormalizedDoublyRobust(),
    }

    def filled(lists: list[list[float]]):
        most = max(map(len, lists))
        return np.array([each + [0.0] * (most - len(each)) for each in lists])[:, :, None]

    return {
        name: {
            kind: float(
                estimator.estimate_policy_value(
                    reward=np.array(case.rewards),
                    action=np.array(case.chosen),
                    position=np.zeros(len(case.chosen), dtype=int),
                    pscore=np.array([p[at] for p, at in zip(case.logged, case.chosen, strict=True)]),
                    action_dist=filled(case.evaluated),
                    estimated_rewards_by_reg_model=filled(case.estimates),
                )
            )
            for kind, estimator in estimators.items()
        }
        for name, case in cases().items()
    }


if __name__ == "__main__":
    table = {"obp": importlib.metadata.version("obp"), "values": record()}
    sys.stdout.write(json.dumps(table, indent=2) + "\n")
