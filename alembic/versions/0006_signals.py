"""what more there is to know of items; calendar entries, completions, deliveries, push channels; who renews a grant

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from oo_app.kit.db import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    with op.batch_alter_table("item") as batch:
        batch.add_column(sa.Column("labels", sa.LargeBinary(), nullable=True))
        batch.add_column(sa.Column("label_count", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("label_bits", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("postponed", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("changed_at", UtcDateTime(timezone=True), nullable=True))
    with op.batch_alter_table("connection") as batch:
        batch.add_column(sa.Column("failure", sa.String(length=60), nullable=True))
        batch.add_column(sa.Column("failed_at", UtcDateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("refreshing_until", UtcDateTime(timezone=True), nullable=True))
        batch.drop_index("ix_connection_next_read_at")
        batch.create_index("ix_connection_due", ["source", "needs_attention", "next_read_at"])
    op.create_table(
        "calendar_event",
        *_whose(),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("starts_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("ends_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("is_all_day", sa.Boolean(), nullable=False),
        sa.Column("is_busy", sa.Boolean(), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "external_id"),
    )
    op.create_index("ix_calendar_event_when", "calendar_event", ["user_id", "ends_at"])
    op.create_table(
        "completion",
        *_whose(),
        sa.Column("item_id", sa.String(length=36), nullable=True),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("occurrence", sa.String(length=40), nullable=False),
        sa.Column("found_by", sa.String(length=10), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "external_id", "occurrence"),
    )
    op.create_index("ix_completion_when", "completion", ["user_id", "at"])
    op.create_index("ix_completion_item_id", "completion", ["item_id"])
    op.create_table(
        "delivery",
        *_whose(),
        sa.Column("delivery_hash", sa.String(length=64), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("worked_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "delivery_hash"),
        sa.UniqueConstraint("connection_id", "body_hash"),
    )
    op.create_index("ix_delivery_user_id", "delivery", ["user_id"])
    op.create_index("ix_delivery_received_at", "delivery", ["received_at"])
    op.create_index("ix_delivery_waiting", "delivery", ["connection_id", "worked_at"])
    op.create_table(
        "push_channel",
        *_whose(),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("resource_id", sa.String(length=255), nullable=False),
        sa.Column("ends_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_push_channel_user_id", "push_channel", ["user_id"])
    op.create_index("ix_push_channel_connection_id", "push_channel", ["connection_id"])


def downgrade() -> None:
    """Go one version down."""
    for table in ("push_channel", "delivery", "completion", "calendar_event"):
        op.drop_table(table)
    with op.batch_alter_table("connection") as batch:
        batch.drop_index("ix_connection_due")
        batch.create_index("ix_connection_next_read_at", ["next_read_at"])
        for column in ("refreshing_until", "failed_at", "failure"):
            batch.drop_column(column)
    with op.batch_alter_table("item") as batch:
        for column in ("changed_at", "postponed", "label_bits", "label_count", "labels"):
            batch.drop_column(column)


def _whose() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("connection_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], ondelete="CASCADE"),
    )
