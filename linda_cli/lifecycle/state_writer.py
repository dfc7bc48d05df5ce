"""Writing what is known of a session, by a thread of its own: a state file that cannot be written ends no run.

Changes are kept in order and tried again until they are written; what cannot be written is said once, and once more
when it could be.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from linda_cli.errors import LindaError
from linda_cli.sessions.store import Store

Change = Callable[[dict[str, Any]], None]

_MOST_WAITING = 1000
_RETRY = 2.0


class StateWriter:
    """Writes the changes of one session. ``said`` hears a line where that fails, and where it works again."""

    def __init__(self, store: Store, said: Callable[[str], None]) -> None:
        self._store = store
        self._said = said
        self._waiting: deque[tuple[str, Change]] = deque(maxlen=_MOST_WAITING)
        self._after: list[Callable[[], None]] = []
        self._changed = threading.Condition()
        self._ending = False
        self._failing = False
        self._idle = True
        self._thread: threading.Thread | None = None

    def save(self, number: str, **fields: Any) -> None:
        """Set fields of the session's entry, soon."""
        self.change(number, lambda entry: entry.update(fields))

    def change(self, number: str, change: Change) -> None:
        """Change the session's entry, soon."""
        with self._changed:
            self._waiting.append((number, change))
            self._begin()

    def then(self, act: Callable[[], None]) -> None:
        """Do this once everything before it has been written; tried again like a change."""
        with self._changed:
            self._after.append(act)
            self._begin()

    def _begin(self) -> None:
        self._idle = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="state", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written, for so long at the most; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._idle, seconds)

    def close(self, seconds: float = 10.0) -> None:
        """Write what waits, for so long at the most."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _write(self) -> None:
        while True:
            with self._changed:
                while not (self._waiting or self._after):
                    self._idle = True
                    self._changed.notify_all()
                    if self._ending:
                        return
                    self._changed.wait()
                some, after = list(self._waiting), list(self._after)
            try:
                self._write_all(some)
                for act in after:
                    act()
            except LindaError as problem:
                if not self._failing:
                    self._failing = True
                    self._said(f"what is known of the session could not be written: {problem.message}; tried again")
                with self._changed:
                    if self._ending:
                        return
                    self._changed.wait(_RETRY)
                continue
            with self._changed:
                for _ in some:
                    self._waiting.popleft()
                del self._after[: len(after)]
            if self._failing:
                self._failing = False
                self._said("what is known of the session is written again")

    def _write_all(self, some: list[tuple[str, Change]]) -> None:
        for number in dict.fromkeys(of for of, _ in some):
            mine = [change for of, change in some if of == number]
            self._store.state.update(number, partial(_changed_by, mine))


def _changed_by(changes: list[Change], entry: dict[str, Any]) -> None:
    for change in changes:
        change(entry)
