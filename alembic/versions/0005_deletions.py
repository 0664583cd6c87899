"""who was deleted, as hashes; which decisions still have their details; impressions by decision, for the cascade

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from oo_app.kit.db import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    op.create_table(
        "deletion",
        sa.Column("person_hash", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person_hash"),
    )
    op.drop_index("ix_decision_at", table_name="decision")
    op.create_index("ix_decision_detailed", "decision", ["at"], sqlite_where=sa.text("length(context) > 0"))
    op.create_index("ix_impression_decision_id", "impression", ["decision_id"])


def downgrade() -> None:
    """Go one version down."""
    op.drop_index("ix_impression_decision_id", table_name="impression")
    op.drop_index("ix_decision_detailed", table_name="decision")
    op.create_index("ix_decision_at", "decision", ["at"])
    op.drop_table("deletion")
