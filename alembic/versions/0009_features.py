"""what decisions were made from: habits, what was late or missing then, and freshness hour by hour

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from oo_app.kit.db import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    with op.batch_alter_table("decision") as batch:
        batch.add_column(sa.Column("stale", sa.String(), nullable=False, server_default="{}"))
        batch.add_column(sa.Column("missing", sa.String(), nullable=False, server_default="{}"))
    op.create_index("ix_impression_lately", "impression", ["user_id", "served_at"])
    op.create_table(
        "profile",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("counts", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("since", UtcDateTime(timezone=True), nullable=False),
        sa.Column("folded_to", sa.String(length=36), nullable=False),
        sa.Column("folded_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id"),
    )
    op.create_index("ix_profile_since", "profile", ["since"])
    op.create_table(
        "freshness",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("hour", UtcDateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("checked", sa.Integer(), nullable=False),
        sa.Column("breaches", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("oldest_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hour", "kind", "name"),
    )


def downgrade() -> None:
    """Go one version down."""
    op.drop_table("freshness")
    op.drop_table("profile")
    op.drop_index("ix_impression_lately", "impression")
    with op.batch_alter_table("decision") as batch:
        batch.drop_column("missing")
        batch.drop_column("stale")
