"""Changes of one file that many threads want at once, written together by one of them.

Five hundred sessions that note something in the same second cost one or two writes of the file instead of five hundred,
and nobody waits longer than for two of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linda_cli.errors import InUse


@dataclass(slots=True, eq=False)
class Change:
    """What one thread wants to change, and how that went."""

    changes: Mapping[str, Callable[[dict[str, Any]], None]]
    problem: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)


Write = Callable[[Sequence[Change], float], None]
"""Applies changes and writes the file once; waits so many seconds for other processes."""


class GroupCommit:
    """The changes that wait for one file."""

    def __init__(self) -> None:
        self._waiting: list[Change] = []
        self._guard = threading.Lock()
        self._writing = threading.Lock()

    def do(self, change: Change, write: Write, wait: float) -> None:
        """Have a change written, by this thread or by another. Raises what writing raises, or ``InUse``."""
        deadline = time.monotonic() + wait
        with self._guard:
            self._waiting.append(change)
        if self._writing.acquire(timeout=max(0.0, wait)):
            try:
                if not change.done.is_set():
                    self._write_all(write, max(0.0, deadline - time.monotonic()))
            finally:
                self._writing.release()
        elif self._withdrawn(change):
            raise InUse("the state file is being written by another thread", "linda info")
        else:
            # Taken up in the last moment: its writer gives up in its own time, and says how it went.
            change.done.wait()
        if change.problem is not None:
            raise change.problem

    def _write_all(self, write: Write, wait: float) -> None:
        with self._guard:
            changes, self._waiting = self._waiting, []
        try:
            write(changes, wait)
        except BaseException as problem:
            # Ctrl-C was meant for this thread alone.
            said = (
                problem if isinstance(problem, Exception) else InUse("the writing thread was interrupted", "linda info")
            )
            for one in changes:
                one.problem = said
            raise
        finally:
            for one in changes:
                one.done.set()

    def _withdrawn(self, change: Change) -> bool:
        with self._guard:
            if change not in self._waiting:
                return False
            self._waiting.remove(change)
            return True


_known: dict[Path, GroupCommit] = {}
_known_guard = threading.Lock()


def group_commit(path: Path) -> GroupCommit:
    """The one for this file in this process."""
    with _known_guard:
        return _known.setdefault(path, GroupCommit())
