"""The accounts' database: SQLite in the home, or PostgreSQL."""
