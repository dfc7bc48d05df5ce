"""One moment of a login that a browser is writing to: its files held open, each with the size that it had.

A compaction removes tables while they are being copied; a table that is held open stays readable. Copied only up to the
size of that moment, manifest, logs and tables fit together however long the copying takes. A loaded machine may keep us
waiting between any two calls, so what makes the moment one is looked at again afterwards.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linda_cli.sessions.durable import open_regular
from linda_cli.sessions.login_files import is_blob, is_sqlite, login_files

_TRIES = 200
_PAUSE = 0.005
# A process may have a thousand files open at least; a larger login's last files are opened when they are copied.
MOST = 500


@dataclass(frozen=True, slots=True)
class Pin:
    """An open file and how much of it counts."""

    handle: int
    size: int


@contextlib.contextmanager
def pinned(profile: Path) -> Iterator[dict[str, Pin]]:
    """The login's files by path, in the order of ``login_files``, all of one moment.

    Where no such moment comes, the last one that was seen: whoever copies it finds out what is missing.
    Raises ``FileNotFoundError`` where not even that came.
    """
    for left in reversed(range(_TRIES)):
        with contextlib.ExitStack() as held:
            try:
                pins = _pin(profile, held)
            except FileNotFoundError:
                if not left:
                    raise
            else:
                if not left or _is_one_moment(profile, pins):
                    yield pins
                    return
        time.sleep(_PAUSE)


def _pin(profile: Path, held: contextlib.ExitStack) -> dict[str, Pin]:
    pins: dict[str, Pin] = {}
    for path in _held(profile)[:MOST]:
        try:
            handle = open_regular(profile / path)
        except OSError as problem:
            # So many may not be open at once: each is opened when it is copied then.
            if problem.errno in (errno.EMFILE, errno.ENFILE):
                held.close()
                return {}
            raise
        held.callback(os.close, handle)
        pins[path] = Pin(handle, os.fstat(handle).st_size)
    return pins


def _held(profile: Path) -> list[str]:
    """The files whose moment is made by holding them open.

    A SQLite database is copied under a guard of its own. A blob is written before the record that names it and never
    changes: a login of some thousand of them needs no handle for each.
    """
    return [path for path in login_files(profile) if not is_sqlite(path) and not is_blob(path)]


def _is_one_moment(profile: Path, pins: dict[str, Pin]) -> bool:
    """Whether no database has changed its manifest, begun a file or removed one while the files were being opened."""
    if _held(profile)[: len(pins)] != list(pins):
        return False
    return all(os.fstat(pin.handle).st_size == pin.size for path, pin in pins.items() if "/MANIFEST" in path)
