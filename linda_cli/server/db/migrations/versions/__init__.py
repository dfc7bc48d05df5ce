"""One module a revision; alembic runs them in order."""
