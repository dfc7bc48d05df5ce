"""A fleet's numbers, hosts and backups. A linda that knows nothing of them works on with the other tables."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the fleet's tables."""
    op.create_table(
        "fleet_numbers",
        sa.Column("number", sa.String(15), primary_key=True),
        sa.Column("wanted", sa.String(10), nullable=False),
        sa.Column("link", sa.String(10)),
        sa.Column("target", sa.String(32)),
        sa.Column("is_linked", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(32), nullable=False),
        sa.Column("incarnation", sa.String(32), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("problem", sa.String(200)),
    )
    op.create_index("ix_fleet_numbers_host", "fleet_numbers", ["host"])
    op.create_table(
        "fleet_hosts",
        sa.Column("host", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("incarnation", sa.String(32), nullable=False),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("is_draining", sa.Boolean(), nullable=False),
        sa.Column("enclosure", sa.String(20), nullable=False),
        sa.Column("oldest_upload", sa.Float()),
        sa.Column("seen_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "fleet_backups",
        sa.Column("number", sa.String(15), primary_key=True),
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(32), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
    )


def downgrade() -> None:
    """Drop them. Numbers that are up then have no fence: stop the fleet before."""
    for table in ("fleet_backups", "fleet_hosts", "fleet_numbers"):
        op.drop_table(table)
