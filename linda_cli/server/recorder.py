"""Writes what events say of accounts into the database. A database that is away keeps no session waiting for long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from linda_cli.lifecycle.events import Event
from linda_cli.server.accounts import Accounts
from linda_cli.server.view import columns


class Recorder:
    """A listener of the hub. What could not be written waits for the next event of any account, or for the end."""

    def __init__(self, accounts: Accounts, trouble: Callable[[str], None]) -> None:
        self._accounts = accounts
        self._trouble = trouble
        self._unwritten: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, told: Event) -> None:
        """Keep what an event says of its account."""
        fields = columns(told)
        if told.session is None or not fields:
            return
        with self._lock:
            self._unwritten.setdefault(told.session, {}).update(fields)
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            for number in list(self._unwritten):
                try:
                    self._accounts.change(number, self._unwritten[number])
                except SQLAlchemyError as problem:
                    self._trouble(f"the database does not take what is known of {number}: {type(problem).__name__}")
                    return
                del self._unwritten[number]
