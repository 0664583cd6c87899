"""completions that a source will never take

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    with op.batch_alter_table("closing") as batch:
        batch.add_column(sa.Column("is_refused", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Go one version down."""
    with op.batch_alter_table("closing") as batch:
        batch.drop_column("is_refused")
