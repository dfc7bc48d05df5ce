"""Changes below files and folders, as they are saved."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from linda_cli.errors import Misused

# A change is told once nothing more has changed for one to two steps; a disk that never rests is told anyway.
_STEP_MS = 20
_PATIENCE_MS = 1000


def watchable(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The paths made absolute. Raises ``Misused`` for what is not there."""
    found = []
    for path in paths:
        if not path.exists():
            raise Misused(f"--watch {path}: there is no such file or folder", "linda start --watch . -- python bot.py")
        # Not resolved: a link that is pointed elsewhere is a change, too.
        found.append(Path(os.path.abspath(path)))
    return tuple(found)


class Changes:
    """Calls ``changed`` from a thread of its own after each burst of changes, until closed.

    What version control, Python and editors write beside the sources does not count, nor does anything whose
    path begins with one of ``ignored``.
    """

    def __init__(self, paths: Sequence[Path], changed: Callable[[], None], ignored: Sequence[str] = ()) -> None:
        self._changed = changed
        self._ignored = tuple(ignored)
        self._stop = threading.Event()
        folders = [str(path) for path in paths if path.is_dir()]
        # An editor that saves by renaming gives a file a new inode, so its folder is what has to be watched.
        files = {str(path) for path in paths if not path.is_dir()}
        parents = sorted({os.path.dirname(path) for path in files})
        self._up = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._watch, args=(where, deep, only), name="changes", daemon=True)
            for where, deep, only in ((folders, True, None), (parents, False, files))
            if where
        ]
        for thread in self._threads:
            thread.start()

    def wait_until_up(self) -> None:
        """Wait until every change from now on is seen."""
        for _ in self._threads:
            self._up.acquire()

    def _watch(self, where: list[str], deep: bool, only: set[str] | None) -> None:
        # Late: its import takes as long as a start may be late.
        from watchfiles import Change, DefaultFilter
        from watchfiles._rust_notify import RustNotify

        counts = DefaultFilter(ignore_paths=self._ignored)
        try:
            with RustNotify(where, False, False, 0, deep, True) as notify:
                self._up.release()
                while True:
                    seen = notify.watch(_PATIENCE_MS, _STEP_MS, 0, self._stop)
                    if isinstance(seen, str):
                        return
                    if any((only is None or path in only) and counts(Change(kind), path) for kind, path in seen):
                        self._changed()
        finally:
            self._up.release()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2)
