"""Reading what was counted."""

from oo_app.kit.metrics import Metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return a sample's value; None when nothing was ever counted there."""
    return metrics.registry.get_sample_value(name, labels)
