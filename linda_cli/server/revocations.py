"""Revoked tokens and used links, kept in the accounts' database so that every server of it knows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from linda_cli.errors import NotAuthenticated
from linda_cli.server.db.gateway import Database
from linda_cli.server.db.models import RevocationRow, UsedLinkRow

_EVERY = 0.4
"""Seconds between two looks: a revocation ends sockets within a second."""


def revoke(session: Session, kind: str, value: str) -> None:
    """Revoke a token by its id, or all of an owner's that were made until now."""
    session.execute(delete(RevocationRow).where(RevocationRow.kind == kind, RevocationRow.value == value))
    session.add(RevocationRow(kind=kind, value=value, revoked_at=datetime.now(UTC)))


class RevocationList:
    """What was revoked, read again every 0.4 s. ``changed`` is called when there is more than before."""

    def __init__(self, engine: Engine, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._say = say
        self._tokens: frozenset[str] = frozenset()
        self._owners: dict[str, float] = {}
        self._closing = threading.Event()
        self.changed: Callable[[], None] = lambda: None
        self.read()
        threading.Thread(target=self._watch, name="revocations", daemon=True).start()

    def is_revoked(self, token_id: str | None, owner: str, issued_at: float) -> bool:
        """By its id, or because its owner's were revoked after it was made. A token without ``iat`` is an old one."""
        # Tokens bear whole seconds: one made in the second of the revocation, after it, must not be lost.
        return token_id in self._tokens or issued_at < int(self._owners.get(owner, 0.0))

    def read(self) -> None:
        """Look into the database. Raises ``SQLAlchemyError``."""
        with Session(self._engine) as session:
            rows = list(session.scalars(select(RevocationRow)))
        tokens = frozenset(row.value for row in rows if row.kind == "token")
        owners = {row.value: row.revoked_at.timestamp() for row in rows if row.kind == "owner"}
        more = (tokens, owners) != (self._tokens, self._owners)
        self._tokens, self._owners = tokens, owners
        if more:
            self.changed()

    def _watch(self) -> None:
        failing = False
        while not self._closing.wait(_EVERY):
            try:
                self.read()
                failing = False
            except SQLAlchemyError as problem:
                if not failing:
                    self._say(f"revocations cannot be read: {type(problem).__name__}; what is known stays in force")
                failing = True

    def close(self) -> None:
        """Look no more."""
        self._closing.set()


def use_once(database: Database, link_id: str) -> None:
    """Record that a link was used. Raises ``NotAuthenticated`` where it was used before."""

    def work(session: Session) -> bool:
        session.add(UsedLinkRow(id=link_id, used_at=datetime.now(UTC)))
        try:
            session.flush()
        except IntegrityError:
            session.rollback()
            return False
        return True

    if not database.run(work):
        raise NotAuthenticated("this link was used or has expired", "ask for a new link")


def forget_old_links(session: Session, before: float = 0.0) -> None:
    """Used links that have expired long since need no memory: their signature is no good any more."""
    old = datetime.fromtimestamp(before or time.time() - 30 * 86400, UTC)
    session.execute(delete(UsedLinkRow).where(UsedLinkRow.used_at < old))
