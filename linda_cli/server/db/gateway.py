"""Every write that somebody waits for goes through here: one worker, a bounded queue, and a wait that has an end.

A database that hangs holds this worker and nobody else. Who asked is told ``Unavailable`` in time; what had begun by
then is finished later, and its effect on what the server knows (``applied``) comes with it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from linda_cli.errors import DatabaseFull, Failed, LindaError, Unavailable
from linda_cli.server.db.engine import TIMEOUT

T = TypeVar("T")
Work = Callable[[Session], T]

_WAITING = 64
_PROBE_EVERY = 0.5
_FRESH = 2.0
"""Seconds after which a probe that has not come back counts as no answer."""


def named(problem: SQLAlchemyError) -> LindaError:
    """A failure of the database by linda's names."""
    cause = str(getattr(problem, "orig", None) or problem)
    code = str(getattr(getattr(problem, "orig", None), "sqlstate", "") or "")
    if "disk is full" in cause or code in ("53100", "53000") or "No space left" in cause:
        return DatabaseFull("the accounts' database has no space left", "free space on the database's disk, then retry")
    if isinstance(problem, DBAPIError) or "timeout" in type(problem).__name__.lower():
        return Unavailable(
            f"the accounts' database does not answer: {cause.splitlines()[0][:200]}", "retry later", retryAfter=TIMEOUT
        )
    return Failed(f"the accounts' database refused: {type(problem).__name__}", "see the log of the server")


@dataclass(frozen=True, slots=True)
class _Task:
    work: Work[Any]
    applied: Callable[[Any], None]
    answer: Future[Any]


class Database:
    """The database as the server uses it. ``say``: a line for the log."""

    def __init__(self, engine: Engine, say: Callable[[str], None]) -> None:
        self.engine = engine
        self._say = say
        self._tasks: queue.Queue[_Task | None] = queue.Queue(_WAITING)
        self._closing = threading.Event()
        self._probe_began = self._answered = time.monotonic()
        self._problem: str | None = None
        self._healthy = True
        for name, what in (("database", self._work), ("database-probe", self._probe)):
            threading.Thread(target=what, name=name, daemon=True).start()

    # -- for who waits

    def run(self, work: Work[T], applied: Callable[[T], None] = lambda _: None, *, within: float = TIMEOUT) -> T:
        """Do ``work`` in one transaction, then ``applied`` with its answer on the worker.

        Raises ``Unavailable`` where that takes longer than ``within`` seconds, ``DatabaseFull``, and what ``work``
        raises.
        """
        task = _Task(work, applied, Future())
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            raise self._unavailable() from None
        try:
            answer: T = task.answer.result(within)
        except (FutureTimeout, CancelledError):
            # What has not begun never will; what has is applied when the database comes back.
            task.answer.cancel()
            raise self._unavailable() from None
        return answer

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            "the accounts' database does not answer; nothing is lost, writes are caught up later", "retry later",
            retryAfter=TIMEOUT,
        )  # fmt: skip

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if not task.answer.set_running_or_notify_cancel():
                continue
            try:
                with Session(self.engine, expire_on_commit=False) as session, session.begin():
                    answer = task.work(session)
                task.applied(answer)
                task.answer.set_result(answer)
            except SQLAlchemyError as problem:
                told = named(problem)
                if not isinstance(told, Unavailable):
                    self._say(f"the database refused a change: {type(problem).__name__}")
                task.answer.set_exception(told)
            except Exception as problem:  # noqa: BLE001 - see below
                # Whatever it is, it belongs to who asked; the worker goes on for the others.
                task.answer.set_exception(problem)

    # -- how it is

    @property
    def problem(self) -> str | None:
        """Why the database cannot be used now, None while it answers. From memory, at most two seconds old."""
        if self._problem is not None:
            return self._problem
        hung = self._probe_began > self._answered and time.monotonic() - self._probe_began > _FRESH
        return "the database does not answer" if hung else None

    def _probe(self) -> None:
        while not self._closing.wait(_PROBE_EVERY):
            self._probe_began = time.monotonic()
            problem: str | None = None
            try:
                with self.engine.connect() as connection:
                    connection.execute(text("SELECT 1 FROM alembic_version"))
            except Exception as failure:  # noqa: BLE001 - see below
                # A probe must not end by what it looks for; its class is said, never an address with a password.
                problem = f"the database does not answer: {type(failure).__name__}"
            self._answered = max(time.monotonic(), self._probe_began)
            if (problem is None) is not self._healthy:
                self._healthy = problem is None
                self._say(problem or "the database answers again")
            self._problem = problem

    def close(self) -> None:
        """End the worker and the probe; what waits behind a database that hangs is given up."""
        self._closing.set()
        try:
            self._tasks.put_nowait(None)
        except queue.Full:
            self._say("the database did not take the last changes")
        self.engine.dispose()
