"""Accounts belong to a home; revoked tokens, used links and waiting webhook deliveries are kept."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
OLDEST = "0002"

_KEPT = "number, owner, status, is_authenticated, last_connected, auth_state, session_valid, created_at, updated_at"


def _accounts(*columns: sa.Column[Any]) -> None:
    op.create_table(
        "accounts",
        *columns,
        sa.Column("number", sa.String(15), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("is_authenticated", sa.Boolean(), nullable=False),
        sa.Column("last_connected", sa.DateTime(timezone=True)),
        sa.Column("auth_state", sa.String(40), nullable=False),
        sa.Column("session_valid", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        # With a name of its own: PostgreSQL keeps that of the table before it.
        sa.PrimaryKeyConstraint(*(["home"] if columns else []), "number", name=f"accounts_pk_{len(columns)}"),
    )


def upgrade() -> None:
    """Let a number be in several homes, and add deliveries, revocations and used links."""
    op.drop_index("ix_accounts_owner", "accounts")
    op.rename_table("accounts", "accounts_0001")
    _accounts(
        sa.Column("home", sa.String(32), nullable=False, server_default=""),
        sa.Column("label", sa.String(200)),
        sa.Column("removing", sa.String(20)),
    )
    op.execute(f"INSERT INTO accounts ({_KEPT}) SELECT {_KEPT} FROM accounts_0001")
    op.drop_table("accounts_0001")
    op.create_index("ix_accounts_owner", "accounts", ["owner"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("home", sa.String(32), nullable=False),
        sa.Column("webhook", sa.String(32), nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_webhook_deliveries_home", "webhook_deliveries", ["home"])
    op.create_index("ix_webhook_deliveries_webhook", "webhook_deliveries", ["webhook"])
    op.create_table(
        "revocations",
        sa.Column("kind", sa.String(10), primary_key=True),
        sa.Column("value", sa.String(200), primary_key=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "used_links",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
    )
    table = op.create_table(
        "linda_compatibility",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("oldest", sa.String(32), nullable=False),
    )
    op.bulk_insert(table, [{"id": 1, "oldest": OLDEST}])


def downgrade() -> None:
    """Go back to one row a number; what waits to be delivered is lost."""
    for table in ("linda_compatibility", "used_links", "revocations", "webhook_deliveries"):
        op.drop_table(table)
    op.drop_index("ix_accounts_owner", "accounts")
    op.rename_table("accounts", "accounts_0002")
    _accounts()
    # One database, one home: where several homes had the number, the first one's row is kept.
    op.execute(
        f"INSERT INTO accounts ({_KEPT}) SELECT {_KEPT} FROM accounts_0002 AS one WHERE home = "
        "(SELECT MIN(home) FROM accounts_0002 AS other WHERE other.number = one.number)"
    )
    op.drop_table("accounts_0002")
    op.create_index("ix_accounts_owner", "accounts", ["owner"])
