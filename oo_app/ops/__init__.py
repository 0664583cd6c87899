"""Operating: health, leaving, taking along."""

from oo_app.ops.health import head, is_ready
from oo_app.ops.privacy import delete_everything, export

__all__ = ["delete_everything", "export", "head", "is_ready"]
