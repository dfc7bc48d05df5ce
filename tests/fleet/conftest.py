"""Databases and fences for the tests of the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from linda_cli.server.db.engine import connect
from linda_cli.sessions.home import Home
from tests.server.conftest import postgres_url

__all__ = ["postgres_url"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home", tmp_path / "home" / "sessions")
    home.make()
    return home


def emptied(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in ("fleet_numbers", "fleet_hosts", "fleet_backups", "accounts", "webhooks", "webhook_deliveries"):
            connection.execute(text(f"DELETE FROM {table}"))


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, home: Home) -> Iterator[Engine]:
    """An empty database of each kind, brought up to date."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    engine = connect(url, home)
    emptied(engine)
    yield engine
    emptied(engine)
    engine.dispose()


@pytest.fixture
def postgres(postgres_url: str, home: Home) -> Iterator[Engine]:
    """An empty PostgreSQL."""
    engine = connect(postgres_url, home)
    emptied(engine)
    yield engine
    emptied(engine)
    engine.dispose()
