"""Changes below files and folders, as they are saved."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from linda_cli.errors import Misused
from linda_cli.lifecycle.polling import EVERY, Poller

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

# A change is told once nothing more has changed for one to two steps; a disk that never rests is told anyway.
_STEP_MS = 20
_PATIENCE_MS = 1000

_ADDED = 1  # watchfiles' number for it
_MOST_NEW = 20


def watchable(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The paths made absolute. Raises ``Misused`` for what is not there."""
    found = []
    for path in paths:
        if not path.exists():
            raise Misused(f"--watch {path}: there is no such file or folder", "linda start --watch . -- python bot.py")
        # Not resolved: a link that is pointed elsewhere is a change, too.
        found.append(Path(os.path.abspath(path)))
    return tuple(found)


class CannotWatch(Exception):
    """The kernel does not watch all of it; says why, and what may be done."""


class Changes:
    """Calls ``changed`` from a thread of its own after each burst of changes, until closed, with what has changed.

    What version control, Python and editors write beside the sources does not count, nor does anything whose
    path begins with one of ``ignored``. What the kernel does not watch is looked at every second instead, which ``say``
    is told, once.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        changed: Callable[[str | None], None],
        ignored: Sequence[str] = (),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._changed = changed
        self._ignored = tuple(ignored)
        self._say = say
        self._said = threading.Lock()
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

        counts = DefaultFilter(ignore_paths=self._ignored)

        def hear(seen: Iterable[tuple[int, str]]) -> None:
            found = sorted(
                {path for kind, path in seen if (only is None or path in only) and counts(Change(kind), path)}
            )
            if found:
                more = f" and {len(found) - 1} more" if len(found) > 1 else ""
                self._changed(f"{os.path.basename(found[0])}{more}")

        poller: Poller | None = None
        try:
            try:
                self._watch_by_kernel(where, deep, hear)
                return
            except CannotWatch as problem:
                poller = Poller(where, deep, frozenset(counts.ignore_dirs))
                self._say_once(f"{problem}: files are looked at every {EVERY:g} s instead of being watched")
        finally:
            self._up.release()
        # What changed while the kernel's watch was being given up is not known: it counts as a change.
        self._changed(None)
        poller.run(self._stop, lambda paths: hear((2, path) for path in paths))

    def _watch_by_kernel(self, where: list[str], deep: bool, hear: Callable[[Iterable[tuple[int, str]]], None]) -> None:
        """Until closed. Raises ``CannotWatch``, at the beginning or when a new folder cannot be watched any more."""
        with _notifier(where, deep) as notify:
            self._up.release()
            while True:
                try:
                    seen = notify.watch(_PATIENCE_MS, _STEP_MS, 0, self._stop)
                except (OSError, RuntimeError) as problem:
                    raise CannotWatch(_why(str(problem))) from problem
                if isinstance(seen, str):
                    return
                hear(seen)
                if deep:
                    # The library adds a new folder by itself, and is silent where it cannot.
                    for path in [path for kind, path in seen if kind == _ADDED and os.path.isdir(path)][:_MOST_NEW]:
                        _try_to_watch(path)

    def _say_once(self, what: str) -> None:
        if self._said.acquire(blocking=False):
            self._say(what)

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2)


def _notifier(where: list[str], deep: bool) -> RustNotify:
    """The kernel's watch over all of it. Raises ``CannotWatch``."""
    try:
        from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError
    except ImportError as problem:
        raise CannotWatch(f"the library that watches files cannot be loaded ({problem})") from problem
    try:
        try:
            # Asked to ignore what it may not read, it ignores a limit as well; so it is asked that only if it must be.
            return RustNotify(where, False, False, 0, deep, False)
        except PermissionError:
            return RustNotify(where, False, False, 0, deep, True)
    except FileNotFoundError as problem:
        raise CannotWatch(f"{problem.filename or where[0]} is not there any more") from problem
    except (OSError, RuntimeError, WatchfilesRustInternalError) as problem:
        raise CannotWatch(_why(str(problem))) from problem


def _try_to_watch(folder: str) -> None:
    """Raises ``CannotWatch`` where one more folder cannot be watched; one that has gone again need not be."""
    try:
        _notifier([folder], True)
    except CannotWatch:
        if os.path.isdir(folder):
            raise


def _why(problem: str) -> str:
    if "watch limit" in problem:
        return "the kernel watches no more folders (sudo sysctl fs.inotify.max_user_watches=524288)"
    if "Too many open files" not in problem:
        return f"the kernel does not watch the files ({' '.join(problem.split())[:200]})"
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return "no more files may be open (ulimit -n 4096)"
    return "the kernel has no more watchers (sudo sysctl fs.inotify.max_user_instances=1024)"
