"""Reading files that somebody else may have put there.

A profile may hold a FIFO, a device, a symlink out of the home or a file of a terabyte where a small regular one
belongs. None of them may block, be followed or fill the memory.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from linda_cli.sessions.storage.damage import Damage, refused, spelled

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_MOST_NAMES = 100_000


class Gone(Damage):
    """The file is not there (any more)."""


class Opened(NamedTuple):
    """A regular file, open for reading."""

    path: Path
    descriptor: int
    stat: os.stat_result

    @property
    def name(self) -> str:
        """The file's name as a message may show it."""
        return spelled(self.path.name)

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer only where the file ends."""
        try:
            found = os.pread(self.descriptor, size, offset)
            while found and len(found) < size:
                more = os.pread(self.descriptor, size - len(found), offset + len(found))
                if not more:
                    break
                found += more
        except (OSError, OverflowError) as error:
            raise refused(f"{self.name} cannot be read ({_reason(error)})", error) from None
        return found


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """The regular file at ``path``; whatever else may be there is a ``Damage``."""
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise Gone(f"{spelled(path.name)} is missing") from None
    except (OSError, ValueError) as error:
        raise refused(f"{spelled(path.name)} cannot be opened ({_reason(error)})", error) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Damage(f"{spelled(path.name)} is not a regular file")
        yield Opened(path, descriptor, found)
    finally:
        # It was only read: a failing close loses nothing.
        with suppress(OSError):
            os.close(descriptor)


def read_small(path: Path, limit: int) -> bytes:
    """All of a file that has no business being larger than ``limit``."""
    with opened(path) as file:
        content = file.read(0, limit + 1)
    if len(content) > limit:
        raise Damage(f"{spelled(path.name)} is too large to be true")
    return content


def names(folder: Path) -> frozenset[str]:
    """What lies in ``folder``, which must be a directory itself, not a link to one."""
    try:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise Damage(f"{spelled(folder.name)} is not a folder")
        entries: list[str] = []
        with os.scandir(folder) as listing:
            for entry in listing:
                entries.append(entry.name)
                if len(entries) > _MOST_NAMES:
                    raise Damage(f"{spelled(folder.name)} holds too many files to be true")
    except FileNotFoundError:
        raise Gone(f"{spelled(folder.name)} is missing") from None
    except (OSError, ValueError) as error:
        raise refused(f"{spelled(folder.name)} cannot be listed ({_reason(error)})", error) from None
    return frozenset(entries)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
