"""The database: SQLite in the home, or the one that ``LINDA_DATABASE_URL`` names; brought up to date at start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from linda_cli.errors import Failed, Misused
from linda_cli.sessions.home import Home

_PATIENCE = 5
"""Seconds after which a database that does not answer has failed: a session must not wait for it for long."""


def connect(url: str | None, home: Home) -> Engine:
    """The engine for ``url``, else for the home's own file, with the tables as this version of linda wants them.

    Raises ``Misused`` for an address that is none, ``Failed`` where the database does not answer.
    """
    if url is None:
        # Before SQLite makes it: for its owner's eyes only, as all of the home; what SQLite puts beside it follows.
        os.close(os.open(home.database, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        asked = make_url(url or f"sqlite:///{home.database}")
        if asked.drivername in ("postgres", "postgresql"):
            asked = asked.set(drivername="postgresql+psycopg")
        engine = _sqlite(asked) if asked.get_backend_name() == "sqlite" else _other(asked)
    except (ArgumentError, ModuleNotFoundError) as problem:
        raise Misused(
            f"LINDA_DATABASE_URL is no address of a database: {type(problem).__name__}",
            "LINDA_DATABASE_URL=postgresql://linda@localhost/linda linda serve",
        ) from None
    try:
        _migrate(engine)
    except SQLAlchemyError as problem:
        engine.dispose()
        cause = str(getattr(problem, "orig", None) or type(problem).__name__).splitlines()[0]
        raise Failed(
            f"the database at {asked.render_as_string(hide_password=True)} does not answer: {cause}",
            "check LINDA_DATABASE_URL, or unset it for SQLite in the home",
        ) from None
    return engine


def _sqlite(url: Any) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _PATIENCE})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        # Readers must not wait for a writer; in this mode NORMAL loses no consistency, at most the last moments.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


def _other(url: Any) -> Engine:
    arguments: dict[str, Any] = {}
    if url.get_backend_name() == "postgresql":
        # A database made in the C locale has no encoding of its own, and would answer in bytes.
        arguments = {
            "connect_timeout": _PATIENCE,
            "client_encoding": "utf8",
            "options": f"-c statement_timeout={_PATIENCE * 1000}",
        }
    # A server that was restarted is noticed before a connection to it is used.
    return create_engine(url, pool_pre_ping=True, pool_timeout=_PATIENCE, connect_args=arguments)


NEWEST = "0001"
"""The newest migration. A test holds it; it is here because Alembic takes 0.2 s to find it out."""


def _is_newest(engine: Engine) -> bool:
    with engine.connect() as connection:
        there = connection.dialect.has_table(connection, "alembic_version")
        return there and connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [NEWEST]


def _migrate(engine: Engine) -> None:
    if _is_newest(engine):
        return
    from alembic import command

    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def migrations() -> Any:
    """Alembic's settings for our migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
