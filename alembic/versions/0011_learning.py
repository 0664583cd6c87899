"""what a person taught: the learning record, and the states folded from it

Revision ID: 0011
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from oo_app.kit.db import UtcDateTime

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    with op.batch_alter_table("decision") as batch:
        batch.add_column(sa.Column("state", sa.LargeBinary(), nullable=False, server_default=""))
        batch.add_column(sa.Column("state_version", sa.String(length=40), nullable=False, server_default=""))
    op.create_table(
        "lesson",
        sa.Column("impression_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("schema_version", sa.String(length=10), nullable=False),
        sa.Column("context", sa.LargeBinary(), nullable=False),
        sa.Column("candidate", sa.LargeBinary(), nullable=False),
        sa.Column("propensity", sa.Float(), nullable=False),
        sa.Column("reward", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["impression_id"], ["impression.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("impression_id"),
    )
    op.create_index("ix_lesson_user", "lesson", ["user_id", "impression_id"])
    op.create_table(
        "policy_state",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("policy", sa.String(length=40), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "policy"),
    )


def downgrade() -> None:
    """Go one version down."""
    op.drop_table("policy_state")
    op.drop_table("lesson")
    with op.batch_alter_table("decision") as batch:
        batch.drop_column("state_version")
        batch.drop_column("state")
