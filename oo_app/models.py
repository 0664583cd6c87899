"""Every table, for alembic and tests."""

from oo_app.accounts import models as accounts
from oo_app.connections import models as connections
from oo_app.features import models as features
from oo_app.kit import jobs, lease, outbox
from oo_app.signals import models as signals
from oo_app.tips import models as tips

__all__ = ["accounts", "connections", "features", "jobs", "lease", "outbox", "signals", "tips"]
