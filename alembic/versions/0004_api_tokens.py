"""tokens of the API

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

import oo_app.kit.db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", oo_app.kit.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", oo_app.kit.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", oo_app.kit.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    with op.batch_alter_table("api_token") as batch:
        batch.create_index(batch.f("ix_api_token_expires_at"), ["expires_at"], unique=False)
        batch.create_index(batch.f("ix_api_token_user_id"), ["user_id"], unique=False)


def downgrade() -> None:
    """Go one version down."""
    op.drop_table("api_token")
