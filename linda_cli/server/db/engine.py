"""Connecting to the database: SQLite in the home, or the one that ``LINDA_DATABASE_URL`` names; migrated at start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from linda_cli.errors import DatabaseTooNew, Failed, Misused
from linda_cli.installation import upgrade
from linda_cli.sessions.home import Home

TIMEOUT = 5
"""Seconds after which a database that does not answer has failed."""

NEWEST = "0004"
"""The newest migration. A test holds it; it is here because Alembic takes 0.2 s to find it out."""


def connect(url: str | None, home: Home) -> Engine:
    """The engine for ``url``, else for the home's own file, with the tables as this version of linda wants them.

    Raises ``Misused`` for a malformed address, ``DatabaseTooNew`` for one that only a newer linda can use, ``Failed``
    where the database does not answer.
    """
    if url is None:
        # Before SQLite makes it: mode 0600, as all of the home; what SQLite puts beside it follows.
        os.close(os.open(home.database, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        asked = _address(url or f"sqlite:///{home.database}")
        engine = _engine(asked)
    except (ArgumentError, ModuleNotFoundError) as problem:
        raise Misused(
            f"LINDA_DATABASE_URL is not a database address: {type(problem).__name__}",
            "LINDA_DATABASE_URL=postgresql://linda@localhost/linda linda serve",
        ) from None
    try:
        _migrate(engine)
    except DatabaseTooNew:
        engine.dispose()
        raise
    except SQLAlchemyError as problem:
        engine.dispose()
        cause = str(getattr(problem, "orig", None) or type(problem).__name__).splitlines()[0]
        raise Failed(
            f"the database at {asked.render_as_string(hide_password=True)} does not answer: {cause}",
            "linda config --changed",
        ) from None
    return engine


def open_engine(url: str) -> Engine:
    """The engine for a database that was brought up to date already."""
    return _engine(_address(url))


def _address(url: str) -> Any:
    asked = make_url(url)
    if asked.drivername in ("postgres", "postgresql"):
        return asked.set(drivername="postgresql+psycopg")
    return asked


def _engine(url: Any) -> Engine:
    return _sqlite(url) if url.get_backend_name() == "sqlite" else _other(url)


def _sqlite(url: Any) -> Engine:
    # An account's proxy is a parameter: no error of the database may show it.
    engine = create_engine(url, connect_args={"timeout": TIMEOUT}, hide_parameters=True)

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
            "connect_timeout": TIMEOUT,
            "client_encoding": "utf8",
            "options": f"-c statement_timeout={TIMEOUT * 1000}",
            # A network that swallows everything: without these a lost connection is noticed after many minutes.
            "tcp_user_timeout": 2 * TIMEOUT * 1000,
            "keepalives_idle": TIMEOUT,
            "keepalives_interval": 2,
            "keepalives_count": 3,
        }
    # A server that was restarted is noticed before a connection to it is used.
    return create_engine(url, pool_pre_ping=True, pool_timeout=TIMEOUT, connect_args=arguments, hide_parameters=True)


def _revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalars().first()


def _is_usable(engine: Engine) -> bool:
    """True where nothing is to be done: the revision is ours, or a newer one that this linda can work with."""
    with engine.connect() as connection:
        there = _revision(connection)
        if there is None or there <= NEWEST:
            return there == NEWEST
        oldest = None
        if connection.dialect.has_table(connection, "linda_compatibility"):
            oldest = connection.execute(text("SELECT oldest FROM linda_compatibility")).scalars().first()
        if oldest is None or oldest > NEWEST:
            raise DatabaseTooNew(
                f"the database has revision {there} of a newer linda; this one knows up to {NEWEST}",
                upgrade(),
            )
        return True


def _migrate(engine: Engine) -> None:
    if _is_usable(engine):
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
