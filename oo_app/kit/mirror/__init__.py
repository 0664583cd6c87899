"""The outbox mirrored to NATS JetStream."""

from oo_app.kit.mirror.mirror import Lag, Mirror, MirrorDown, Recorded, Stream

__all__ = ["Lag", "Mirror", "MirrorDown", "Recorded", "Stream"]
