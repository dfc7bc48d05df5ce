"""The revisions of the accounts' database."""
