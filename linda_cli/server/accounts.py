"""Accounts in the database: whose is which number, and what is known of its session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from linda_cli.errors import InUse, SessionNotFound
from linda_cli.server.models import AccountRow, row_values
from linda_cli.sessions.clock import iso

LOCAL = "local"
"""The owner where there is no JWT_SECRET, and of sessions that were made by the command line."""


@dataclass(frozen=True, slots=True)
class SessionData:
    """As seed 003 has it. ``auth_state`` is the last thing known, by the state file's words."""

    is_authenticated: bool
    last_connected: str | None
    auth_state: str
    session_valid: bool


@dataclass(frozen=True, slots=True)
class Account:
    """``status``: ``active`` (on record, never up), ``authenticating``, ``ready``, ``disconnected``."""

    client_id: str
    owner: str
    status: str
    session_data: SessionData
    created_at: str
    updated_at: str


class Accounts:
    """The table of accounts. Every method is one transaction, and may be called from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._owners: dict[str, str] = {}

    def owner_of(self, number: str) -> str | None:
        """Whose it is, remembered: it is asked for at every event, and never changes."""
        if number not in self._owners:
            found = self.find(number)
            if found is None:
                return None
            self._owners[number] = found.owner
        return self._owners[number]

    def add(self, number: str, owner: str, *, linked: bool = False, auth_state: str = "new") -> Account:
        """Put a number on record; the same owner's again is no error. Raises ``InUse`` where it is another's."""
        now = datetime.now(UTC)
        row = AccountRow(
            number=number, owner=owner, status="active", is_authenticated=linked, last_connected=None,
            auth_state=auth_state, session_valid=linked, created_at=now, updated_at=now,
        )  # fmt: skip
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                session.add(row)
        except IntegrityError:
            there = self.get(number)
            if there.owner != owner:
                # Whose it is is nobody else's business.
                raise InUse(f"{number} is on record for somebody else", "ask who runs this server") from None
            return there
        return _account(row)

    def get(self, number: str) -> Account:
        """Raises ``SessionNotFound``."""
        found = self.find(number)
        if found is None:
            raise _unknown(number)
        return found

    def find(self, number: str) -> Account | None:
        """The account, None where there is none."""
        with Session(self._engine) as session:
            row = session.get(AccountRow, number)
            return _account(row) if row is not None else None

    def all(self, owner: str | None = None) -> list[Account]:
        """Every account, or one owner's, by number."""
        wanted = select(AccountRow).order_by(AccountRow.number)
        if owner is not None:
            wanted = wanted.where(AccountRow.owner == owner)
        with Session(self._engine) as session:
            return [_account(row) for row in session.scalars(wanted)]

    def valid(self) -> list[Account]:
        """Those to restore, most recently connected first."""
        wanted = select(AccountRow).where(AccountRow.session_valid).order_by(
            AccountRow.last_connected.desc().nulls_last(), AccountRow.number
        )  # fmt: skip
        with Session(self._engine) as session:
            return [_account(row) for row in session.scalars(wanted)]

    def change(self, number: str, fields: Mapping[str, Any]) -> None:
        """Set columns; an account that is gone stays gone."""
        with Session(self._engine) as session, session.begin():
            session.execute(
                update(AccountRow).where(AccountRow.number == number).values(**fields, updated_at=datetime.now(UTC))
            )

    def remove(self, number: str) -> None:
        """Take a number off the record."""
        with Session(self._engine) as session, session.begin():
            session.execute(delete(AccountRow).where(AccountRow.number == number))
        self._owners.pop(number, None)


def _unknown(number: str) -> SessionNotFound:
    return SessionNotFound(
        f"there is no account {number}", f'POST /whatsapp/accounts with {{"number": "{number}"}}', session=number
    )


def _account(row: AccountRow) -> Account:
    facts = row_values(row)
    data = SessionData(
        facts["is_authenticated"], _spelled(facts["last_connected"]), facts["auth_state"], facts["session_valid"]
    )
    return Account(
        facts["number"],
        facts["owner"],
        facts["status"],
        data,
        _spelled(facts["created_at"]) or "",
        _spelled(facts["updated_at"]) or "",
    )


def _spelled(moment: datetime | None) -> str | None:
    return iso(round(moment.timestamp() * 1000)) if moment is not None else None
