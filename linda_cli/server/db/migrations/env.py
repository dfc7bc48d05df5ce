"""Alembic's way in: on the connection that it is given, never from its own command line."""

from alembic import context

from linda_cli.server.db.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
