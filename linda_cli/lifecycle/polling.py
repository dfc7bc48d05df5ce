"""Changes below folders found by looking again and again: for where the kernel watches no more of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event

EVERY = 1.0
"""Seconds from one look to the next; more where a look takes long, so that it never takes a tenth of a core."""

MOST = 200_000
"""Files that are looked at; what a larger tree has beyond them is not."""

_Seen = dict[str, tuple[int, int, int]]


class Poller:
    """Remembers what every file looked like. ``skip``: names of folders that nobody wants to know of."""

    def __init__(self, folders: Sequence[str], deep: bool, skip: frozenset[str]) -> None:
        self._folders = folders
        self._deep = deep
        self._skip = skip
        self._seen = self._look()

    def changed(self) -> set[str]:
        """The paths that came, went or are not as they were."""
        before, self._seen = self._seen, self._look()
        return {path for path in before.keys() | self._seen.keys() if before.get(path) != self._seen.get(path)}

    def run(self, stop: Event, heard: Callable[[set[str]], None]) -> None:
        """Tell of changes until ``stop`` is set."""
        pause = EVERY
        while not stop.wait(pause):
            began = time.monotonic()
            if changes := self.changed():
                heard(changes)
            pause = max(EVERY, 10 * (time.monotonic() - began))

    def _look(self) -> _Seen:
        seen: _Seen = {}
        for path, status in self._files():
            seen[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
            if len(seen) >= MOST:
                break
        return seen

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        left = list(self._folders)
        while left:
            try:
                with os.scandir(left.pop()) as entries:
                    for entry in entries:
                        try:
                            is_folder = entry.is_dir(follow_symlinks=False)
                            if is_folder and self._deep and entry.name not in self._skip:
                                left.append(entry.path)
                            # What a link points to counts as well: it is what a bot would read.
                            yield entry.path, entry.stat(follow_symlinks=not is_folder)
                        except OSError:
                            # Gone between the list and the look, or a link to nowhere: not there.
                            continue
            except OSError:
                # A folder that went away or may not be read has no files.
                continue
