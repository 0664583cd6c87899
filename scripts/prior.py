"""Make the prior that oO ships with, from the simulated population: `python -m scripts.prior`, three minutes."""

import sys
from pathlib import Path

from ml import prior
from ml.store import shared_to_bytes

FILE = Path(__file__).resolve().parent.parent / "ml" / "priors" / "hybrid_v1.npz"


def main() -> None:
    """Train and write it."""
    total, done = prior.PLAN.rounds or 0, 0

    def tell() -> None:
        nonlocal done
        done += 1
        print(f"\r{done} of {total * len(prior.SEEDS)} rounds", end="", file=sys.stderr)

    FILE.write_bytes(shared_to_bytes(prior.train(tell)))
    print(f"\n{FILE.name}: {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
