"""Writes what events say of accounts into the database, behind everybody's back: nobody waits for it.

What could not be written waits, a change of an account over the one before it, so that what waits is bounded by the
number of accounts; it is written as soon as the database answers again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from linda_cli.server.db import accounts

_RETRY = 1.0


class AccountWriter:
    """Holds the newest unwritten fields of each account and writes them on a thread of its own."""

    def __init__(self, engine: Engine, home: str, say: Callable[[str], None], retry: float = _RETRY) -> None:
        self._engine = engine
        self._home = home
        self._say = say
        self._retry = retry
        self._unwritten: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._busy = False
        self._batch: frozenset[str] = frozenset()
        self._closing = False
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="account-writer", daemon=True)
        self._thread.start()

    def put(self, number: str, fields: Mapping[str, Any]) -> None:
        """Have these columns of an account written soon."""
        if not fields:
            return
        with self._changed:
            self._unwritten.setdefault(number, {}).update(fields)
            self._changed.notify_all()

    def forget(self, number: str) -> None:
        """What waits for an account that is gone is of no use."""
        with self._changed:
            self._unwritten.pop(number, None)

    @property
    def waiting(self) -> int:
        """Accounts whose newest state is not in the database yet."""
        with self._changed:
            return len(self._unwritten.keys() | self._batch)

    def flush(self, within: float) -> bool:
        """Wait until all is written; False where that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._unwritten and not self._busy, within)

    def close(self, within: float = 0.0) -> bool:
        """Write what waits and end; False where something is still unwritten after ``within`` seconds."""
        done = self.flush(within)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        return done

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unwritten or self._closing)
                if self._closing:
                    return
                batch, self._unwritten = self._unwritten, {}
                self._batch = frozenset(batch)
                self._busy = True
            written = self._write(batch)
            with self._changed:
                self._busy, self._batch = False, frozenset()
                if not written:
                    for number, fields in batch.items():
                        self._unwritten[number] = {**fields, **self._unwritten.get(number, {})}
                self._changed.notify_all()
            if not written:
                time.sleep(self._retry)

    def _write(self, batch: Mapping[str, Mapping[str, Any]]) -> bool:
        try:
            with Session(self._engine) as session, session.begin():
                for number, fields in batch.items():
                    accounts.change(session, self._home, number, fields)
        except SQLAlchemyError as problem:
            if not self._failing:
                self._say(f"the database does not take what is known of accounts: {type(problem).__name__}; it waits")
            self._failing = True
            return False
        if self._failing:
            self._say("the database takes changes again; what waited is written")
        self._failing = False
        return True
