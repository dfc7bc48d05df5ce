"""The files of one database, and a copy of them that is of one moment."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from linda_cli.sessions.storage.damage import Damage, Unreadable, refused, spelled
from linda_cli.sessions.storage.files import Gone, opened

WAL = "-wal"
JOURNAL = "-journal"
BESIDE = (WAL, JOURNAL)
"""What belongs to a database's content. ``-shm`` does not: it is made anew from the ``-wal``."""

_WAL_HEADER = 32
SMALLEST_WAL = _WAL_HEADER + 24 + 512
"""A header, and a frame of the smallest page."""
_TRIES = 400
# A database of a gigabyte that is written all the while is not copied four hundred times.
_COPIES = 40
_PAUSE = 0.005
# Two changes within one tick of the kernel's clock leave one time of the file.
_TICK_NS = 20_000_000
_T = TypeVar("_T")


class _Moment(NamedTuple):
    """What differs when the database was written to, or its -wal begun anew, since."""

    size: int
    modified: int
    inode: int
    wal: bytes
    journal: tuple[int, int] | None
    settled: bool


def guarded(database: Path, copy: Callable[[str], _T]) -> dict[str, _T]:
    """Copy the database (suffix ``""``), then what belongs to it, each by ``copy(suffix)``, all of one moment.

    Appended frames do no harm: what the -wal had when the database was copied is there. A checkpoint does (it writes
    the database), and so does a -wal begun anew (its frames are gone, and are in no copy). Measured: a copy without
    this guard passes every check and is silently older in 1 of 20 to 1 of 183 (docs/chromium.md).

    Raises ``FileNotFoundError`` where there is no database, ``Unreadable`` where no such moment comes, and whatever
    ``copy`` raises. A ``copy`` is called again for the same suffix after a moment that was none.
    """
    copies = 0
    for attempt in range(_TRIES):
        if copies == _COPIES:
            break
        before = _moment(database)
        if not before.settled and attempt < _TRIES - 1:
            time.sleep(_PAUSE)
            continue
        copies += 1
        made: dict[str, _T] = {"": copy("")}
        for suffix in BESIDE:
            try:
                made[suffix] = copy(suffix)
            except FileNotFoundError:
                continue
        if _moment(database)[:-1] == before[:-1] and (WAL in made) == bool(before.wal):
            return made
        time.sleep(_PAUSE)
    raise Unreadable(f"{spelled(database.name)} kept changing while it was copied")


def _moment(database: Path) -> _Moment:
    status = os.stat(database, follow_symlinks=False)
    settled = abs(time.time_ns() - status.st_mtime_ns) > _TICK_NS
    journal: tuple[int, int] | None
    try:
        beside = os.stat(f"{database}{JOURNAL}", follow_symlinks=False)
        journal = (beside.st_size, beside.st_mtime_ns)
    except FileNotFoundError:
        journal = None
    return _Moment(status.st_size, status.st_mtime_ns, status.st_ino, wal_header(database), journal, settled)


def wal_header(database: Path) -> bytes:
    """The header of the -wal: salts that change whenever it is begun anew. ``b"-"`` where it is empty, ``b""`` where
    there is none."""
    try:
        with opened(database.with_name(database.name + WAL)) as file:
            return file.read(0, _WAL_HEADER) or b"-"
    except Gone:
        return b""


def wal_frames(wal: Path) -> tuple[int, bool]:
    """How many frames of the present generation the -wal holds up to its last commit, by their salts alone, and
    whether its header reads. SQLite reads up to the first whose checksum is wrong: fewer than these were lost."""
    with opened(wal) as file:
        header = file.read(0, _WAL_HEADER)
        size = int.from_bytes(header[8:12], "big")
        if len(header) < _WAL_HEADER or header[:4] not in (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"):
            return 0, False
        if size < 512 or size > 65536 or size & (size - 1):
            return 0, False
        committed = 0
        for at in range((file.stat.st_size - _WAL_HEADER) // (24 + size)):
            frame = file.read(_WAL_HEADER + at * (24 + size), 24)
            if frame[8:16] == header[16:24] and frame[4:8] != bytes(4):
                committed = at + 1
        return committed, True


def is_there(path: Path) -> bool:
    """Whether something has this name; raises ``Unreadable`` where the system does not say."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise refused(f"{spelled(path.name)} cannot be looked at", error) from None
    return True


def regular_size(path: Path) -> int:
    """The bytes of a regular file; raises ``Damage`` where something else lies there, ``Gone`` where nothing does."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        raise Gone(f"{spelled(path.name)} is missing") from None
    except (OSError, ValueError) as error:
        raise refused(f"{spelled(path.name)} cannot be looked at", error) from None
    if not stat.S_ISREG(status.st_mode):
        raise Damage(f"{spelled(path.name)} is not a regular file")
    return status.st_size
