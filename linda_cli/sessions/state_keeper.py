"""Notes of runs for the state file, written behind their backs: no run waits for it, and none ends by it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from linda_cli.errors import LindaError, named
from linda_cli.sessions.state import Entry, State

FIRST_RETRY = 1.0
LONGEST_RETRY = 30.0
_LOCK_WAIT = 2.0
_MOST_FIELDS = 10_000

Say = Callable[[LindaError | None], None]
"""Hears that the file cannot be written, once for each reason, and None when it could again."""


class StateKeeper:
    """Keeps what many sessions note until it is in the file. One for each home and process is enough.

    Only the last value of a field counts, so what waits is bounded by the sessions and not by how long it waits.
    """

    def __init__(self, state: State, say: Say, *, first_retry: float = FIRST_RETRY) -> None:
        self._state = state
        self._say = say
        self._first_retry = first_retry
        self._changed = threading.Condition()
        self._waiting: dict[str, Entry] = {}
        self._writing = False
        self._closed = False
        self._said: str | None = None
        self._thread: threading.Thread | None = None

    def save(self, number: str, **fields: Any) -> None:
        """Have fields of an entry set, by their names in the file. Never waits for the disk, and never raises."""
        with self._changed:
            if len(self._waiting.setdefault(number, {})) < _MOST_FIELDS:
                self._waiting[number].update(fields)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="state", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, patience: float) -> bool:
        """Wait until everything is written; False where it is not within ``patience`` seconds."""
        until = time.monotonic() + patience
        with self._changed:
            self._changed.notify_all()
            while self._waiting or self._writing:
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return True

    def close(self, patience: float = _LOCK_WAIT) -> bool:
        """The same, and nothing more comes."""
        with self._changed:
            self._closed = True
        written = self.flush(patience)
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()
            return written and self._said is None

    def _work(self) -> None:
        pause = 0.0
        while True:
            with self._changed:
                until = time.monotonic() + pause
                # A stop does not wait out the pause of a retry: what can be written is, at once.
                while not self._waiting or (not self._closed and time.monotonic() < until):
                    if self._closed and not self._waiting:
                        return
                    self._changed.wait(None if not self._waiting else until - time.monotonic())
                taken, self._waiting = self._waiting, {}
                self._writing = True
            problem = self._written(taken)
            self._settle(taken, problem)
            pause = 0.0 if problem is None else min(LONGEST_RETRY, max(self._first_retry, pause * 2))
            if problem is not None and self._closed:
                return

    def _written(self, taken: Mapping[str, Entry]) -> LindaError | None:
        def change(number: str) -> Callable[[Entry], None]:
            return lambda entry: entry.update(taken[number])

        try:
            self._state.update_each({number: change(number) for number in taken}, wait=_LOCK_WAIT)
        except LindaError as problem:
            return problem
        except OSError as problem:
            return named(problem, "linda info")
        return None

    def _settle(self, taken: dict[str, Entry], problem: LindaError | None) -> None:
        with self._changed:
            self._writing = False
            if problem is not None and not self._closed:
                # What was noted meanwhile is newer.
                for number, fields in taken.items():
                    self._waiting[number] = {**fields, **self._waiting.get(number, {})}
            said, self._said = self._said, problem.message if problem is not None else None
            self._changed.notify_all()
        if said != self._said:
            try:
                self._say(problem)
            except Exception as bug:  # noqa: BLE001 - a listener's bug is reported, and what waits is written all the same
                threading.excepthook(
                    threading.ExceptHookArgs((type(bug), bug, bug.__traceback__, threading.current_thread()))
                )
