"""An account may have a proxy of its own. A linda that knows nothing of it works on with the table."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Give each account a proxy."""
    op.add_column("accounts", sa.Column("proxy", sa.String(2000)))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("accounts", "proxy")
