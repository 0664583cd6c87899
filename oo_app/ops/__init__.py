"""Operating: health, copies, keys, leaving, taking along."""

from oo_app.ops.backup import Written, backup, backup_keys
from oo_app.ops.health import Found, examine, is_ready
from oo_app.ops.migrations import CannotStart, alembic_config, head, migrate
from oo_app.ops.privacy import Deleted, delete_everything, export, held
from oo_app.ops.restore import Restored, RestoredKeys, restore, restore_keys
from oo_app.ops.retention import RULES, purge
from oo_app.ops.upkeep import Rotated, rotate, strike_all

__all__ = [
    "RULES",
    "CannotStart",
    "Deleted",
    "Found",
    "Restored",
    "RestoredKeys",
    "Rotated",
    "Written",
    "alembic_config",
    "backup",
    "backup_keys",
    "delete_everything",
    "examine",
    "export",
    "head",
    "held",
    "is_ready",
    "migrate",
    "purge",
    "restore",
    "restore_keys",
    "rotate",
    "strike_all",
]
