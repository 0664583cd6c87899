"""who owns what runs by itself, and how its runs went

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from oo_app.kit.db import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("machine", sa.String(length=120), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("job", sa.String(length=30), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("started_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("counts", sa.String(), nullable=False),
        sa.Column("cause", sa.String(length=60), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_run_job", "run", ["job", "id"])
    op.create_index("ix_run_started_at", "run", ["started_at"])


def downgrade() -> None:
    """Go one version down."""
    op.drop_table("run")
    op.drop_table("lease")
