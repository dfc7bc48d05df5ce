"""What waits to be delivered, kept in the database: written behind the deliveries' back, read at the server's start."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from linda_cli.server.db.models import DeliveryRow

_WAITING = 20_000
_BATCH = 500
_RETRY = 1.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook. ``body``: the JSON that is sent, always the same bytes."""

    id: str
    webhook: str
    event: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _Change:
    add: Delivery | None = None
    remove: str | None = None


class Journal:
    """A bounded queue of changes and the thread that writes them, in order and in batches."""

    def __init__(self, engine: Engine, home: str, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._home = home
        self._say = say
        self._changes: queue.Queue[_Change] = queue.Queue(_WAITING)
        self._closing = threading.Event()
        self._failing = False
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="webhook-journal", daemon=True)
        self._thread.start()

    def load(self) -> list[Delivery]:
        """What waited when the server before this one ended, oldest first."""
        with Session(self._engine) as session:
            rows = session.scalars(
                select(DeliveryRow).where(DeliveryRow.home == self._home).order_by(DeliveryRow.created_at)
            )
            return [Delivery(row.id, row.webhook, row.event, row.body, row.created_at) for row in rows]

    def add(self, delivery: Delivery) -> None:
        """Keep one."""
        self._put(_Change(add=delivery))

    def remove(self, id_: str) -> None:
        """It was delivered or given up."""
        self._put(_Change(remove=id_))

    def _put(self, change: _Change) -> None:
        try:
            self._changes.put_nowait(change)
        except queue.Full:
            # The database has been away for long; deliveries go on from memory.
            self.lost += 1

    def _run(self) -> None:
        batch: list[_Change] = []
        while not (self._closing.is_set() and not batch and self._changes.empty()):
            if not batch:
                batch = self._next()
            if batch and self._write(batch):
                batch = []
            elif batch:
                if self._closing.is_set():
                    return
                time.sleep(_RETRY)

    def _next(self) -> list[_Change]:
        try:
            batch = [self._changes.get(timeout=0.1)]
        except queue.Empty:
            return []
        while len(batch) < _BATCH and not self._changes.empty():
            batch.append(self._changes.get_nowait())
        return batch

    def _write(self, batch: list[_Change]) -> bool:
        removed = {one.remove for one in batch if one.remove is not None}
        added = {one.add.id: one.add for one in batch if one.add is not None and one.add.id not in removed}
        try:
            with Session(self._engine) as session, session.begin():
                if removed:
                    session.execute(delete(DeliveryRow).where(DeliveryRow.id.in_(removed)))
                for one in added.values():
                    session.add(
                        DeliveryRow(
                            id=one.id, home=self._home, webhook=one.webhook, event=one.event, body=one.body,
                            attempts=0, created_at=one.created_at,
                        )
                    )  # fmt: skip
        except SQLAlchemyError as problem:
            if not self._failing:
                self._say(f"what webhooks wait for cannot be kept now: {type(problem).__name__}")
            self._failing = True
            return False
        self._failing = False
        return True

    def forget(self, webhook: str) -> None:
        """A webhook that was removed waits for nothing. Raises ``SQLAlchemyError``."""
        with Session(self._engine) as session, session.begin():
            session.execute(delete(DeliveryRow).where(DeliveryRow.webhook == webhook))

    def close(self, within: float) -> None:
        """Write what waits, for so long."""
        self._closing.set()
        self._thread.join(within)


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)
