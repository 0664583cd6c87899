"""how often a recurring task was completed, and whether notifications were decided upon

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    with op.batch_alter_table("item") as batch:
        batch.add_column(sa.Column("completed_count", sa.Integer(), nullable=True))
    with op.batch_alter_table("preferences") as batch:
        batch.add_column(sa.Column("has_decided_notify", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE preferences SET has_decided_notify = notify")


def downgrade() -> None:
    """Go one version down."""
    with op.batch_alter_table("preferences") as batch:
        batch.drop_column("has_decided_notify")
    with op.batch_alter_table("item") as batch:
        batch.drop_column("completed_count")
