"""Where copies of a database are opened: a folder of our own outside the profile, for as short as can be.

A login lies in them, so the folder is the owner's alone, and its files lose their names as soon as SQLite has them
open. What a killed process left is removed by the next one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from linda_cli.sessions.storage.damage import Unreadable

_PREFIX = "linda-look-"
_MEMORY = Path("/dev/shm")
# Small ones stay in memory, where no disk ever has them.
_SMALL = 32 << 20
_SPARE = 16 << 20


@contextlib.contextmanager
def scratch(size: int) -> Iterator[Path]:
    """A folder with room for ``size`` bytes; gone after. Raises ``Unreadable`` where there is none."""
    folder = _made(size)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(size: int) -> Path:
    why = "no folder for temporary files"
    for place in _places(size):
        try:
            if shutil.disk_usage(place).free < size + _SPARE:
                why = f"no room for a copy of {size / 1e6:.0f} MB in {place}"
                continue
            _sweep(place)
            return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
        except OSError as problem:
            why = f"{place}: {problem.strerror or problem}"
    raise Unreadable(f"it could not be copied to be looked at ({why})")


def _places(size: int) -> Iterator[Path]:
    if size <= _SMALL and os.access(_MEMORY, os.W_OK | os.X_OK):
        yield _MEMORY
    with contextlib.suppress(OSError):  # none of the usual folders can be written: the next one may
        yield Path(tempfile.gettempdir())
    if os.access(_MEMORY, os.W_OK | os.X_OK):
        yield _MEMORY


def _sweep(place: Path) -> None:
    """Remove what killed processes of ours left here."""
    with os.scandir(place) as listing:
        names = [one.name for one in listing if one.name.startswith(_PREFIX)]
    for name in names[:100]:
        pid = name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):  # another's, or gone meanwhile
            status = os.lstat(place / name)
            if pid.isdigit() and status.st_uid == os.geteuid() and not _lives(int(pid)):
                shutil.rmtree(place / name, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
