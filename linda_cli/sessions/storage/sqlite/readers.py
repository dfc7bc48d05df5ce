"""Who has a database open now. A foreign reader that holds one while Chromium starts empties localStorage for good.

Every SQLite connection on a database in WAL mode holds a shared lock on it; Chromium's is exclusive. The kernel tells
of both without our taking any: asking opens the file as any program does, and SQLite is not involved.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from linda_cli.sessions.durable import open_regular

# l_type, l_whence, l_start, l_len, l_pid, as the C library lays them out on 64-bit Linux
_FLOCK = struct.Struct("hhqqi4x")
# sqlite3's os.h: the bytes of a database on which its locks are taken
_PENDING, _SPAN = 0x40000000, 512


def lock_holder(database: Path) -> int | None:
    """The pid of a process that holds a lock of SQLite's on this database, None where nobody does or it is gone.

    0: somebody does, whose pid this namespace cannot tell (another container, another host).
    """
    try:
        handle = open_regular(database)
    except OSError:
        return None
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _PENDING, _SPAN, 0)
        kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(handle, fcntl.F_GETLK, asked))
    except OSError:
        # A filesystem without locks has none to tell of.
        return None
    finally:
        # Closing drops this process's own locks on the file: it never has any.
        os.close(handle)
    return None if kind == fcntl.F_UNLCK else max(0, pid)


def first_holder(databases: Iterable[Path]) -> tuple[Path, int] | None:
    """The first of these that somebody holds, and who."""
    for database in databases:
        pid = lock_holder(database)
        if pid is not None:
            return database, pid
    return None
