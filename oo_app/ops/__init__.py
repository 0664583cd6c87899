"""Operating: health, leaving, taking along."""

from oo_app.ops.health import head, is_ready
from oo_app.ops.privacy import Deleted, delete_everything, export

__all__ = ["Deleted", "delete_everything", "export", "head", "is_ready"]
