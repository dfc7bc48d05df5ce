"""The accounts of one home, held in memory and kept in the database: reading them waits for nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from linda_cli.browser.proxy import parse_proxy
from linda_cli.errors import Misused, SessionNotFound
from linda_cli.server.db import accounts as table
from linda_cli.server.db.gateway import Database
from linda_cli.server.db.models import AccountRow, row_values
from linda_cli.server.db.writer import AccountWriter
from linda_cli.sessions.clock import iso

__all__ = ["Account", "Accounts", "SessionData"]


@dataclass(frozen=True, slots=True)
class SessionData:
    """The session of an account as the API shows it. ``auth_state``: ``lastState`` of the state file."""

    is_authenticated: bool
    last_connected: str | None
    auth_state: str
    session_valid: bool


@dataclass(frozen=True, slots=True)
class Account:
    """``status``: ``active`` (on record, never up), ``authenticating``, ``ready``, ``disconnected``.

    ``label``: what people call it. ``proxy``: of its own, without user and password. ``removing``: ``keep`` or ``all``
    (of its backups) once its removal was asked for.
    """

    client_id: str
    owner: str
    status: str
    session_data: SessionData
    created_at: str
    updated_at: str
    label: str | None = None
    proxy: str | None = None
    removing: str | None = None


class Accounts:
    """Every account of a home. Methods may be called from any thread; those that write wait for the database and
    raise ``Unavailable`` where it does not answer in time."""

    def __init__(self, database: Database, writer: AccountWriter, home: str) -> None:
        self._database = database
        self._writer = writer
        self.home = home
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, Any]] = {}

    def load(self) -> None:
        """Read every row of this home."""
        found = self._database.run(lambda session: [row_values(row) for row in table.rows(session, self.home)])
        with self._lock:
            self._rows = {row["number"]: row for row in found}

    # -- from memory

    def find(self, number: str) -> Account | None:
        """The account, None where there is none."""
        with self._lock:
            row = self._rows.get(number)
            return _account(row) if row is not None else None

    def get(self, number: str) -> Account:
        """Raises ``SessionNotFound``."""
        found = self.find(number)
        if found is None:
            raise not_found(number)
        return found

    def owner_of(self, number: str) -> str | None:
        """Whose it is; asked at every event."""
        with self._lock:
            row = self._rows.get(number)
            return row["owner"] if row is not None else None

    def proxy_of(self, number: str) -> str | None:
        """By which proxy its browser is to go, password and all: for the browser, and for nobody to see."""
        with self._lock:
            row = self._rows.get(number)
            return row["proxy"] if row is not None else None

    def all(self, owner: str | None = None) -> list[Account]:
        """Every account, or one owner's, by number."""
        with self._lock:
            rows = [row for row in self._rows.values() if owner is None or row["owner"] == owner]
            return [_account(row) for row in sorted(rows, key=lambda row: str(row["number"]))]

    def count(self, owner: str) -> int:
        """How many accounts an owner has."""
        with self._lock:
            return sum(row["owner"] == owner for row in self._rows.values())

    def valid(self) -> list[Account]:
        """Those to restore, most recently connected first."""
        found = [one for one in self.all() if one.session_data.session_valid and one.removing is None]
        return sorted(found, key=lambda one: one.session_data.last_connected or "", reverse=True)

    def change(self, number: str, fields: Mapping[str, Any]) -> None:
        """Set columns at once in memory and soon in the database."""
        if not fields:
            return
        with self._lock:
            row = self._rows.get(number)
            if row is None:
                return
            row.update(fields, updated_at=datetime.now(UTC))
        self._writer.put(number, fields)

    # -- through the database

    def add(
        self, number: str, owner: str, *, label: str | None = None, linked: bool = False, auth_state: str = "new"
    ) -> Account:
        """Put a number on record, in the place of whatever row it had."""
        now = datetime.now(UTC)
        values = {
            "home": self.home, "number": number, "owner": owner, "label": label, "status": "active",
            "is_authenticated": linked, "last_connected": None, "auth_state": auth_state, "session_valid": linked,
            "removing": None, "proxy": None, "created_at": now, "updated_at": now,
        }  # fmt: skip

        def work(session: Session) -> Mapping[str, Any]:
            table.remove(session, self.home, number)
            session.add(AccountRow(**values))
            return values

        def applied(row: Mapping[str, Any]) -> None:
            with self._lock:
                self._rows[number] = dict(row)

        self._writer.forget(number)
        return _account(self._database.run(work, applied))

    def save(self, number: str, **fields: Any) -> Account:
        """Set columns and wait until they are in the database."""

        def work(session: Session) -> None:
            table.change(session, self.home, number, fields)

        def applied(_: None) -> None:
            with self._lock:
                if number in self._rows:
                    self._rows[number].update(fields, updated_at=datetime.now(UTC))

        self._database.run(work, applied)
        return self.get(number)

    def remove(self, number: str) -> None:
        """Take a number off the record."""

        def applied(_: None) -> None:
            with self._lock:
                self._rows.pop(number, None)

        self._writer.forget(number)
        self._database.run(lambda session: table.remove(session, self.home, number), applied)

    def claim(self, numbers: Iterable[str], *, all_of_them: bool) -> list[tuple[str, str, bool]]:
        """Take over rows of an older linda, which knew of no homes: those whose number has a session here, or all.

        Gives (number, owner, whether its login was there) of each.
        """
        here = frozenset(numbers)

        def work(session: Session) -> list[tuple[str, str, bool]]:
            taken = []
            for row in table.unclaimed(session):
                if all_of_them or row.number in here:
                    taken.append((row.number, row.owner, row.session_valid or row.is_authenticated))
                    row.home = self.home
            return taken

        return self._database.run(work)


def not_found(number: str) -> SessionNotFound:
    """The same for a number nobody has and for somebody else's."""
    return SessionNotFound(
        f"there is no account {number}", f'POST /whatsapp/accounts with {{"number": "{number}"}}', session=number
    )


def with_status(account: Account, status: str) -> Account:
    """The account with another status."""
    return replace(account, status=status)


def _account(row: Mapping[str, Any]) -> Account:
    data = SessionData(
        row["is_authenticated"], _spelled(row["last_connected"]), row["auth_state"], row["session_valid"]
    )
    return Account(
        client_id=row["number"],
        owner=row["owner"],
        status=row["status"],
        session_data=data,
        created_at=_spelled(row["created_at"]) or "",
        updated_at=_spelled(row["updated_at"]) or "",
        label=row["label"],
        proxy=_shown(row["proxy"]) if row["proxy"] else None,
        removing=row["removing"],
    )


def _shown(proxy: str) -> str:
    """A proxy without who asks. What somebody else wrote into the database may be none."""
    try:
        return str(parse_proxy(proxy))
    except Misused:
        return "malformed"


def _spelled(moment: datetime | None) -> str | None:
    return iso(round(moment.timestamp() * 1000)) if moment is not None else None
