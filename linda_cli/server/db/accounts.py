"""The table of accounts: statements only, each run in somebody else's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from linda_cli.server.db.models import AccountRow


def rows(session: Session, home: str) -> list[AccountRow]:
    """Every account of a home, by number."""
    return list(session.scalars(select(AccountRow).where(AccountRow.home == home).order_by(AccountRow.number)))


def unclaimed(session: Session) -> list[AccountRow]:
    """Rows of an older linda, which knew of no homes."""
    return list(session.scalars(select(AccountRow).where(AccountRow.home == "")))


def change(session: Session, home: str, number: str, fields: Mapping[str, Any]) -> None:
    """Set columns; an account that is gone stays gone."""
    session.execute(
        update(AccountRow)
        .where(AccountRow.home == home, AccountRow.number == number)
        .values(**fields, updated_at=datetime.now(UTC))
    )


def remove(session: Session, home: str, number: str) -> None:
    """Take a number off the record."""
    session.execute(delete(AccountRow).where(AccountRow.home == home, AccountRow.number == number))
