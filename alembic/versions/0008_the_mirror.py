"""facts are numbered once for all and bear their version; how far the mirror has come

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from oo_app.kit.db import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    with op.batch_alter_table("outbox", recreate="always", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.create_table(
        "mirror",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Go one version down."""
    op.drop_table("mirror")
    with op.batch_alter_table("outbox", recreate="always") as batch:
        batch.drop_column("version")
